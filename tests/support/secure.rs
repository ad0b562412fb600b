//! A client that speaks TLS, and those who vouch for its server.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use wasi_ftpd_host::config::{Identities, IdentityFiles, Tls};

use crate::client::{Client, PATIENCE, data};

/// One who vouches for servers and clients.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for these names, with its key, both in PEM.
    pub fn certificate(&self, names: &[&str], key: &KeyPair) -> (String, String) {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).unwrap();
        params.distinguished_name.push(DnType::CommonName, names[0].clone());
        (params.signed_by(key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    /// The same, in files.
    pub fn files(&self, directory: &Path, names: &[&str]) -> IdentityFiles {
        self.files_with(directory, names, &KeyPair::generate().unwrap())
    }

    /// The same with that key.
    pub fn files_with(&self, directory: &Path, names: &[&str], key: &KeyPair) -> IdentityFiles {
        let (certificate, key) = self.certificate(names, key);
        let path = |what: &str| directory.join(format!("{}.{what}.pem", names[0]));
        let files = IdentityFiles { certificate: path("certificate"), key: path("key"), ocsp: None };
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
        files
    }

    /// Its own certificate, in PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Settings for a server at 127.0.0.1.
    pub fn tls(&self, directory: &Path) -> Tls {
        Tls::new(Identities::Files(vec![self.files(directory, &["127.0.0.1"])]))
    }

    /// Settings for its clients.
    pub fn client(&self, version: &'static SupportedProtocolVersion) -> ClientConfig {
        self.builder(version).with_no_client_auth()
    }

    /// The same with a certificate.
    pub fn client_as(&self, name: &str) -> ClientConfig {
        let (certificate, key) = self.certificate(&[name], &KeyPair::generate().unwrap());
        let certificate = CertificateDer::from(pem(&certificate));
        let key = PrivateKeyDer::try_from(pem(&key)).unwrap();
        self.builder(&TLS13).with_client_auth_cert(vec![certificate], key).unwrap()
    }

    fn builder(
        &self,
        version: &'static SupportedProtocolVersion,
    ) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
    }
}

fn pem(text: &str) -> Vec<u8> {
    use rustls::pki_types::pem::{PemObject, SectionKind};
    let (_, der) = <(SectionKind, Vec<u8>)>::from_pem_slice(text.as_bytes()).unwrap();
    der
}

/// Both versions.
pub const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// One connection under TLS.
pub type Stream = StreamOwned<ClientConnection, TcpStream>;

/// TLS over a connection, before its handshake. `name`: of the server.
pub fn wrap(config: &Arc<ClientConfig>, name: &str, socket: TcpStream) -> Stream {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    StreamOwned::new(ClientConnection::new(config.clone(), name).unwrap(), socket)
}

/// A control connection under TLS.
pub struct Secure {
    pub stream: BufReader<Stream>,
    pub config: Arc<ClientConfig>,
    name: String,
}

impl Secure {
    /// AUTH TLS.
    pub fn explicit(to: SocketAddr, config: ClientConfig) -> Self {
        Self::explicit_to(to, config, "127.0.0.1")
    }

    /// The same, to a server of that name.
    pub fn explicit_to(to: SocketAddr, config: ClientConfig, name: &str) -> Self {
        let mut client = Client::connect(to);
        client.expect("AUTH TLS", 234);
        Self::over(client, config, name)
    }

    /// After AUTH TLS.
    pub fn over(client: Client, config: ClientConfig, name: &str) -> Self {
        let config = Arc::new(config);
        let socket = client.socket().try_clone().unwrap();
        let stream = BufReader::new(wrap(&config, name, socket));
        Self { stream, config, name: name.to_owned() }
    }

    /// Implicit TLS.
    pub fn implicit(to: SocketAddr, config: ClientConfig) -> Self {
        let config = Arc::new(config);
        let stream = BufReader::new(wrap(&config, "127.0.0.1", TcpStream::connect(to).unwrap()));
        let mut secure = Self { stream, config, name: "127.0.0.1".to_owned() };
        assert_eq!(secure.reply().0, 220);
        secure
    }

