//! What the server is told of addresses, ports, limits and TLS. Plain data, checked where it is read (`cli.rs`).

mod tls;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

pub use tls::{ClientCertificates, Identities, IdentityFiles, SessionReuse, Tls, TlsPolicy};

/// What the server is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where control connections are accepted, beside the listeners that a [`Builder`](crate::Builder) is given.
    pub listen: Vec<SocketAddr>,
    /// Where clients may open data connections (PASV, EPSV).
    pub passive_ports: RangeInclusive<u16>,
    /// The address told to clients for these, where it is not the one they reached the server by (NAT).
    pub public_address: Option<IpAddr>,
    /// The port from which data connections to clients are opened (PORT, EPRT).
    pub active_port: ActivePort,
    /// What one client, and all of them, may use up.
    pub limits: Limits,
    /// The charset of pathnames for clients that do not ask for UTF-8, by its name in the WHATWG Encoding
    /// Standard. `None`: names are octets.
    pub charset: Option<String>,
    /// TLS. `None`: there is none.
    pub tls: Option<Tls>,
}

impl Default for Config {
    /// Nowhere yet, and without TLS.
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            passive_ports: PASSIVE_PORTS,
            public_address: None,
            active_port: ActivePort::BesideControl,
            limits: Limits::default(),
            charset: None,
            tls: None,
        }
    }
}

/// The port from which the server connects to a client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivePort {
    /// The one below the control connection's (RFC 959 §8: 20 beside 21).
    BesideControl,
    /// This one. Not 0.
    Fixed(u16),
    /// Any that is free. Strict firewalls of clients refuse it.
    Any,
}

/// What one client, and all of them, may use up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Control connections at once.
    pub connections: usize,
    /// Control connections at once from one address. `None`: [`CONNECTIONS_PER_ADDRESS`], and from this
    /// machine as many as in all.
    pub connections_per_address: Option<usize>,
    /// How long a client that logged in may say nothing while nothing is transferred.
    pub idle: Duration,
    /// How long a client may take to log in.
    pub login: Duration,
    /// How long a data connection may move no octet.
    pub stall: Duration,
    /// How long a data connection may take to be opened.
    pub data_connection: Duration,
    /// Wrong passwords after which a session ends.
    pub login_failures: u32,
    /// How long the answer to a wrong password is held back.
    pub failure_delay: Duration,
    /// How long accounts, a storage or a sink of events of one's own may take for one answer.
    pub answer: Duration,
    /// How long transfers may go on after the server was told to stop.
    pub grace: Duration,
}

impl Limits {
    /// Control connections at once from `address`.
    pub fn connections_from(&self, address: IpAddr) -> usize {
        match self.connections_per_address {
            Some(limit) => limit,
            None if address.to_canonical().is_loopback() => self.connections,
            None => CONNECTIONS_PER_ADDRESS,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS,
            connections_per_address: None,
            idle: IDLE,
            login: LOGIN,
            stall: STALL,
            data_connection: DATA_CONNECTION,
            login_failures: LOGIN_FAILURES,
            failure_delay: FAILURE_DELAY,
            answer: ANSWER,
            grace: GRACE,
        }
    }
}

/// This machine alone, on a port that needs no privilege.
pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2121);

/// The dynamic ports (RFC 6335 §6): no service is registered there.
pub const PASSIVE_PORTS: RangeInclusive<u16> = 49152..=65535;

/// Like vsftpd's `max_clients`, and far from where Linux's 65,530 mappings end: an instance takes about
/// six of them.
pub const CONNECTIONS: usize = 2000;

/// Like vsftpd's `max_per_ip`: an office behind one address has room, a flood from it has not.
pub const CONNECTIONS_PER_ADDRESS: usize = 50;

/// RFC 1123 §4.1.3.2 wants five minutes at least.
const IDLE: Duration = Duration::from_secs(300);

/// A person who has to look the password up.
const LOGIN: Duration = Duration::from_secs(60);

/// TCP's own retransmissions over a bad line pause for up to two minutes.
const STALL: Duration = Duration::from_secs(120);

/// Four SYNs may be lost: TCP sends the next after 1, 3, 7 and 15 seconds.
const DATA_CONNECTION: Duration = Duration::from_secs(30);

/// Two slips of the finger (RFC 2577 §5: three to five).
const LOGIN_FAILURES: u32 = 3;

/// Not felt by people; RFC 2577 §5 wishes for a delay.
const FAILURE_DELAY: Duration = Duration::from_millis(500);

/// A slow service on a bad day; no client waits for much longer.
const ANSWER: Duration = Duration::from_secs(30);

/// Below the ten seconds after which `docker stop` kills.
const GRACE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_may_connect_as_often_as_all_together() {
        let mut limits = Limits::default();
        let loopback = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"].map(|address| address.parse().unwrap());
        for address in loopback {
            assert_eq!(limits.connections_from(address), CONNECTIONS);
        }
        assert_eq!(limits.connections_from("192.0.2.1".parse().unwrap()), CONNECTIONS_PER_ADDRESS);
        limits.connections_per_address = Some(3);
        for address in loopback {
            assert_eq!(limits.connections_from(address), 3);
        }
    }
}
