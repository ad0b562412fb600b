//! Components of this workspace that are not part of the host.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Build the component of a package, beside the one that the host's build script has built, whose dependencies are
/// compiled already.
pub fn component(package: &str) -> Vec<u8> {
    let session = Path::new(env!("SESSION_WASM"));
    let components = session.parent().unwrap();
    let target = components.ancestors().nth(2).unwrap();
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--profile", "component", "--target", "wasm32-wasip2", "--package", package])
        // From where the build script does, or features would differ.
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .status()
        .unwrap();
    assert!(status.success(), "cannot build {package}");
    fs::read(components.join(package.replace('-', "_")).with_extension("wasm")).unwrap()
}
