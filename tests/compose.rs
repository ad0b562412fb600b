//! A layer between the session and the host's `events`, composed into one component: the only interface where that
//! is safe, since it carries plain records and gives no rights.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/client.rs"]
mod client;
#[path = "support/component.rs"]
mod component;
#[path = "support/host.rs"]
mod host;

use std::sync::Mutex;

use client::{Client, read_all, send_all};
use component::component;
use host::Host;
use log::{LevelFilter, Log, Metadata, Record};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, plug};
use wasi_ftpd_host::SESSION_COMPONENT;
use wasmtime::Engine;
use wasmtime::component::Component;

/// What `wac plug --plug LAYER session.wasm` makes.
fn behind(layer: &[u8]) -> Vec<u8> {
    let mut graph = CompositionGraph::new();
    let mut register = |name: &str, component: &[u8]| {
        let package = Package::from_bytes(name, None, component.to_vec(), graph.types_mut()).unwrap();
        graph.register_package(package).unwrap()
    };
    let (layer, session) = (register("layer", layer), register("session", SESSION_COMPONENT));
    plug(&mut graph, vec![layer], session).unwrap();
    graph.encode(EncodeOptions::default()).unwrap()
}

/// The lines of every server of this process.
struct Lines(Mutex<String>);

static LINES: Lines = Lines(Mutex::new(String::new()));

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        *self.0.lock().unwrap() += &format!("{}\n", record.args());
    }

    fn flush(&self) {}
}

impl Lines {
    /// Whether something was said of this.
    fn tell_of(&self, what: &str) -> bool {
        self.0.lock().unwrap().contains(what)
    }
}

/// A session that stores, fetches, renames and is refused, with files of that name.
fn work(host: &Host, name: &str) {
    let mut client = Client::login(host.address());
    let connection = client.open_passive();
    client.expect(format!("STOR {name}-stored"), 150);
    send_all(connection, b"content");
    assert_eq!(client.reply().0, 226);
    client.expect(format!("RNFR {name}-stored"), 350);
    client.expect(format!("RNTO {name}-renamed"), 250);
    std::fs::write(host.root().join(format!("{name}-fetched")), "content").unwrap();
    let connection = client.open_passive();
    client.expect(format!("RETR {name}-fetched"), 150);
    assert_eq!(read_all(connection), b"content");
    assert_eq!(client.reply().0, 226);
    client.expect("QUIT", 221);
}

#[test]
fn a_layer_in_front_of_events() {
    let quiet = behind(&component("quiet-events"));
    log::set_logger(&LINES).unwrap();
    log::set_max_level(LevelFilter::Info);
    let (plain, quiet) = (Host::start(|_| {}), Host::start_component(Some(quiet), |_| {}));
    for (host, name) in [(&plain, "plain"), (&quiet, "quiet")] {
        work(host, name);
        host.until_sessions(0);
        assert!(LINES.tell_of(&format!("{name}-stored")) && LINES.tell_of(&format!("{name}-renamed")), "{name}");
    }
    assert!(LINES.tell_of("plain-fetched") && !LINES.tell_of("quiet-fetched"));
}

#[test]
fn it_needs_no_more_of_the_host() {
    let engine = Engine::default();
    let imports = |component: &[u8]| {
        let component = Component::new(&engine, component).unwrap();
        let mut names: Vec<String> =
            component.component_type().imports(&engine).map(|(name, _)| name.to_owned()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(imports(&behind(&component("quiet-events"))), imports(SESSION_COMPONENT));
}
