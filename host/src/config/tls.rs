//! What the server is told about TLS.

use std::net::SocketAddr;
use std::path::PathBuf;

/// TLS on control and data connections (RFC 4217).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Whom the server says it is.
    pub identities: Identities,
    /// Whether clients must use it.
    pub policy: TlsPolicy,
    /// Where control connections are accepted that are protected from their first octet on (port 990).
    pub implicit_listen: Vec<SocketAddr>,
    /// Whether clients show certificates too. `None`: they are not asked.
    pub client_certificates: Option<ClientCertificates>,
    /// Whether a data connection must resume the TLS session of its control connection.
    pub session_reuse: SessionReuse,
    /// Take an upload that ends without TLS close_notify for one that was cut short. Some old clients never
    /// send it.
    pub close_notify: bool,
    /// Let users stay logged in when they stop protecting their commands (CCC, RFC 4217 §12.3).
    pub clear_commands: bool,
}

impl Tls {
    /// With every default: these identities, for clients that want it.
    pub fn new(identities: Identities) -> Self {
        Self {
            identities,
            policy: TlsPolicy::Allowed,
            implicit_listen: Vec::new(),
            client_certificates: None,
            session_reuse: SessionReuse::Allow,
            close_notify: true,
            clear_commands: false,
        }
    }
}

/// Whom the server says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identities {
    /// Nobody whom anybody could check: a certificate of the server's own making, and its key. They are made at the
    /// first start and kept in this file, so that clients can know them again; without one they are gone at the end.
    SelfSigned(Option<PathBuf>),
    /// Chosen by the name that the client asks for (SNI, else HOST); the first for all others.
    Files(Vec<IdentityFiles>),
}

/// The files of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityFiles {
    /// PEM: the certificate, then those that vouch for it.
    pub certificate: PathBuf,
    /// PEM: its private key; RSA, ECDSA or Ed25519.
    pub key: PathBuf,
    /// DER: an OCSP response about it, for clients that want one (RFC 6066 §8).
    pub ocsp: Option<PathBuf>,
}

/// Whether clients must use TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPolicy {
    /// They may.
    Allowed,
    /// Nobody logs in without it.
    Required,
    /// And no data connection is opened without it.
    RequiredForData,
}

/// Certificates that clients show. Whoever shows one that is valid, and whose subject has the name of a user
/// as its common name or e-mail address, logs in as that user without a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// PEM: those that vouch for them.
    pub authorities: PathBuf,
    /// No handshake succeeds without one.
    pub required: bool,
}

/// Whether a data connection must resume the TLS session of its control connection, which proves that both are
/// of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionReuse {
    /// Nobody looks.
    Off,
    /// One that does not is said in the log, once for each session.
    Allow,
    /// One that does not is refused.
    Enforce,
}
