//! World `session`: one FTP session over the host's interfaces.

mod bindings;
mod convert;
mod host;
mod logger;

use std::mem::ManuallyDrop;

use wasi_ftpd::wasi::wait::block_on;

fn main() -> anyhow::Result<()> {
    logger::init()?;
    // Nothing is given back piece by piece: the host takes all when the instance ends.
    let host = ManuallyDrop::new(host::Host::new());
    block_on(wasi_ftpd::session::serve(&*host));
    Ok(())
}
