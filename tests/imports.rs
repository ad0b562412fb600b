//! What the components may import is written down: of the session no sockets, no file system, no randomness; of
//! the command nothing but `wasi`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/command.rs"]
mod command;
#[path = "support/process.rs"]
mod process;

use std::fs;

use wasmtime::Engine;
use wasmtime::component::Component;

/// The imports of a component, whose only export is that of a program.
fn imports(component: &[u8]) -> Vec<String> {
    let engine = Engine::default();
    let component = Component::new(&engine, component).unwrap();
    let types = component.component_type();
    let exports: Vec<&str> = types.exports(&engine).map(|(name, _)| name).collect();
    assert!(matches!(exports[..], [name] if name.starts_with("wasi:cli/run@0.2.")), "{exports:?}");
    let mut imports: Vec<String> = types.imports(&engine).map(|(name, _)| name.to_owned()).collect();
    imports.sort_unstable();
    imports
}

#[test]
fn the_session_imports_what_is_listed_and_nothing_else() {
    let listed: Vec<&str> = include_str!("imports.txt").lines().filter(|line| !line.starts_with('#')).collect();
    let imports = imports(wasi_ftpd_host::SESSION_COMPONENT);
    assert_eq!(imports, listed, "if this is meant, change tests/imports.txt");
}

/// Its world is the list.
#[test]
fn the_command_imports_what_its_world_says_and_nothing_else() {
    let (_, world) = include_str!("../wit/world.wit").split_once("world command {").unwrap();
    let listed = world.lines().filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix(';'));
    let mut listed: Vec<&str> = listed.collect();
    listed.sort_unstable();
    let imports = imports(&fs::read(&*command::COMPONENT).unwrap());
    assert_eq!(imports, listed, "if this is meant, change wit/world.wit");
    assert!(imports.iter().all(|name| name.starts_with("wasi:")));
}

#[test]
fn both_stay_small() {
    let session = wasi_ftpd_host::SESSION_COMPONENT.len();
    assert!(session < MAX_SESSION, "{session} octets");
    let command = fs::metadata(&*command::COMPONENT).unwrap().len();
    assert!(command < MAX_COMMAND, "{command} octets");
}

/// Sizes in octets that would mean that something large has crept in (regular expressions …). The command has
/// the tables of charsets, which a session has not.
const MAX_SESSION: usize = 576 * 1024;
const MAX_COMMAND: u64 = 1024 * 1024;
