//! Compiled components in files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use log::{debug, warn};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Compile `wasm`, unless the directory has it compiled. Blocks, for seconds maybe.
pub(super) fn compile(engine: &Engine, wasm: &[u8], directory: Option<&Path>) -> Result<Component> {
    let Some(directory) = directory else { return Ok(Component::new(engine, wasm)?) };
    if let Err(error) = prepare(directory) {
        warn!("nothing is cached: {error:#}");
        return Ok(Component::new(engine, wasm)?);
    }
    let mut settings = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut settings);
    let digest: String = Sha256::digest(wasm).iter().map(|octet| format!("{octet:02x}")).collect();
    let path = directory.join(format!("{digest}-{:016x}.cwasm", settings.finish()));
    match read(engine, &path) {
        Ok(component) => return Ok(component),
        Err(error) => debug!("compiling: {error:#}"),
    }
    let compiled = engine.precompile_component(wasm)?;
    if let Err(error) = write(&path, &compiled) {
        warn!("nothing is cached: {error:#}");
    }
    // SAFETY: the octets were made in the line above.
    Ok(unsafe { Component::deserialize(engine, compiled) }?)
}

fn prepare(directory: &Path) -> Result<()> {
    let what = || directory.display().to_string();
    DirBuilder::new().recursive(true).mode(0o700).create(directory).with_context(what)?;
    ours(&fs::metadata(directory).with_context(what)?).with_context(what)
}

/// Nobody else can have written it.
fn ours(what: &fs::Metadata) -> Result<()> {
    ensure!(what.uid() == rustix::process::geteuid().as_raw() && what.mode() & 0o022 == 0, "others can write to it");
    Ok(())
}

fn read(engine: &Engine, path: &Path) -> Result<Component> {
    let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path)?;
    ours(&file.metadata()?)?;
    let mut compiled = Vec::new();
    file.read_to_end(&mut compiled)?;
    // SAFETY: the octets come from a file that belongs to us, in a directory that belongs to us, and nobody else can
    // write to either: they are what `Engine::precompile_component` has made. Another version's are found and refused.
    Ok(unsafe { Component::deserialize(engine, compiled) }?)
}

/// Whole or not at all.
fn write(path: &Path, compiled: &[u8]) -> Result<()> {
    let unfinished = path.with_extension(format!("{}.new", std::process::id()));
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let written = file.write_all(compiled).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    Ok(written?)
}
