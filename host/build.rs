//! Builds the component and compiles it to machine code, so that a server starts without a compiler on
//! the way to its first greeting.

#![allow(clippy::expect_used, clippy::panic, reason = "a build script fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

#[path = "src/tunables.rs"]
mod tunables;

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    // Not `env!`: a target directory may be shared, and with it this program, by several copies of the source.
    let host = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let root = host.parent().expect("the workspace is the parent");
    for input in ["Cargo.toml", "Cargo.lock", "src", "wit"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    println!("cargo::rerun-if-changed=src/tunables.rs");

    let component = build_component(root, &out);
    let wasm = fs::read(&component).expect("the component was just built");
    let mut config = tunables::config();
    // Naming the target keeps the features of this machine's processor out of the machine code.
    config.target(&env::var("TARGET").expect("cargo sets TARGET")).expect("a target of wasmtime's");
    let engine = wasmtime::Engine::new(&config).expect("the settings fit together");
    let compiled = engine.precompile_component(&wasm).unwrap_or_else(|error| panic!("{component:?}: {error:?}"));
    fs::write(out.join("session.cwasm"), compiled).expect("OUT_DIR can be written");
    println!("cargo::rustc-env=SESSION_WASM={}", component.display());
}

/// A cargo of its own, with a target directory of its own: the outer one holds the lock of the other.
fn build_component(root: &Path, out: &Path) -> PathBuf {
    let target = out.join("component");
    let status = Command::new(env::var_os("CARGO").expect("cargo sets CARGO"))
        .args(["build", "--profile", PROFILE, "--package", "wasi-ftpd", "--bin", "session", "--target", TARGET])
        .arg("--manifest-path")
        .arg(root.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()
        .expect("cargo runs");
    assert!(status.success(), "cannot build the component; is the target there? `rustup toolchain install`");
    target.join(TARGET).join(PROFILE).join("session.wasm")
}

const TARGET: &str = "wasm32-wasip2";
const PROFILE: &str = "component";
