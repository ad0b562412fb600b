//! A session whose host lets it wait, with a reply to be sent meanwhile.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../../../tests/support/client.rs"]
mod client;

use std::ffi::OsStr;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::Duration;

use client::{Client, Control, read_all, until};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_listing_waits_at_any_of_its_calls() {
    let scratch = tempfile::tempdir().unwrap();
    let [root, certificate, key] = ["root", "certificate", "key"].map(|name| scratch.path().join(name));
    fs::create_dir(&root).unwrap();
    fs::write(root.join("file"), "").unwrap();
    let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&certificate, identity.cert.pem()).unwrap();
    fs::write(&key, identity.signing_key.serialize_pem()).unwrap();
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_native"));
    command
        .arg(root)
        .args(["--listen", &address.to_string(), "--user", "user", "--password", "secret"])
        .args([OsStr::new("--certificate"), certificate.as_os_str(), OsStr::new("--key"), key.as_os_str()])
        .args(["--first-passive-port", "49152", "--last-passive-port", "65535", "--max-connections", "10"]);
    let _server = Running(command.spawn().unwrap());
    until(|| TcpStream::connect(address).is_ok(), "the server to listen");

    let mut client = Client::login(address);
    for calls in 0..BUDGET {
        let data = client.open_passive();
        // The server has accepted it by then, and all comes at once: nothing waits for the client.
        std::thread::sleep(Duration::from_millis(10));
        client.send("MKD file\r\n".repeat(calls) + "NLST\r\n");
        let replies: Vec<_> = (0..=calls).map(|_| client.reply().0).collect();
        assert_eq!(replies, [vec![550; calls], vec![150]].concat());
        assert_eq!(read_all(data), b"file\r\n");
        assert_eq!(client.reply().0, 226);
    }
}

/// How often a session may ask the file system before others have their turn: tokio's budget of a task.
const BUDGET: usize = 128;
