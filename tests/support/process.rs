//! Servers as processes, started as a user would, and the clients of others.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::{TempDir, tempdir};

/// A server that says where it is, stopped when dropped.
pub struct Serve {
    child: Child,
    /// Of its addresses, in their order: `127.0.0.1:4711`.
    pub addresses: Vec<String>,
    /// All that it said at the start.
    pub introduction: String,
}

impl Serve {
    /// Run a command that ends up as a server.
    pub fn run(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut introduction = String::new();
        while !introduction.lines().any(|line| line.starts_with("Try")) {
            let read = output.read_line(&mut introduction).unwrap();
            assert!(read > 0, "ended early: {introduction}");
        }
        let urls = introduction.lines().filter_map(|line| line.trim().strip_prefix("at "));
        let address = |url: &str| {
            url.trim().trim_start_matches("ftp://").trim_start_matches("ftps://").trim_end_matches('/').to_owned()
        };
        Self { child, addresses: urls.map(address).collect(), introduction }
    }

    /// Where to connect over the first of its addresses.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0].parse().unwrap()
    }

    /// The port of an address.
    pub fn port(&self, index: usize) -> &str {
        self.addresses[index].rsplit(':').next().unwrap()
    }

    /// Stop it as `kill` does, and see that it ends well.
    pub fn stop(mut self) {
        self.signal(Signal::TERM);
        assert!(self.child.wait().unwrap().success());
    }

    /// Send it a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let _ = self.child.wait();
    }
}

/// A directory to serve, one for the client's files, and a server of the first.
pub fn scratch(serve: impl FnOnce(&Path) -> Serve) -> (TempDir, TempDir, Serve) {
    let (root, local) = (tempdir().unwrap(), tempdir().unwrap());
    let serve = serve(root.path());
    (root, local, serve)
}

/// A client of somebody else's; `None`, which skips the test, if it is not installed. In CI it must be.
pub fn client(name: &str) -> Option<Command> {
    let path: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect();
    let found = path.iter().map(|directory| directory.join(name)).find(|path| path.is_file());
    installed(name, &found.unwrap_or_default()).then(|| {
        let mut command = Command::new("timeout");
        command.args(["120", name]).stdin(Stdio::null()).env("HOME", "/nonexistent").env("LC_ALL", "C.UTF-8");
        command
    })
}

/// Whether something of somebody else's is there. In CI it must be.
pub fn installed(name: &str, path: &Path) -> bool {
    let installed = path.exists();
    assert!(installed || std::env::var_os("CI").is_none(), "{name} must be installed for CI");
    if !installed {
        eprintln!("skipped: {name} is not installed");
    }
    installed
}

/// Have lftp run a script as user `u`, after these settings.
pub fn lftp(url: &str, settings: &str, script: &str) {
    let Some(mut lftp) = client("lftp") else { return };
    let script = format!("set net:max-retries 2; set net:timeout 20; {settings}; open -u u,p {url}; {script}");
    run(lftp.arg("--norc").args(["-c", &script]));
}

/// rclone as user `u`, of a server at that host and port.
pub fn rclone(host: &str, port: &str) -> Option<Command> {
    let mut rclone = client("rclone")?;
    rclone.args(["--config=", "--retries=1", "--timeout=20s", "--ftp-user=u", "--ftp-pass", OBSCURED]);
    rclone.args(["--ftp-host", host, "--ftp-port", port]);
    Some(rclone)
}

/// What `rclone obscure p` says.
const OBSCURED: &str = "BQICfbHW7-M9x-l3uVurtjA";

/// Sessions of libraries, as programs in their languages, and what `.ci/run` has installed for those in Python.
pub const SESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/interop");
pub const PYTHON_LIBRARIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/interop");

/// Run a client to its end, which must be a good one; its output.
#[track_caller]
pub fn run(command: &mut Command) -> Vec<u8> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = child.stderr.take().unwrap();
    let errors = std::thread::spawn(move || {
        let mut text = Vec::new();
        errors.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    });
    let mut output = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    let status = child.wait().unwrap();
    let errors = errors.join().unwrap();
    assert!(status.success(), "{command:?}: {status}\n{errors}");
    output
}
