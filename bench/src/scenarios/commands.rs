//! The round trip of a command, client and server on one processor: without the wake-up of an idle one.

use anyhow::Result;

use super::{Figures, PLAIN, Scenario, Turn, load};
use crate::root::BIG;

pub(super) const ALL: &[Scenario] = &[
    Scenario { name: "NOOP, 1 CPU, p50", run: |turn| round_trip(turn, "NOOP", 200, 50), ..COMMANDS },
    Scenario { name: "NOOP, 1 CPU, p99", run: |turn| round_trip(turn, "NOOP", 200, 99), ..COMMANDS },
    Scenario { name: "PWD, 1 CPU, p50", run: |turn| round_trip(turn, "PWD", 257, 50), ..COMMANDS },
    Scenario { name: "SIZE, 1 CPU, p50", run: |turn| round_trip(turn, &format!("SIZE {BIG}"), 213, 50), ..COMMANDS },
];

const COMMANDS: Scenario = Scenario { unit: "µs", lower_is_better: true, cpu_per: "1,000 commands", ..PLAIN };

fn round_trip(turn: &Turn, command: &str, code: u16, percentile: usize) -> Result<Figures> {
    let ready = |_| turn.log_in(false);
    let done = load::run_pinned(turn, ready, |client| client.command(command, code).map(|()| 1))?;
    Ok(done.percentile(percentile))
}
