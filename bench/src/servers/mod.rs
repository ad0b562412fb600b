//! The servers, each with settings that are fair to it: sendfile where there is a switch, no names looked up, no
//! delays, no transfer log, no limit in the way, and the cheapest hash of passwords that it knows.

mod command_wasm;
mod native;
mod proftpd;
mod pure_ftpd;
mod pyftpdlib;
mod unftp;
mod vsftpd;
mod wasi_ftpd;

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::client::Client;
use crate::cpu::Group;
use crate::plan::Plan;
use crate::tls::Identity;

/// A kind of server.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// It is no peer.
    pub(crate) ours: bool,
    /// What it cannot do.
    pub(crate) lacks: &'static [Feature],
    /// The user that is let in.
    pub(crate) user: &'static str,
    /// Its program, which need not be installed.
    program: fn(&Plan) -> PathBuf,
    /// What starts it in the foreground.
    start: fn(&Setup) -> Result<Command>,
}

/// What some servers have and some have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    Active,
    Mlsd,
    Tls,
    /// Thousands of sessions, which are thousands of processes.
    Thousands,
}

/// What a server is told.
struct Setup<'a> {
    group: &'a Group,
    program: &'a Path,
    /// command.wasm
    component: &'a Path,
    root: &'a Path,
    port: u16,
    /// For its files.
    scratch: &'a Path,
    identity: &'a Identity,
}

impl Setup<'_> {
    fn command(&self) -> Command {
        self.group.command(self.program)
    }

    /// Write a file of its configuration.
    fn file(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.scratch.join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }
}

/// A server that runs.
pub(crate) struct Server {
    pub(crate) kind: &'static Kind,
    pub(crate) address: SocketAddr,
    pub(crate) group: Group,
    process: Child,
    /// What it writes, as far as nobody has read it.
    log: File,
    /// Its files, for as long as it runs.
    _scratch: TempDir,
}

impl Server {
    /// Start it, if it is installed, and wait until it greets.
    pub(crate) fn start(kind: &'static Kind, plan: &Plan, root: &Path, suffix: &str) -> Result<Option<Self>> {
        // Links stay: Python finds its packages by the name that it was called by.
        let program = std::path::absolute((kind.program)(plan))?;
        if !program.exists() {
            return Ok(None);
        }
        let group = Group::new(&format!("{}{suffix}", kind.name));
        let scratch = tempfile::tempdir()?;
        let port = free_port()?;
        let identity = Identity::new(scratch.path())?;
        let setup = Setup {
            group: &group,
            program: &program,
            component: &plan.component,
            root,
            port,
            scratch: scratch.path(),
            identity: &identity,
        };
        let log = scratch.path().join("log");
        let (written, log) = (File::create(&log)?, File::open(&log)?);
        let mut command = (kind.start)(&setup)?;
        command.stdin(Stdio::null()).stdout(written.try_clone()?).stderr(written);
        let process = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let address = (Ipv4Addr::LOCALHOST, port).into();
        let mut server = Self { kind, address, group, process, log, _scratch: scratch };
        server.wait_until_it_greets()?;
        Ok(Some(server))
    }

    pub(crate) fn can(&self, feature: Feature) -> bool {
        !self.kind.lacks.contains(&feature)
    }

    /// What it has written since this was last asked.
    pub(crate) fn said(&self) -> String {
        let mut said = Vec::new();
        let read = (&self.log).read_to_end(&mut said);
        read.map_or_else(|error| error.to_string(), |_| String::from_utf8_lossy(&said).into_owned())
    }

    fn wait_until_it_greets(&mut self) -> Result<()> {
        let due = Instant::now() + START;
        while Client::connect(self.address).is_err() {
            let ended = self.process.try_wait()?;
            if ended.is_some() || Instant::now() > due {
                bail!("{} does not greet: {}", self.kind.name, self.said());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The group ends what it has started.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// All of them, ours first.
pub(crate) static KINDS: [&Kind; 8] = [
    &wasi_ftpd::KIND,
    &native::KIND,
    &command_wasm::KIND,
    &vsftpd::KIND,
    &proftpd::KIND,
    &pure_ftpd::KIND,
    &pyftpdlib::KIND,
    &unftp::KIND,
];

/// A port that was free a moment ago, as was the one below, which active data connections come from. Both are outside
/// the range from which the kernel gives ports: clients in TIME_WAIT that had them would be in the way.
fn free_port() -> Result<u16> {
    let start = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port() % PORTS;
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    (0..PORTS)
        .step_by(2)
        .map(|step| FIRST_PORT + (start / 2 * 2 + step) % PORTS)
        .find(|port| free(port - 1) && free(*port))
        .context("no port for a server")
}

/// The user that those know who have users.
const USER: &str = "bench";

/// The password by crypt(3), in its oldest form: of a few microseconds.
const CHEAP_HASH: &str = "ab/z7EXUyF0fk";

/// Control connections: where they begin, and how many ports are looked at.
const FIRST_PORT: u16 = 10_001;
const PORTS: u16 = 8_000;

/// Data connections of every server, outside the range from which the kernel gives ports.
const PASSIVE_PORTS: (u16, u16) = (61_000, 65_500);

/// How long a server may take to start: Wasmtime compiles the component first.
const START: Duration = Duration::from_secs(30);