    /// Log in as the user who may write, and protect data.
    pub fn login(mut self) -> Self {
        self.expect("USER user", 331);
        self.expect("PASS secret", 230);
        self.expect("PBSZ 0", 200);
        self.expect("PROT P", 200);
        self.expect("TYPE I", 200);
        self
    }

    pub fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(octets.as_ref()).unwrap();
        self.stream.get_mut().flush().unwrap();
    }

    /// Send a line and take the reply.
    pub fn say(&mut self, line: impl AsRef<[u8]>) -> (u16, String) {
        self.send([line.as_ref(), b"\r\n"].concat());
        self.reply()
    }

    /// The same, when the code is known.
    #[track_caller]
    pub fn expect(&mut self, line: impl AsRef<[u8]>, code: u16) -> String {
        let reply = self.say(line.as_ref());
        assert_eq!(reply.0, code, "{}: {}", line.as_ref().escape_ascii(), reply.1);
        reply.1
    }

    /// A reply, all of its lines.
    #[track_caller]
    pub fn reply(&mut self) -> (u16, String) {
        let mut text = String::new();
        loop {
            let start = text.len();
            assert_ne!(self.stream.read_line(&mut text).expect("a reply"), 0, "closed after {text:?}");
            let line = &text[start..];
            if line.as_bytes().get(3) == Some(&b' ') && line.as_bytes().iter().take(3).all(u8::is_ascii_digit) {
                return (line[..3].parse().unwrap(), text);
            }
        }
    }

    /// The address of a passive port.
    pub fn passive(&mut self) -> SocketAddr {
        let text = self.expect("EPSV", 229);
        let port = text.split('|').nth(3).unwrap().parse().unwrap();
        SocketAddr::new(self.stream.get_ref().sock.peer_addr().unwrap().ip(), port)
    }

    /// A data connection under TLS, by the server's port or by the client's, for `command`.
    pub fn open(&mut self, passive: bool, command: &str) -> Stream {
        let socket = if passive {
            let port = self.passive();
            self.send(format!("{command}\r\n"));
            data(port)
        } else {
            let mine = TcpListener::bind("127.0.0.1:0").unwrap();
            self.expect(format!("EPRT |1|127.0.0.1|{}|", mine.local_addr().unwrap().port()), 200);
            self.send(format!("{command}\r\n"));
            mine.accept().unwrap().0
        };
        self.wrap(socket)
    }

    /// TLS over a data connection, with the session of this control connection.
    pub fn wrap(&self, socket: TcpStream) -> Stream {
        wrap(&self.config, &self.name, socket)
    }

    /// Receive a file or a listing, to its close_notify.
    #[track_caller]
    pub fn receive(&mut self, passive: bool, command: &str) -> Vec<u8> {
        let mut stream = self.open(passive, command);
        let mut octets = Vec::new();
        stream.read_to_end(&mut octets).unwrap();
        assert_eq!(self.reply().0, 150);
        assert_eq!(self.reply().0, 226);
        octets
    }

    /// Send a file, with its close_notify.
    #[track_caller]
    pub fn store(&mut self, passive: bool, command: &str, octets: &[u8]) {
        let mut stream = self.open(passive, command);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        stream.write_all(octets).unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty());
        assert_eq!(self.reply().0, 150);
        assert_eq!(self.reply().0, 226);
    }

    /// The certificate that the server has shown.
    pub fn certificate(&self) -> Vec<u8> {
        self.stream.get_ref().conn.peer_certificates().unwrap()[0].to_vec()
    }
}

/// Whether a connection is closed by the other side, whatever it says before.
pub fn closed(mut socket: &TcpStream) -> bool {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut octets = Vec::new();
    match socket.read_to_end(&mut octets) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}
