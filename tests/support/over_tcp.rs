//! A transcript's server behind sockets, whose files are a directory.

use std::any::Any;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use crate::client::{Client, Control, data, read_all};
use crate::transcript::Server;

/// A server, and a client that has connected to it.
pub struct OverTcp {
    address: SocketAddr,
    root: PathBuf,
    client: Client,
    listener: Option<TcpListener>,
    data: Option<TcpStream>,
    /// Keeps a port from being anybody's.
    bound: Option<socket2::Socket>,
    /// What it has not.
    lacks: Vec<&'static str>,
    _server: Box<dyn Any>,
}

impl OverTcp {
    /// A client of the server at `address`, which serves `root` until `server` is dropped.
    pub fn new(address: SocketAddr, root: PathBuf, server: Box<dyn Any>) -> Self {
        let client = Client::silent(address);
        Self { address, root, client, listener: None, data: None, bound: None, lacks: Vec::new(), _server: server }
    }

    /// The same, of a server that has not everything.
    pub fn without(self, lacks: impl IntoIterator<Item = &'static str>) -> Self {
        Self { lacks: lacks.into_iter().collect(), ..self }
    }

    fn path(&self, path: &[u8]) -> PathBuf {
        self.root.join(OsStr::from_bytes(path.strip_prefix(b"/").unwrap()))
    }

    fn data(&mut self) -> TcpStream {
        if let Some(listener) = self.listener.take() {
            self.data = Some(listener.accept().unwrap().0);
        }
        self.data.as_ref().expect("a data connection").try_clone().unwrap()
    }
}

impl Server for OverTcp {
    const NAME: &'static str = "tcp";

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
        let listener = TcpListener::bind((self.address.ip(), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        self.listener = Some(listener);
        address
    }

    fn not_listening(&mut self) -> SocketAddr {
        // A port that is free, and refuses: bound and not listened on.
        let socket =
            socket2::Socket::new(socket2::Domain::for_address(self.address), socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(self.address.ip(), 0).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        self.bound = Some(socket);
        address
    }

    fn connect(&mut self, port: u16) {
        self.listener = None;
        self.data = Some(data(SocketAddr::new(self.address.ip(), port)));
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

    fn has(&self, what: &str) -> bool {
        !self.lacks.contains(&what)
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
