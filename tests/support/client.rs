//! A client that says just what it is told, with a time limit on all it waits for.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// A control connection in clear.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connect, and take the greeting.
    pub fn connect(to: SocketAddr) -> Self {
        let mut client = Self::silent(to);
        assert_eq!(client.reply().0, 220);
        client
    }

    /// Connect.
    pub fn silent(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// Over a connection that there is already.
    pub fn from(stream: TcpStream) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Connect and log in as the user who may write.
    pub fn login(to: SocketAddr) -> Self {
        let mut client = Self::connect(to);
        client.log_in();
        client
    }

    /// A data connection to a passive port.
    pub fn open_passive(&mut self) -> TcpStream {
        data(self.passive())
    }
}

impl Control for Client {
    fn stream(&mut self) -> &mut BufReader<impl Read + Write> {
        &mut self.stream
    }

    fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }
}

/// A control connection, in clear or protected: what can be said over it, and heard.
pub trait Control {
    /// All that goes over it.
    fn stream(&mut self) -> &mut BufReader<impl Read + Write>;

    /// What is under that.
    fn socket(&self) -> &TcpStream;

    /// Log in as the user who may write.
    fn log_in(&mut self) {
        self.expect("USER user", 331);
        self.expect("PASS secret", 230);
        self.expect("TYPE I", 200);
    }

    /// Send octets as they are.
    fn send(&mut self, octets: impl AsRef<[u8]>) {
        let output = self.stream().get_mut();
        output.write_all(octets.as_ref()).unwrap();
        output.flush().unwrap();
    }

    /// Send a line and take the reply.
    #[track_caller]
    fn say(&mut self, line: impl AsRef<[u8]>) -> (u16, String) {
        self.send([line.as_ref(), b"\r\n"].concat());
        self.reply()
    }

    /// The same, when the code is known.
    #[track_caller]
    fn expect(&mut self, line: impl AsRef<[u8]>, code: u16) -> String {
        let reply = self.say(line.as_ref());
        assert_eq!(reply.0, code, "{}: {}", line.as_ref().escape_ascii(), reply.1);
        reply.1
    }

    /// A reply, all of its lines.
    #[track_caller]
    fn reply(&mut self) -> (u16, String) {
        self.try_reply().expect("a reply")
    }

    /// A reply, unless the server has closed the connection.
    fn try_reply(&mut self) -> Option<(u16, String)> {
        let octets = self.try_reply_octets()?;
        let last = octets.trim_ascii_end().rsplit(|&octet| octet == b'\n').next().unwrap();
        let code = std::str::from_utf8(&last[..3]).unwrap().parse().unwrap();
        Some((code, String::from_utf8_lossy(&octets).into_owned()))
    }

    /// The same, as it came.
    fn try_reply_octets(&mut self) -> Option<Vec<u8>> {
        let mut octets = Vec::new();
        loop {
            let start = octets.len();
            match self.stream().read_until(b'\n', &mut octets) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("after {}: {error}", octets.escape_ascii()),
            }
            let line = &octets[start..];
            if line.get(3) == Some(&b' ') && line.iter().take(3).all(u8::is_ascii_digit) {
                return Some(octets);
            }
        }
    }

    /// The address of a passive port.
    #[track_caller]
    fn passive(&mut self) -> SocketAddr {
        let text = self.expect("EPSV", 229);
        let port = text.split('|').nth(3).unwrap().parse().unwrap();
        SocketAddr::new(self.socket().peer_addr().unwrap().ip(), port)
    }

    /// A port of the client's that is told to the server.
    #[track_caller]
    fn active(&mut self) -> TcpListener {
        let mine = TcpListener::bind((self.socket().local_addr().unwrap().ip(), 0)).unwrap();
        let address = mine.local_addr().unwrap();
        let family = if address.is_ipv4() { 1 } else { 2 };
        self.expect(format!("EPRT |{family}|{}|{}|", address.ip(), address.port()), 200);
        mine
    }
}

/// A data connection.
pub fn data(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A connection from another address of this machine.
pub fn stranger(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&"127.0.0.2:0".parse::<SocketAddr>().unwrap().into())?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}

/// Everything that comes.
pub fn read_all(mut stream: TcpStream) -> Vec<u8> {
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).unwrap();
    octets
}

/// Send everything, then end of file.
pub fn send_all(mut stream: TcpStream, octets: &[u8]) {
    stream.write_all(octets).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
}

/// Longer than anything takes on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Wait for something that must come true soon.
pub fn until(mut done: impl FnMut() -> bool, what: &str) {
    let due = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < due, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
