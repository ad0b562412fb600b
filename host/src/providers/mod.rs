//! Accounts, storage and a listener to events as components: world `accounts-provider`, `storage-provider` and
//! `events-listener` of `wit/`.
//!
//! Each runs in stores of its own, apart from every session, and meets the host in plain records: an account names a
//! root, and the host makes a volume of it. A component may have one directory of this machine, clocks and
//! randomness; no network, and nothing of the host's. Each call has a time limit and a memory limit. When the file
//! changes, or on [`reload`](AccountsProvider::reload), what begins from then on gets the new component.

mod accounts;
mod bindings;
mod cache;
mod component;
mod events;
mod log;
mod storage;

use std::path::PathBuf;
use std::time::Duration;

pub use accounts::AccountsProvider;
pub use events::EventsListener;
pub use storage::StorageProvider;

/// Where a component is, and what it may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The file of the component.
    pub component: PathBuf,
    /// A directory that it has as `/`. Accounts may only read it.
    pub directory: Option<PathBuf>,
    /// A directory for what was compiled, so that it is compiled once: some take ten seconds. It is made if there is
    /// none, and used only if nobody else can write to it, since what is in it runs as part of this program.
    pub cache: Option<PathBuf>,
    /// How long one call may take.
    pub time: Duration,
    /// Octets of memory that an instance may have.
    pub memory: usize,
}

impl Settings {
    /// With every default: no directory, no cache, 5 seconds, 256 MiB.
    pub fn new(component: PathBuf) -> Self {
        Self { component, directory: None, cache: None, time: TIME, memory: MEMORY }
    }
}

/// A call computes for a few milliseconds in any language; a hash of a password is meant to take a tenth of a second.
const TIME: Duration = Duration::from_secs(5);

/// Python takes about 40 MiB before it does anything.
const MEMORY: usize = 256 * 1024 * 1024;
