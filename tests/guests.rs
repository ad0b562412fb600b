//! Guests that mean harm, or are merely broken, in the real host: each loses its own session only.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/client.rs"]
mod client;
#[path = "support/guest.rs"]
mod guest;
#[path = "support/host.rs"]
mod host;

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use client::{Client, Control, stranger};
use guest::{guest, hasty};
use host::{Host, Setup};
use wasi_ftpd_host::config::{Identities, Tls, TlsPolicy};

/// Such a guest loses its session, and says so to its client.
#[track_caller]
fn loses_its_session(body: &str) {
    loses_all_sessions(guest(body));
}

#[track_caller]
fn loses_all_sessions(component: Vec<u8>) {
    let good = Host::start(|_| {});
    let bad = Host::start_component(Some(component), |_| {});
    let mut bystander = Client::login(good.address());
    let mut victims: Vec<Client> = (0..4).map(|_| Client::silent(bad.address())).collect();
    // Both servers run on the same threads.
    for _ in 0..10 {
        bystander.expect("NOOP", 200);
    }
    for victim in &mut victims {
        assert_eq!(victim.reply().0, 421);
        assert!(victim.try_reply().is_none(), "closed");
    }
    bad.until_sessions(0);
    bystander.expect("PWD", 257);
    assert_eq!(good.sessions(), 1);
}

#[test]
fn a_guest_that_traps() {
    loses_its_session("unreachable");
}

#[test]
fn a_guest_that_does_not_wait_for_its_client() {
    for body in ["unreachable", "(loop (br 0)) unreachable", "(call $login) unreachable", "(call $passive) unreachable"]
    {
        loses_all_sessions(hasty(body));
    }
}

#[test]
fn a_guest_that_reports_an_error() {
    loses_its_session("i32.const 1");
}

#[test]
fn a_guest_that_loops() {
    loses_its_session("(loop (br 0)) unreachable");
}

#[test]
fn a_guest_that_recurses() {
    loses_its_session("(call $deep)");
}

#[test]
fn a_guest_that_takes_memory_without_end() {
    loses_its_session("(loop (br_if 0 (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)))) unreachable");
}

#[test]
fn a_guest_that_takes_handles_without_end() {
    loses_its_session("(loop (drop (call $get)) (br 0)) unreachable");
}

#[test]
fn a_guest_that_guesses_passwords_without_end() {
    let guesser = guest("(loop (call $login) (br 0)) unreachable");
    let host = Host::start_component(Some(guesser), |setup| setup.closed = true);
    assert_eq!(Client::silent(host.address()).reply().0, 421);
    host.until_sessions(0);
}

#[test]
fn a_guest_that_does_not_end_when_told() {
    let idle = |config: &mut Setup| config.limits.idle = Duration::from_millis(100);
    for body in ["(call $end) (loop (br 0)) unreachable", "(loop (call $end) (br 0)) unreachable"] {
        let host = Host::start_component(Some(guest(body)), idle);
        assert_eq!(Client::silent(host.address()).reply().0, 421);
        host.until_sessions(0);
    }
}

#[test]
fn a_guest_that_takes_ports_without_end() {
    let take = |login: &str| {
        let body = format!(
            "{login} (loop (call $passive) (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if 0 (i32.lt_u (local.get $i) (i32.const 30)))) (call $end) (i32.const 0)"
        );
        let ports = free_ports();
        let range = ports.clone();
        let host = Host::start_component(Some(guest(&body)), |config| config.passive_ports = range);
        let _client = Client::silent(host.address());
        host.until_sessions(1);
        thread::sleep(Duration::from_millis(200));
        ports.filter(|&port| stranger(SocketAddr::new(host.address().ip(), port)).is_ok()).count()
    };
    // Before a log-in none at all, and then as many as a session can use.
    assert_eq!((take(""), take("(call $login)")), (0, 3));
}

/// Some ports that were free just now.
fn free_ports() -> std::ops::RangeInclusive<u16> {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if first < 65_000 && (first..first + 10).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return first..=first + 9;
        }
    }
}

#[test]
fn a_guest_that_lets_users_in_without_tls() {
    // The second case of `result`, and of `denial`.
    let denied = "(call $login) \
        (i32.ne (i32.const 0x101) \
            (i32.or (i32.load8_u (i32.const 64)) (i32.shl (i32.load8_u (i32.const 68)) (i32.const 8))))";
    for policy in [TlsPolicy::Required, TlsPolicy::RequiredForData] {
        let host = Host::start_component(Some(guest(denied)), |config| {
            let mut tls = Tls::new(Identities::SelfSigned(None));
            tls.policy = policy;
            config.tls = Some(tls);
        });
        // Without an error of the guest's, there is no last word.
        assert!(Client::silent(host.address()).try_reply().is_none());
    }
    let host =
        Host::start_component(Some(guest(denied)), |config| config.tls = Some(Tls::new(Identities::SelfSigned(None))));
    assert_eq!(Client::silent(host.address()).reply().0, 421);
}
