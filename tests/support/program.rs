//! `wasi-ftpd` itself.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::path::Path;
use std::process::Command;

use crate::process::Serve;

/// The program, with no place to keep anything.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wasi-ftpd"));
    command.env_remove("STATE_DIRECTORY").env_remove("XDG_STATE_HOME").env_remove("HOME");
    command
}

/// Serve `root` on IPv4 and IPv6, to user `u` with password `p`, who may write, and to anonymous.
pub fn start(root: &Path) -> Serve {
    let both = ["--listen", "127.0.0.1:0", "--listen", "[::1]:0"];
    with(root, &[&both[..], &["--user", "u:p", "--writable", "--anonymous", "--log", "warn"]].concat())
}

/// Serve with these options.
pub fn with(root: &Path, options: &[&str]) -> Serve {
    Serve::run(command().arg("serve").arg(root).args(options))
}
