//! What is to be measured.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::Arguments;
use crate::scenarios::Scenario;

/// What is to be measured.
pub(crate) struct Plan {
    pub(crate) program: PathBuf,
    pub(crate) native: PathBuf,
    pub(crate) wasmtime: PathBuf,
    pub(crate) component: PathBuf,
    pub(crate) peers: PathBuf,
    pub(crate) servers: Vec<String>,
    pub(crate) only: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) turn: Duration,
    pub(crate) memory: PathBuf,
    pub(crate) disk: PathBuf,
    pub(crate) sizes: Sizes,
}

/// How much there is of everything.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    /// Octets of a big file.
    pub(crate) big: u64,
    /// Small files in the directory from which they are taken.
    pub(crate) small: usize,
    /// Entries of the directories that are listed.
    pub(crate) entries: [usize; 2],
    /// Idle sessions.
    pub(crate) idle: [usize; 2],
    /// Sessions of one server, among which its load goes round.
    pub(crate) crowds: [usize; 5],
}

impl Plan {
    pub(crate) fn new(arguments: &Arguments) -> Result<Self> {
        let (rounds, turn, sizes) = match arguments.smoke {
            true => (1, Duration::from_millis(50), SMOKE),
            false => (arguments.rounds.max(1), Duration::try_from_secs_f64(arguments.seconds)?, FULL),
        };
        Ok(Self {
            program: arguments.program.clone(),
            native: arguments.native.clone(),
            wasmtime: arguments.wasmtime.clone(),
            component: arguments.component.clone(),
            peers: arguments.peers.clone(),
            servers: arguments.servers.clone(),
            only: arguments.only.clone(),
            rounds,
            turn,
            memory: arguments.memory.clone(),
            disk: arguments.disk.clone(),
            sizes,
        })
    }

    /// Sessions of the crowd that a scenario is about.
    pub(crate) fn sessions(&self, scenario: &Scenario) -> Option<usize> {
        self.sizes.crowds.get(scenario.crowd?).copied()
    }
}

const FULL: Sizes = Sizes {
    big: 1 << 30,
    small: 1000,
    entries: [10_000, 100_000],
    idle: [1000, 5000],
    crowds: [1, 10, 100, 1000, 5000],
};

const SMOKE: Sizes = Sizes { big: 1 << 20, small: 10, entries: [100, 200], idle: [10, 20], crowds: [1, 2, 3, 4, 5] };
