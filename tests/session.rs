//! Transcripts against the real component in the real host, over TCP.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/client.rs"]
mod client;
#[path = "support/host.rs"]
mod host;
#[path = "support/over_tcp.rs"]
mod over_tcp;
#[path = "support/transcript.rs"]
mod transcript;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use host::Host;
use over_tcp::OverTcp;

/// A session in an instance.
fn start(ip: IpAddr) -> OverTcp {
    let host = Host::start(|config| {
        config.listen = vec![SocketAddr::new(ip, 0)];
        config.limits.connections = 4;
        config.limits.failure_delay = Duration::from_millis(1);
    });
    OverTcp::new(host.address(), host.root().to_owned(), Box::new(host))
}

#[test]
fn transcripts() {
    transcript::run_all(start);
}
