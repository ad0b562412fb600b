//! What ties data connections to their control connection: they resume its TLS session, or one that did.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use log::{info, warn};
use rustls::ServerConfig;
use rustls::server::{ProducesTickets, ServerSessionMemoryCache};

use super::{Layer, SessionReuse};

/// What a control connection and its data connections have in common. Certificates that change do not change it.
pub(crate) struct Bond {
    control: Arc<ServerConfig>,
    data: Arc<ServerConfig>,
    reuse: SessionReuse,
    /// An upload must end with close_notify.
    pub(crate) close_notify: bool,
    /// It was said that data connections do not resume.
    reported: AtomicBool,
}

impl Bond {
    /// For a new control connection.
    pub(super) fn new(
        config: ServerConfig,
        tickets: &Arc<dyn ProducesTickets>,
        reuse: SessionReuse,
        close_notify: bool,
    ) -> Result<Self> {
        let mut id = [0; ID_LENGTH];
        getrandom::fill(&mut id).context("no randomness")?;
        let make = |bound, protocols: &[&[u8]], count| {
            let mut config = config.clone();
            config.ticketer = Arc::new(Tickets { common: tickets.clone(), id, bound });
            config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
            config.send_tls13_tickets = count;
            config
        };
        let count = if reuse == SessionReuse::Enforce { ENFORCED_TICKETS } else { CONTROL_TICKETS };
        let mut control = make(false, &[b"ftp"], count);
        // FileZilla has a name of its own for data connections.
        let mut data = make(true, &[b"ftp", b"ftp-data"], DATA_TICKETS);
        // For clients of TLS 1.2 without tickets; shared by nobody else.
        control.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        // For the kernel, which sends large files.
        data.enable_secret_extraction = true;
        data.session_storage = control.session_storage.clone();
        let (control, data) = (Arc::new(control), Arc::new(data));
        Ok(Self { control, data, reuse, close_notify, reported: AtomicBool::new(false) })
    }

    /// TLS on the control connection, before the handshake.
    pub(crate) fn control(&self) -> Result<Layer, rustls::Error> {
        Layer::new(self.control.clone(), CONTROL_PIECE)
    }

    /// TLS on a data connection, before the handshake.
    pub(crate) fn data(&self) -> Result<Layer, rustls::Error> {
        Layer::new(self.data.clone(), DATA_PIECE)
    }

    /// Whether a data connection, now that its handshake is over, may be used.
    pub(crate) fn accepts(&self, data: &Layer, peer: SocketAddr) -> bool {
        // Whoever has resumed a session here has had a ticket of this control connection.
        match self.reuse {
            SessionReuse::Enforce if !data.resumed() => {
                warn!(
                    "{peer}: refused a data connection that does not resume the TLS session of its control connection"
                );
                return false;
            }
            SessionReuse::Allow if !data.resumed() && !self.reported.swap(true, Ordering::Relaxed) => {
                info!("{peer}: data connections do not resume the TLS session of their control connection");
            }
            _ => {}
        }
        true
    }
}

/// Tickets that say to which control connection they belong. (rustls's own resumption data does not come back
/// in TLS 1.2.)
#[derive(Debug)]
struct Tickets {
    common: Arc<dyn ProducesTickets>,
    id: [u8; ID_LENGTH],
    /// Others are good for nothing.
    bound: bool,
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        self.common.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.common.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.common.encrypt(&[&self.id, plain].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let plain = self.common.decrypt(cipher)?;
        let (id, plain) = plain.split_at_checked(ID_LENGTH)?;
        (!self.bound || id == self.id).then(|| plain.to_vec())
    }
}

/// Octets that nobody guesses, and that are never the same twice.
const ID_LENGTH: usize = 16;

/// For clients that use each but once (curl, rustls), and have several data connections in a row before they read one
/// of those that come with them. Each costs some microseconds.
const CONTROL_TICKETS: usize = 4;

/// The same where a data connection without one is refused.
const ENFORCED_TICKETS: usize = 16;

/// In the place of the one that was used.
const DATA_TICKETS: usize = 1;

/// Sessions of one control connection that are remembered here and not by the client.
const SESSIONS: usize = 4;

/// Octets that are read at once: of commands, and of files.
const CONTROL_PIECE: usize = 4 * 1024;
const DATA_PIECE: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use rustls::crypto::aws_lc_rs::Ticketer;

    use super::*;

    #[test]
    fn tickets_of_other_control_connections_are_worth_nothing_for_data() {
        let common = Ticketer::new().unwrap();
        let tickets = |id, bound| Tickets { common: common.clone(), id: [id; ID_LENGTH], bound };
        let ticket = tickets(1, false).encrypt(b"session").unwrap();
        assert_eq!(tickets(1, true).decrypt(&ticket).unwrap(), b"session");
        assert_eq!(tickets(2, false).decrypt(&ticket).unwrap(), b"session");
        assert_eq!(tickets(2, true).decrypt(&ticket), None);
        assert_eq!(tickets(1, false).decrypt(b"made up"), None);
        let short = common.encrypt(b"short").unwrap();
        assert_eq!(tickets(1, false).decrypt(&short), None);
    }
}
