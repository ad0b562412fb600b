//! The `log` crate's records to `wasi:logging`.

use log::{LevelFilter, Log, Metadata, Record};

use crate::bindings::wasi::logging::logging::{Level, log};

/// Send every record to the host, which filters.
pub(crate) fn init() -> anyhow::Result<()> {
    log::set_logger(&HostLogger)?;
    log::set_max_level(LevelFilter::Debug);
    Ok(())
}

struct HostLogger;

impl Log for HostLogger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            log::Level::Error => Level::Error,
            log::Level::Warn => Level::Warn,
            log::Level::Info => Level::Info,
            log::Level::Debug => Level::Debug,
            log::Level::Trace => Level::Trace,
        };
        log(level, record.target(), &record.args().to_string());
    }

    fn flush(&self) {}
}
