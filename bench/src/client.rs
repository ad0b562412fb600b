//! An FTP client that costs little: blocking calls, one buffer, nothing looked at that need not be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Socket, Type};

use crate::drain;
use crate::tls::{self, Sessions, Tls};

/// A control connection.
pub(crate) struct Client {
    control: Control,
    line: String,
    /// With them, data connections are protected.
    sessions: Option<Sessions>,
    active: bool,
}

enum Control {
    Clear(BufReader<TcpStream>),
    Protected(Box<BufReader<Tls>>),
}

/// A data connection.
pub(crate) enum Data {
    Clear(TcpStream),
    Protected(Box<Tls>),
}

impl Client {
    /// Connect, and take the greeting.
    pub(crate) fn connect(server: SocketAddr) -> Result<Self> {
        let stream = open(server)?;
        let control = Control::Clear(BufReader::new(stream));
        let mut client = Self { control, line: String::new(), sessions: None, active: false };
        client.reply(220)?;
        Ok(client)
    }

    /// Connect and log in.
    pub(crate) fn log_in(server: SocketAddr, user: &str, protected: bool) -> Result<Self> {
        let mut client = Self::connect(server)?;
        if protected {
            client.protect(Sessions::new()?)?;
        }
        client.user(user)?;
        if protected {
            client.command("PBSZ 0", 200)?;
            client.command("PROT P", 200)?;
        }
        client.command("TYPE I", 200)?;
        Ok(client)
    }

    /// USER and PASS.
    pub(crate) fn user(&mut self, name: &str) -> Result<()> {
        self.command(&format!("USER {name}"), 331)?;
        self.command(&format!("PASS {PASSWORD}"), 230)
    }

    /// TLS from here on.
    pub(crate) fn protect(&mut self, sessions: Sessions) -> Result<()> {
        self.command("AUTH TLS", 234)?;
        let Control::Clear(clear) = &self.control else { bail!("protected already") };
        let tls = sessions.connect(clear.get_ref().try_clone()?)?;
        self.control = Control::Protected(Box::new(BufReader::new(tls)));
        self.sessions = Some(sessions);
        Ok(())
    }

    /// Data connections are opened by the server from here on.
    pub(crate) fn make_active(&mut self) {
        self.active = true;
    }

    /// Send a command, and take its reply.
    pub(crate) fn command(&mut self, command: &str, code: u16) -> Result<()> {
        self.send(command)?;
        self.reply(code)
    }

    fn send(&mut self, command: &str) -> Result<()> {
        self.line.clear();
        self.line.push_str(command);
        self.line.push_str("\r\n");
        match &mut self.control {
            Control::Clear(control) => control.get_mut().write_all(self.line.as_bytes())?,
            Control::Protected(control) => control.get_mut().write_all(self.line.as_bytes())?,
        }
        Ok(())
    }

    /// Take a reply of that code, whose last line is then in `line`.
    fn reply(&mut self, code: u16) -> Result<()> {
        loop {
            self.line.clear();
            let read = match &mut self.control {
                Control::Clear(control) => control.read_line(&mut self.line)?,
                Control::Protected(control) => control.read_line(&mut self.line)?,
            };
            ensure!(read > 0, "the server closed the control connection instead of {code}");
            if self.line.as_bytes().get(3) == Some(&b' ')
                && self.line.as_bytes().first().is_some_and(u8::is_ascii_digit)
            {
                break;
            }
        }
        let got: u16 = self.line.get(..3).unwrap_or_default().parse().unwrap_or(0);
        // 125 and 150 are one to a client, as are 200 and 202, 226 and 250.
        let same = got == code || matches!((got, code), (125, 150) | (250, 226));
        ensure!(same, "{} instead of {code}", self.line.trim_end());
        Ok(())
    }

    /// Begin a transfer.
    fn open_data(&mut self, command: &str) -> Result<Data> {
        let stream = if self.active {
            let listener = listener()?;
            let port = listener.local_addr()?.port();
            self.command(&format!("PORT 127,0,0,1,{},{}", port >> 8, port & 255), 200)?;
            self.command(command, 150)?;
            let (stream, _) = listener.accept()?;
            stream
        } else {
            self.command("PASV", 227)?;
            let address = passive(&self.line).with_context(|| format!("no address in {}", self.line))?;
            let stream = open(address)?;
            self.command(command, 150)?;
            stream
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(match &self.sessions {
            None => Data::Clear(stream),
            Some(sessions) => Data::Protected(Box::new(sessions.connect(stream)?)),
        })
    }

    /// A transfer to us, of which nothing is looked at: its octets.
    pub(crate) fn discard(&mut self, command: &str) -> Result<u64> {
        let octets = match self.open_data(command)? {
            Data::Clear(stream) => drain::discard(&stream)?,
            Data::Protected(mut stream) => tls::discard(&mut stream)?,
        };
        self.reply(226)?;
        Ok(octets)
    }

    /// A transfer to us.
    pub(crate) fn receive(&mut self, command: &str) -> Result<Vec<u8>> {
        let mut octets = Vec::new();
        match self.open_data(command)? {
            Data::Clear(mut stream) => stream.read_to_end(&mut octets)?,
            Data::Protected(mut stream) => stream.read_to_end(&mut octets)?,
        };
        self.reply(226)?;
        Ok(octets)
    }

    /// A transfer of `length` octets of no meaning to the server.
    pub(crate) fn fill(&mut self, command: &str, length: u64) -> Result<()> {
        match self.open_data(command)? {
            Data::Clear(stream) => drain::fill(stream, length)?,
            Data::Protected(mut stream) => {
                drain::fill(&mut *stream, length)?;
                tls::close(*stream)?;
            }
        }
        self.reply(226)
    }

    /// A transfer of these octets to the server.
    pub(crate) fn give(&mut self, command: &str, octets: &[u8]) -> Result<()> {
        match self.open_data(command)? {
            Data::Clear(mut stream) => stream.write_all(octets)?,
            Data::Protected(mut stream) => {
                stream.write_all(octets)?;
                tls::close(*stream)?;
            }
        }
        self.reply(226)
    }
}

fn open(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Where the server connects. From a range of our own: asking the kernel for a port takes long when many are in
/// TIME_WAIT.
fn listener() -> Result<TcpListener> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..ACTIVE_PORTS {
        let port = FIRST_ACTIVE_PORT + u16::try_from(NEXT.fetch_add(1, Ordering::Relaxed) % ACTIVE_PORTS)?;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        let bound = socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into());
        if bound.is_ok() && socket.listen(1).is_ok() {
            return Ok(socket.into());
        }
    }
    bail!("no port for active data connections")
}

/// The host-port of a 227 reply.
fn passive(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once('(')?;
    let (numbers, _) = rest.split_once(')')?;
    let mut numbers = numbers.split(',').map(str::parse::<u8>);
    let mut next = || numbers.next()?.ok();
    let ip = Ipv4Addr::new(next()?, next()?, next()?, next()?);
    Some((ip, u16::from_be_bytes([next()?, next()?])).into())
}

/// The password that is always given.
pub(crate) const PASSWORD: &str = "bench-password";

/// How long a server may take for anything.
const PATIENCE: Duration = Duration::from_secs(20);

const FIRST_ACTIVE_PORT: u16 = 20_000;

const ACTIVE_PORTS: u32 = 12_000;
