//! World `session`: one FTP session over the host's interfaces.

mod bindings;
mod convert;
mod host;
mod logger;

use wasi_ftpd::wasi::wait::block_on;

fn main() -> anyhow::Result<()> {
    logger::init()?;
    let host = host::Host::new();
    block_on(wasi_ftpd::session::serve(&host));
    Ok(())
}
