//! `command.wasm` under the wasmtime CLI.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::process::{Serve, installed};

/// What `command.wasm` has not, and why.
pub const NOT_OFFERED: [(&str, &str); 4] = [
    ("octets", "in names that are no UTF-8: wasi:filesystem has only Unicode"),
    ("modes", "of Unix, and owners: wasi:filesystem has no words for them"),
    ("space", "on the disk, how much is free: the same"),
    ("urgent", "data, as some clients send with ABOR: wasi:sockets lets the urgent octet vanish"),
];

/// The CLI and the component, ready for options; `None`, which skips the test, if the CLI is not installed.
pub fn command(options: &[&str]) -> Option<Command> {
    // Where `.ci/run` installs it.
    let cli = workspace().join("target/wasmtime/wasmtime_cli/wasmtime");
    installed("wasmtime", &cli).then(|| {
        let mut command = Command::new(cli);
        command.arg("run").args(options).arg(&*COMPONENT);
        command
    })
}

/// The same, with what it takes to serve `root`.
pub fn serving(root: &Path) -> Option<Command> {
    let directory = format!("{}::/", root.display());
    command(&["-S", "inherit-network", "--dir", &directory])
}

/// Serve `root` on IPv4 and IPv6, to user `u` with password `p`, who may write, and to anonymous.
pub fn start(root: &Path) -> Option<Serve> {
    let both = ["--listen", "127.0.0.1:0", "--listen", "[::1]:0"];
    let options = [&both[..], &["--user", "u:p", "--writable", "--anonymous", "--log", "warn"]].concat();
    serving(root).map(|mut command| Serve::run(command.args(options)))
}

/// The component, as the README has it built.
pub static COMPONENT: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--profile", "component", "--bin", "command", "--target", "wasm32-wasip2"])
        .arg("--manifest-path")
        .arg(workspace().join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .status()
        .unwrap();
    assert!(status.success(), "cannot build the component");
    target.join("wasm32-wasip2/component/command.wasm")
});

/// The package that is being tested is the workspace's root, or in it.
fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().find(|path| path.join("tests/transcripts").is_dir()).unwrap()
}
