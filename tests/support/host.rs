//! The real host with the real component, in this process, on ports of its own.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::{IpAddr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wasi_ftpd_host::Server;
use wasi_ftpd_host::accounts::{Listed, Password, User, Users};
use wasi_ftpd_host::config::Config;
use wasi_ftpd_host::storage::{Permissions, Unfinished, Volume};

/// A server, stopped when dropped.
pub struct Host {
    addresses: Vec<SocketAddr>,
    implicit: Vec<SocketAddr>,
    fingerprint: Option<String>,
    root: TempDir,
    sessions: Box<dyn Fn() -> usize>,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<std::io::Result<()>>>,
}

/// What may be changed before it starts: the configuration, and
pub struct Setup {
    config: Config,
    /// what becomes of uploads that are cut short,
    pub unfinished: Unfinished,
    /// and whether anybody may log in.
    pub closed: bool,
}

impl Deref for Setup {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

impl DerefMut for Setup {
    fn deref_mut(&mut self) -> &mut Config {
        &mut self.config
    }
}

/// One for all servers of a test program, whose sessions have threads of their own.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

impl Host {
    /// Serve an empty directory on 127.0.0.1 and ::1, to `user` with `secret`, who may write, and to
    /// anonymous.
    pub fn start(change: impl FnOnce(&mut Setup)) -> Self {
        Self::start_component(None, change)
    }

    /// The same with another component.
    pub fn start_component(component: Option<Vec<u8>>, change: impl FnOnce(&mut Setup)) -> Self {
        let root = tempfile::tempdir().unwrap();
        let listen = vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
        let mut config = Config { listen, ..Config::default() };
        config.limits.connections = 300;
        config.limits.grace = Duration::from_millis(500);
        let mut setup = Setup { config, unfinished: Unfinished::default(), closed: false };
        change(&mut setup);
        let users = match setup.closed {
            true => Users::default(),
            false => Users::new(vec![user("user", "secret", Permissions::ALL)], true),
        };
        let files = Volume::open_root(root.path(), Permissions::ALL).unwrap().with_unfinished(setup.unfinished);
        let mut builder = Server::builder(Listed::new(users, None, files).unwrap()).config(setup.config);
        if let Some(component) = component {
            builder = builder.component(component);
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let server = builder.bind().unwrap();
        let addresses = server.local_addresses().unwrap();
        let (implicit, fingerprint) = (server.implicit_addresses().unwrap(), server.fingerprint());
        let sessions = Box::new(server.sessions());
        let serving = RUNTIME.spawn(server.serve(async { drop(stopped.await) }));
        Self { addresses, implicit, fingerprint, root, sessions, stop: Some(stop), serving: Some(serving) }
    }

    /// Where to connect: over IPv4, if it listens there.
    pub fn address(&self) -> SocketAddr {
        *self.addresses.iter().find(|address| address.is_ipv4()).unwrap_or(&self.addresses[0])
    }

    /// Where to connect over IPv6.
    pub fn address6(&self) -> SocketAddr {
        *self.addresses.iter().find(|address| address.ip() == "::1".parse::<IpAddr>().unwrap()).unwrap()
    }

    /// Where to connect under implicit TLS.
    pub fn implicit_address(&self) -> SocketAddr {
        self.implicit[0]
    }

    /// Of the certificate that it made for itself.
    pub fn fingerprint(&self) -> Option<String> {
        self.fingerprint.clone()
    }

    /// The directory that is served.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Sessions that are open.
    pub fn sessions(&self) -> usize {
        (self.sessions)()
    }

    /// Wait until so many sessions are open.
    pub fn until_sessions(&self, count: usize) {
        crate::client::until(|| self.sessions() == count, "sessions to end");
    }

    /// Drop the server in the midst of serving.
    pub fn abandon(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            assert!(RUNTIME.block_on(serving).unwrap_err().is_cancelled());
        }
    }

    /// Stop, as on SIGTERM.
    pub fn stop(&mut self) {
        self.stop.take();
        if let Some(serving) = self.serving.take() {
            RUNTIME.block_on(serving).unwrap().unwrap();
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A user with a password.
pub fn user(name: &str, password: &str, permissions: Permissions) -> User {
    User { name: name.into(), password: Password::new(password.as_bytes()).unwrap(), permissions }
}
