//! The real host with the real component, in this process, on ports of its own.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wasi_ftpd_host::Server;
use wasi_ftpd_host::accounts::{Accounts, Password, User};
use wasi_ftpd_host::config::Config;
use wasi_ftpd_host::storage::Permissions;

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

/// One for all servers of a test program, whose sessions have threads of their own.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

impl Host {
    /// Serve an empty directory on 127.0.0.1 and ::1, to `user` with `secret`, who may write, and to
    /// anonymous.
    pub fn start(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_component(None, change)
    }

    /// The same with another component.
    pub fn start_component(component: Option<Vec<u8>>, change: impl FnOnce(&mut Config)) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut config = Config::new(root.path().to_owned());
        config.listen = vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
        config.limits.connections = 300;
        config.limits.grace = Duration::from_millis(500);
        config.accounts = Accounts::new(vec![user("user", "secret", Permissions::ALL)], true);
        change(&mut config);
        let (stop, stopped) = oneshot::channel::<()>();
        let server = match component {
            Some(component) => Server::bind_component(config, &component).unwrap(),
            None => Server::bind(config).unwrap(),
        };
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
