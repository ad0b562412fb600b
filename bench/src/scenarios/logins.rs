//! From the first packet to the end of a log-in.

use anyhow::Result;

use super::{Figures, PLAIN, Scenario, Turn, load};
use crate::client::Client;
use crate::servers::Feature;
use crate::tls::Sessions;

pub(super) const ALL: &[Scenario] = &[
    Scenario { name: "log-ins, 1 at a time", run: |turn| log_ins(turn, 1), ..LOG_INS },
    Scenario { name: "log-ins, 16 at a time", run: |turn| log_ins(turn, 16), ..LOG_INS },
    Scenario { name: "greeting, p50", run: |turn| greeting(turn, 50), ..GREETINGS },
    Scenario { name: "greeting, p99", run: |turn| greeting(turn, 99), ..GREETINGS },
];

pub(super) const PROTECTED: &[Scenario] = &[
    Scenario { name: "TLS log-ins, 1 at a time", run: |turn| protected(turn, 1), ..TLS_LOG_INS },
    Scenario { name: "TLS log-ins, 16 at a time", run: |turn| protected(turn, 16), ..TLS_LOG_INS },
];

const LOG_INS: Scenario = Scenario { unit: "log-ins/s", cpu_per: "1,000 log-ins", ..PLAIN };
const TLS_LOG_INS: Scenario = Scenario { needs: &[Feature::Tls], ..LOG_INS };
const GREETINGS: Scenario = Scenario { unit: "µs", lower_is_better: true, cpu_per: "1,000 sessions", ..PLAIN };

fn log_ins(turn: &Turn, workers: usize) -> Result<Figures> {
    let done = load::run(
        turn,
        workers,
        |_| Ok(()),
        |()| {
            let mut client = Client::connect(turn.server.address)?;
            client.user(turn.server.kind.user)?;
            client.command("QUIT", 221)?;
            Ok(1)
        },
    )?;
    Ok(done.rate(1.0, 1e3))
}

fn greeting(turn: &Turn, percentile: usize) -> Result<Figures> {
    let done = load::run(turn, 1, |_| Ok(()), |()| Client::connect(turn.server.address).map(|_| 1))?;
    Ok(done.percentile(percentile))
}

/// A client that comes again and again, and resumes its sessions where the server lets it.
fn protected(turn: &Turn, workers: usize) -> Result<Figures> {
    let done = load::run(
        turn,
        workers,
        |_| Sessions::new(),
        |sessions| {
            let mut client = Client::connect(turn.server.address)?;
            client.protect(sessions.clone())?;
            client.user(turn.server.kind.user)?;
            client.command("QUIT", 221)?;
            Ok(1)
        },
    )?;
    Ok(done.rate(1.0, 1e3))
}
