//! The client's side of TLS, and the certificate that all servers show.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

/// A connection under TLS.
pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

/// What connections that resume each other share: a control connection and its data connections.
#[derive(Clone)]
pub(crate) struct Sessions(Arc<ClientConfig>);

impl Sessions {
    pub(crate) fn new() -> Result<Self> {
        let builder = ClientConfig::builder_with_provider(PROVIDER.clone()).with_safe_default_protocol_versions()?;
        let verifier = Arc::new(Anybody(PROVIDER.signature_verification_algorithms));
        let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(TICKETS);
        Ok(Self(Arc::new(config)))
    }

    /// TLS over a connected socket, after its handshake.
    pub(crate) fn connect(&self, mut socket: TcpStream) -> Result<Tls> {
        let mut connection = ClientConnection::new(self.0.clone(), NAME.try_into()?)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).context("no TLS")?;
        }
        Ok(StreamOwned::new(connection, socket))
    }
}

/// Take octets until the end; tell how many.
pub(crate) fn discard(stream: &mut Tls) -> std::io::Result<u64> {
    let mut octets = vec![0; PIECE];
    let mut all = 0;
    loop {
        match stream.read(&mut octets) {
            Ok(0) => return Ok(all),
            Ok(count) => all += count as u64,
            // Some peers end without close_notify.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(all),
            Err(error) => return Err(error),
        }
    }
}

/// Say that all was sent, and wait until the server has seen it: some take a reset for a broken upload.
pub(crate) fn close(mut stream: Tls) -> std::io::Result<()> {
    stream.conn.send_close_notify();
    stream.flush()?;
    stream.sock.shutdown(std::net::Shutdown::Write)?;
    // Tickets that were not read would make the kernel reset the connection.
    drop(discard(&mut stream));
    Ok(())
}

/// A certificate and its key in one file each, and both in one.
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) both: PathBuf,
}

impl Identity {
    /// RSA 2048, which every peer can and most servers have.
    pub(crate) fn new(directory: &Path) -> Result<Self> {
        let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)?;
        let certificate = rcgen::CertificateParams::new([NAME.to_owned()])?.self_signed(&key)?;
        let (certificate, key) = (certificate.pem(), key.serialize_pem());
        let put = |name: &str, text: &str| -> Result<PathBuf> {
            let path = directory.join(name);
            fs::write(&path, text)?;
            Ok(path)
        };
        Ok(Self {
            certificate: put("certificate.pem", &certificate)?,
            key: put("key.pem", &key)?,
            both: put("both.pem", &format!("{key}{certificate}"))?,
        })
    }
}

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

/// Trusts every certificate: nobody is asked who he is here.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// Octets read at once.
const PIECE: usize = 256 * 1024;

/// Tickets that a session keeps.
const TICKETS: usize = 16;

const NAME: &str = "localhost";
