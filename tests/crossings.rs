//! How often a command makes the session call its host: each call leaves the sandbox, which is most of what the sandbox
//! costs. Each may take some more than the fewest: how often it waits depends on who is faster.

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

use std::fs;
use std::sync::Mutex;

use client::{Client, Control, read_all, send_all, until};
use host::Host;
use log::{LevelFilter, Log, Metadata, Record};

/// Takes from the log how often sessions called.
struct Calls(Mutex<Vec<u64>>);

static CALLS: Calls = Calls(Mutex::new(Vec::new()));

impl Log for Calls {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = record.args().to_string();
        if let Some((_, calls)) = line.split_once("called its host ") {
            let calls = calls.split(' ').next().unwrap().parse().unwrap();
            self.0.lock().unwrap().push(calls);
        }
    }

    fn flush(&self) {}
}

/// Calls of a session that logs in, does `command` so often, and leaves.
fn session(host: &Host, command: &dyn Fn(&mut Client), times: u64) -> u64 {
    let mut client = Client::login(host.address());
    for _ in 0..times {
        command(&mut client);
    }
    client.expect("QUIT", 221);
    until(|| !CALLS.0.lock().unwrap().is_empty(), "a session that says how often it called");
    CALLS.0.lock().unwrap().pop().unwrap()
}

#[test]
fn calls_for_each_command() {
    log::set_logger(&CALLS).unwrap();
    log::set_max_level(LevelFilter::Debug);
    let host = Host::start(|_| {});
    fs::write(host.root().join("small"), [7; 1024]).unwrap();
    let noop = |client: &mut Client| drop(client.expect("NOOP", 200));
    let size = |client: &mut Client| drop(client.expect("SIZE small", 213));
    let retrieve = |client: &mut Client| {
        let data = client::data(client.passive());
        client.expect("RETR small", 150);
        read_all(data);
        assert_eq!(client.reply().0, 226);
    };
    let store = |client: &mut Client| {
        let data = client::data(client.passive());
        client.expect("STOR new", 150);
        send_all(data, &[7; 1024]);
        assert_eq!(client.reply().0, 226);
    };
    let idle = session(&host, &noop, 0);
    println!("log-in: {idle}");
    assert!(idle <= 35, "a log-in: {idle}");
    let takes = |name: &str, command: &dyn Fn(&mut Client), most: u64| {
        let each = (session(&host, command, TIMES) - idle + TIMES / 2) / TIMES;
        println!("{name}: {each}");
        assert!(each <= most, "{name}: {each}");
    };
    takes("NOOP", &noop, 6);
    takes("SIZE", &size, 7);
    takes("EPSV and RETR", &retrieve, 28);
    takes("EPSV and STOR", &store, 36);
}

/// Enough that what happens now and then, since two things came at once, does not count.
const TIMES: u64 = 50;
