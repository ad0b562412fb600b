//! Large directories.

use anyhow::{Result, ensure};

use super::{Figures, PLAIN, Scenario, Turn, load};
use crate::servers::Feature;

pub(super) const ALL: &[Scenario] = &[
    Scenario { name: "LIST of 10,000", run: |turn| list(turn, "LIST", 0), ..LISTS },
    Scenario { name: "MLSD of 10,000", needs: &[Feature::Mlsd], run: |turn| list(turn, "MLSD", 0), ..LISTS },
    Scenario { name: "NLST of 10,000", run: |turn| list(turn, "NLST", 0), ..LISTS },
    Scenario { name: "LIST of 100,000", run: |turn| list(turn, "LIST", 1), ..LISTS },
    Scenario { name: "MLSD of 100,000", needs: &[Feature::Mlsd], run: |turn| list(turn, "MLSD", 1), ..LISTS },
];

const LISTS: Scenario = Scenario { unit: "entries/s", cpu_per: "1,000 entries", ..PLAIN };

fn list(turn: &Turn, verb: &str, which: usize) -> Result<Figures> {
    let entries = turn.sizes.entries.get(which).copied().unwrap_or_default();
    let ready = |_| {
        let mut client = turn.log_in(false)?;
        client.command(&format!("CWD listed-{entries}"), 250)?;
        // Each server's own form of it, in full.
        let lines = client.receive(verb)?.split(|&octet| octet == b'\n').count() - 1;
        ensure!(lines >= entries, "{lines} lines of {entries} entries");
        Ok(client)
    };
    let done = load::run(turn, 1, ready, |client| {
        client.discard(verb)?;
        Ok(entries as u64)
    })?;
    Ok(done.rate(1.0, 1e3))
}
