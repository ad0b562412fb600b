//! What one client, and all of them, may use up.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

/// What one client, and all of them, may use up.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Control connections at once.
    pub(crate) connections: usize,
    /// Control connections at once from one address. `None`: [`CONNECTIONS_PER_ADDRESS`], and from this machine
    /// as many as in all.
    pub(crate) connections_per_address: Option<usize>,
    /// How long a client that logged in may say nothing while nothing is transferred.
    pub(crate) idle: Duration,
    /// How long a client may take to log in.
    pub(crate) login: Duration,
    /// How long a data connection may move no octet.
    pub(crate) stall: Duration,
}

impl Limits {
    /// Control connections at once from `address`, which is not an IPv4-mapped one.
    pub(crate) fn connections_from(&self, address: IpAddr) -> usize {
        match self.connections_per_address {
            Some(limit) => limit,
            None if address.is_loopback() => self.connections,
            None => CONNECTIONS_PER_ADDRESS,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: CONNECTIONS, connections_per_address: None, idle: IDLE, login: LOGIN, stall: STALL }
    }
}

/// A share of what `all` counts, until it is dropped; `None` if `most` are out.
pub(crate) fn share(all: &Rc<()>, most: usize) -> Option<Rc<()>> {
    (Rc::strong_count(all) <= most).then(|| all.clone())
}

/// Below the thousand descriptors that systems give a process unasked: a session needs one, a transfer three.
const CONNECTIONS: usize = 300;

/// Like vsftpd's `max_per_ip`: an office behind one address has room, a flood from it has not.
const CONNECTIONS_PER_ADDRESS: usize = 50;

/// RFC 1123 §4.1.3.2 wants five minutes at least.
const IDLE: Duration = Duration::from_secs(300);

/// A person who has to look the password up.
const LOGIN: Duration = Duration::from_secs(60);

/// TCP's own retransmissions over a bad line pause for up to two minutes.
const STALL: Duration = Duration::from_secs(120);

/// How long a data connection may take to be opened. Four SYNs may be lost: TCP sends the next after 1, 3, 7 and
/// 15 seconds.
pub(crate) const DATA_CONNECTION: Duration = Duration::from_secs(30);

/// Two slips of the finger (RFC 2577 §5: three to five): wrong passwords after which a session ends.
pub(crate) const LOGIN_FAILURES: u32 = 3;

/// How long the answer to a wrong password is held back: not felt by people; RFC 2577 §5 wishes for it.
pub(crate) const FAILURE_DELAY: Duration = Duration::from_millis(500);

/// How long a session may go on that was told to end.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// Between attempts to accept when descriptors have run out.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Data ports and connections that a session may have: one, one that is being closed, and one whose client does
/// not take what was sent.
pub(crate) const DATA_PORTS: usize = 3;
