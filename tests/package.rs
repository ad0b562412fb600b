//! The package `wit/` stands alone, and the session is what it says.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use wasi_ftpd_host::SESSION_COMPONENT;
use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding, decode, dummy_module, embed_component_metadata};
use wit_parser::{Docs, ManglingAndAbi, PackageId, Resolve};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")
}

/// The package, and what it is made of.
fn package() -> (Resolve, PackageId) {
    let mut resolve = Resolve::new();
    let (package, _) = resolve.push_dir(directory()).unwrap();
    (resolve, package)
}

#[test]
fn it_can_be_published() {
    let (resolve, package) = package();
    let encoded = wit_component::encode(&resolve, package).unwrap();
    let DecodedWasm::WitPackage(resolve, package) = decode(&encoded).unwrap() else { panic!("no package") };
    let package = &resolve.packages[package];
    assert_eq!(package.name.to_string(), format!("ftpd:server@{}", env!("CARGO_PKG_VERSION")));
    assert!(package.worlds.contains_key("session"));
}

#[test]
fn what_it_needs_is_locked() {
    let manifest = fs::read_to_string(directory().join("wkg.toml")).unwrap();
    let (resolve, _) = package();
    let mut needed = 0;
    for name in resolve.packages.iter().map(|(_, package)| &package.name).filter(|name| name.namespace != "ftpd") {
        assert!(name.version.is_some(), "{name}");
        let line = format!("\"{}:{}\" = {{ path = \"deps/{}.wit\" }}", name.namespace, name.name, name.name);
        assert!(manifest.lines().any(|found| found == line), "wit/wkg.toml lacks: {line}");
        needed += 1;
    }
    assert_eq!(fs::read_dir(directory().join("deps")).unwrap().count(), needed, "something is not needed");
}

#[test]
fn everything_is_documented() {
    let (resolve, package) = package();
    let told = |docs: &Docs, name: &str| assert!(docs.contents.is_some(), "{name} lacks documentation");
    for (name, &world) in &resolve.packages[package].worlds {
        told(&resolve.worlds[world].docs, name);
    }
    for (name, &interface) in &resolve.packages[package].interfaces {
        let interface = &resolve.interfaces[interface];
        told(&interface.docs, name);
        for (function, it) in &interface.functions {
            told(&it.docs, &format!("{name}.{function}"));
        }
        for (kind, &id) in &interface.types {
            // What is only used here is documented where it is made.
            let kind_of = &resolve.types[id].kind;
            if !matches!(kind_of, wit_parser::TypeDefKind::Type(_)) {
                told(&resolve.types[id].docs, &format!("{name}.{kind}"));
            }
        }
    }
}

#[test]
fn the_session_is_of_its_world() {
    let DecodedWasm::Component(mut found, world) = decode(SESSION_COMPONENT).unwrap() else { panic!("no component") };
    // What it exports, and the empty parts of wasi:cli that Rust asks for, imports.rs looks at.
    let of_cli = |key: &wit_parser::WorldKey| found.name_world_key(key).starts_with("wasi:cli/");
    let imports = found.worlds[world].imports.clone();
    let imports = imports.into_iter().filter(|(key, _)| !of_cli(key)).collect();
    found.worlds[world].imports = imports;
    found.worlds[world].exports.clear();
    // A component that imports the same, and does nothing.
    let mut module = dummy_module(&found, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &found, world, StringEncoding::UTF8).unwrap();
    let component = ComponentEncoder::default().module(&module).unwrap().encode().unwrap();
    let (resolve, package) = package();
    wit_component::targets(&resolve, resolve.packages[package].worlds["imports"], &component).unwrap();
}
