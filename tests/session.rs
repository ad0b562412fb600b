//! Transcripts against the real component in the real host, over TCP.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/client.rs"]
mod client;
#[path = "support/host.rs"]
mod host;
#[path = "support/transcript.rs"]
mod transcript;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use client::{Client, Control, data, read_all};
use host::Host;
use transcript::Server;

/// A session in an instance.
struct OverTcp {
    host: Host,
    client: Client,
    listener: Option<TcpListener>,
    data: Option<TcpStream>,
    /// Keeps a port from being anybody's.
    bound: Option<socket2::Socket>,
}

impl OverTcp {
    fn start(ip: IpAddr) -> Self {
        let host = Host::start(|config| {
            config.listen = vec![SocketAddr::new(ip, 0)];
            config.limits.connections = 4;
            config.limits.failure_delay = Duration::from_millis(1);
        });
        let client = Client::silent(host.address());
        Self { host, client, listener: None, data: None, bound: None }
    }

    fn path(&self, path: &[u8]) -> PathBuf {
        self.host.root().join(OsStr::from_bytes(path.strip_prefix(b"/").unwrap()))
    }

    fn data(&mut self) -> TcpStream {
        if let Some(listener) = self.listener.take() {
            self.data = Some(listener.accept().unwrap().0);
        }
        self.data.as_ref().expect("a data connection").try_clone().unwrap()
    }
}

impl Server for OverTcp {
    const NAME: &'static str = "session";

    fn send(&mut self, octets: &[u8]) {
        self.client.send(octets);
    }

    fn reply(&mut self) -> Option<Vec<u8>> {
        self.client.try_reply_octets()
    }

    fn is_closed(&mut self) -> bool {
        self.reply().is_none()
    }

    fn listen(&mut self) -> SocketAddr {
        let listener = TcpListener::bind((self.host.address().ip(), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        self.listener = Some(listener);
        address
    }

    fn not_listening(&mut self) -> SocketAddr {
        // A port that is free, and refuses: bound and not listened on.
        let socket =
            socket2::Socket::new(socket2::Domain::for_address(self.host.address()), socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.bind(&SocketAddr::new(self.host.address().ip(), 0).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        self.bound = Some(socket);
        address
    }

    fn connect(&mut self, port: u16) {
        self.listener = None;
        self.data = Some(data(SocketAddr::new(self.host.address().ip(), port)));
    }

    fn send_data(&mut self, octets: &[u8], end: bool) {
        let mut stream = self.data();
        stream.write_all(octets).unwrap();
        if end {
            // The server may have closed it, because it knows the end or wants no more.
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    fn receive_data(&mut self) -> Vec<u8> {
        read_all(self.data())
    }

    fn reset_data(&mut self) {
        let stream = self.data();
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        self.data = None;
    }

    fn special(&mut self, directive: &str) {
        panic!("{directive} is for memory");
    }

    fn put(&mut self, path: &[u8], content: Option<&[u8]>) {
        match content {
            Some(content) => fs::write(self.path(path), content).unwrap(),
            None => fs::create_dir(self.path(path)).unwrap(),
        }
    }

    fn put_link(&mut self, path: &[u8]) {
        symlink("nowhere", self.path(path)).unwrap();
    }

    fn stored(&mut self, path: &[u8]) -> Option<Option<Vec<u8>>> {
        let path = self.path(path);
        if path.is_dir() { Some(None) } else { fs::read(path).ok().map(Some) }
    }
}

#[test]
fn transcripts() {
    transcript::run_all(OverTcp::start);
}
