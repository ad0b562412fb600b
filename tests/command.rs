//! The whole server as one component, under the wasmtime CLI as a user would start it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/client.rs"]
mod client;
#[path = "support/command.rs"]
mod command;
#[path = "support/over_tcp.rs"]
mod over_tcp;
#[path = "support/process.rs"]
mod process;
#[path = "support/transcript.rs"]
mod transcript;

use std::net::{IpAddr, SocketAddr};

use command::NOT_OFFERED;
use over_tcp::OverTcp;
use process::Serve;
use tempfile::tempdir;

#[test]
fn transcripts() {
    if command::command(&[]).is_none() {
        return;
    }
    transcript::run_all(|ip: IpAddr| {
        let root = tempdir().unwrap();
        let listen = format!("--listen={}", SocketAddr::new(ip, 0));
        let options = [&*listen, "--user=user:secret", "--writable", "--anonymous", "--log=warn"];
        let serve = Serve::run(command::serving(root.path()).unwrap().args(options));
        let (address, path) = (serve.address(), root.path().to_owned());
        let lacks = NOT_OFFERED.map(|(what, _)| what);
        OverTcp::new(address, path, Box::new((serve, root))).without(lacks)
    });
}
