//! How a server bears many sessions: a load that goes round among them, so that whatever grows with their number is
//! seen.

use anyhow::Result;

use super::{Figures, PLAIN, Scenario, Turn, load};
use crate::servers::Feature;

pub(super) const ALL: &[Scenario] = &[
    Scenario { name: "crowd of 1", crowd: Some(0), ..RATE },
    Scenario { name: "crowd of 10", crowd: Some(1), ..RATE },
    Scenario { name: "crowd of 100", crowd: Some(2), ..RATE },
    Scenario { name: "crowd of 1,000", needs: MANY, crowd: Some(3), ..RATE },
    Scenario { name: "crowd of 5,000", needs: MANY, crowd: Some(4), ..RATE },
    Scenario { name: "crowd of 1, p99", crowd: Some(0), ..LATENCY },
    Scenario { name: "crowd of 10, p99", crowd: Some(1), ..LATENCY },
    Scenario { name: "crowd of 100, p99", crowd: Some(2), ..LATENCY },
    Scenario { name: "crowd of 1,000, p99", needs: MANY, crowd: Some(3), ..LATENCY },
    Scenario { name: "crowd of 5,000, p99", needs: MANY, crowd: Some(4), ..LATENCY },
];

const MANY: &[Feature] = &[Feature::Thousands];
const RATE: Scenario = Scenario { unit: "commands/s", cpu_per: "1,000 commands", run: rate, ..PLAIN };
const LATENCY: Scenario =
    Scenario { unit: "µs", lower_is_better: true, cpu_per: "1,000 commands", run: latency, ..PLAIN };

fn rate(turn: &Turn) -> Result<Figures> {
    Ok(noop(turn)?.rate(1.0, 1e3))
}

fn latency(turn: &Turn) -> Result<Figures> {
    Ok(noop(turn)?.percentile(99))
}

fn noop(turn: &Turn) -> Result<load::Done> {
    let sessions = turn.sessions;
    let clients = CLIENTS.min(sessions);
    let ready = |client: usize| {
        let share = (client..sessions).step_by(clients);
        Ok((share.map(|_| turn.log_in(false)).collect::<Result<Vec<_>>>()?, 0))
    };
    load::run(turn, clients, ready, |(share, next)| {
        *next = (*next + 1) % share.len();
        if let Some(client) = share.get_mut(*next) {
            client.command("NOOP", 200)?;
        }
        Ok(1)
    })
}

/// At once.
const CLIENTS: usize = 4;
