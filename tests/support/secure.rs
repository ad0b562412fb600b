//! A client that speaks TLS, and those who vouch for its server.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs;
use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme, StreamOwned,
    SupportedProtocolVersion,
};
use wasi_ftpd_host::config::{Identities, IdentityFiles, Tls};

use crate::client::{Client, Control, PATIENCE, data};

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

    /// Its own key, in PEM.
    pub fn key_pem(&self) -> String {
        self.0.key().serialize_pem()
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

    /// The same, and what is stapled to the certificates that they are shown (OCSP).
    pub fn client_that_keeps_staples(
        &self,
        version: &'static SupportedProtocolVersion,
    ) -> (ClientConfig, Arc<Staples>) {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let checks = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
        let staples = Arc::new(Staples { checks: checks.build().unwrap(), seen: Mutex::default() });
        let mut config = self.client(version);
        config.dangerous().set_certificate_verifier(staples.clone());
        (config, staples)
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

/// Checks certificates as others do, and keeps what is stapled to them.
#[derive(Debug)]
pub struct Staples {
    checks: Arc<WebPkiServerVerifier>,
    seen: Mutex<Vec<u8>>,
}

impl Staples {
    /// To the last certificate.
    pub fn last(&self) -> Vec<u8> {
        self.seen.lock().unwrap().clone()
    }
}

impl ServerCertVerifier for Staples {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        staple: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.seen.lock().unwrap() = staple.to_vec();
        self.checks.verify_server_cert(certificate, others, name, &[], now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.checks.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.checks.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.checks.supported_verify_schemes()
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
        self.log_in();
        self.expect("PBSZ 0", 200);
        self.expect("PROT P", 200);
        self
    }

    /// A data connection under TLS, by the server's port or by the client's, for `command`.
    pub fn open(&mut self, passive: bool, command: &str) -> Stream {
        let socket = if passive {
            let port = self.passive();
            self.send(format!("{command}\r\n"));
            data(port)
        } else {
            let mine = self.active();
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

impl Control for Secure {
    fn stream(&mut self) -> &mut BufReader<impl Read + Write> {
        &mut self.stream
    }

    fn socket(&self) -> &TcpStream {
        &self.stream.get_ref().sock
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
