//! What the session component may import is a checked-in list: no sockets, no file system, no randomness.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use wasmtime::Engine;
use wasmtime::component::Component;

#[test]
fn the_session_imports_what_is_listed_and_nothing_else() {
    let engine = Engine::default();
    let component = Component::new(&engine, wasi_ftpd_host::SESSION_COMPONENT).unwrap();
    let types = component.component_type();
    let mut imports: Vec<&str> = types.imports(&engine).map(|(name, _)| name).collect();
    imports.sort_unstable();
    let listed: Vec<&str> = include_str!("imports.txt").lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(imports, listed, "if this is meant, change tests/imports.txt");

    let exports: Vec<&str> = types.exports(&engine).map(|(name, _)| name).collect();
    assert!(matches!(exports[..], [name] if name.starts_with("wasi:cli/run@0.2.")), "{exports:?}");
}

#[test]
fn the_session_stays_small() {
    let octets = wasi_ftpd_host::SESSION_COMPONENT.len();
    assert!(octets < MAX_OCTETS, "{octets} octets");
}

/// A size that would mean that something large has crept in (regular expressions, tables of charsets …).
const MAX_OCTETS: usize = 576 * 1024;
