//! A session whose host lets it wait, with a reply to be sent meanwhile.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_listing_waits_at_any_of_its_calls() {
    let files = tempfile::tempdir().unwrap();
    let root = files.path().join("root");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("file"), "").unwrap();
    let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (files.path().join("certificate"), files.path().join("key"));
    std::fs::write(&certificate, identity.cert.pem()).unwrap();
    std::fs::write(&key, identity.signing_key.serialize_pem()).unwrap();
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_native"));
    command
        .arg(root)
        .args(["--listen", &format!("127.0.0.1:{port}"), "--user", "user", "--password", "word"])
        .args([std::ffi::OsStr::new("--certificate"), certificate.as_os_str()])
        .args([std::ffi::OsStr::new("--key"), key.as_os_str()])
        .args(["--first-passive-port", "49152", "--last-passive-port", "65535", "--max-connections", "10"]);
    let _server = Running(command.spawn().unwrap());

    let mut client = Client::log_in(port);
    for calls in 0..BUDGET {
        let mut data = client.passive();
        // The server has accepted it by then, and all comes at once: nothing waits for the client.
        sleep(Duration::from_millis(10));
        client.send(&("MKD file\r\n".repeat(calls) + "NLST\r\n"));
        (0..calls).for_each(|_| _ = client.reply("550"));
        client.reply("150");
        let mut names = String::new();
        data.read_to_string(&mut names).unwrap();
        assert_eq!(names, "file\r\n");
        client.reply("226");
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    /// Connect as soon as the server listens, and log in.
    fn log_in(port: u16) -> Self {
        let due = Instant::now() + PATIENCE;
        let stream = loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                Ok(stream) => break stream,
                Err(_) if Instant::now() < due => sleep(Duration::from_millis(20)),
                Err(error) => panic!("the server does not start: {error}"),
            }
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self(BufReader::new(stream));
        client.reply("220");
        client.send("USER user\r\nPASS word\r\n");
        client.reply("331");
        client.reply("230");
        client
    }

    /// A data connection.
    fn passive(&mut self) -> TcpStream {
        self.send("EPSV\r\n");
        let reply = self.reply("229");
        let port = reply.split('|').nth(3).unwrap().parse().unwrap();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap()
    }

    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    #[track_caller]
    fn reply(&mut self, code: &str) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        assert!(line.starts_with(code), "{line:?} instead of {code}");
        line
    }
}

/// How often a session may ask the file system before others have their turn: tokio's budget of a task.
const BUDGET: usize = 128;

const PATIENCE: Duration = Duration::from_secs(30);
