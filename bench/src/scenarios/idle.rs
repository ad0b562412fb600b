//! What sessions cost that do nothing.

use anyhow::Result;

use super::{Figures, PLAIN, Scenario, Turn};
use crate::memory;
use crate::servers::Feature;

pub(super) const ALL: &[Scenario] = &[
    Scenario { name: "idle session, of 1,000", run: |turn| idle(turn, 0, false), ..IDLE },
    Scenario { name: "idle session, of 5,000", needs: &[Feature::Thousands], run: |turn| idle(turn, 1, false), ..IDLE },
    Scenario { name: "idle TLS session, of 1,000", needs: &[Feature::Tls], run: |turn| idle(turn, 0, true), ..IDLE },
    Scenario {
        name: "idle TLS session, of 5,000",
        needs: &[Feature::Tls, Feature::Thousands],
        run: |turn| idle(turn, 1, true),
        ..IDLE
    },
];

const IDLE: Scenario = Scenario { unit: "KiB", lower_is_better: true, fresh: true, ..PLAIN };

fn idle(turn: &Turn, which: usize, protected: bool) -> Result<Figures> {
    let sessions = turn.sizes.idle.get(which).copied().unwrap_or_default();
    // What it needs for any.
    drop(turn.log_in(protected)?);
    let before = memory::of(&turn.server.group)?;
    let idle: Vec<_> = (0..sessions).map(|_| turn.log_in(protected)).collect::<Result<_>>()?;
    let after = memory::of(&turn.server.group)?;
    drop(idle);
    Ok(Figures { value: (after - before) / sessions as f64, cpu: None })
}
