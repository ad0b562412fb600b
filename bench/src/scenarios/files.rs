//! Files down and up: big ones by the octet, small ones by the thousand.

use anyhow::Result;

use super::{Figures, GIGABYTE, MEGABYTE, PLAIN, Scenario, Turn, load};
use crate::client::Client;
use crate::limits::Limit;
use crate::root::{BIG as BIG_FILE, SMALL as SMALL_SIZE, content};
use crate::servers::Feature;

pub(super) const BIG: &[Scenario] = &[
    Scenario { name: "RETR, 1 stream", limit: Some(Limit::Send(1)), run: |turn| down(turn, 1, CLEAR), ..BIG_FILES },
    Scenario { name: "RETR, 4 streams", limit: Some(Limit::Send(4)), run: |turn| down(turn, 4, CLEAR), ..BIG_FILES },
    Scenario { name: "RETR, 8 streams", limit: Some(Limit::Send(8)), run: |turn| down(turn, 8, CLEAR), ..BIG_FILES },
    Scenario {
        name: "RETR, 1 stream, active",
        needs: &[Feature::Active],
        limit: Some(Limit::Send(1)),
        run: |turn| down(turn, 1, ACTIVE),
        ..BIG_FILES
    },
    Scenario {
        name: "RETR, 4 streams, active",
        needs: &[Feature::Active],
        limit: Some(Limit::Send(4)),
        run: |turn| down(turn, 4, ACTIVE),
        ..BIG_FILES
    },
    Scenario { name: "STOR, 1 stream", limit: Some(Limit::Receive(1)), run: |turn| up(turn, 1, CLEAR), ..BIG_FILES },
    Scenario { name: "STOR, 4 streams", limit: Some(Limit::Receive(4)), run: |turn| up(turn, 4, CLEAR), ..BIG_FILES },
    Scenario { name: "STOR, 8 streams", limit: Some(Limit::Receive(8)), run: |turn| up(turn, 8, CLEAR), ..BIG_FILES },
    Scenario { name: "STOR to disk", on_disk: true, run: |turn| up(turn, 1, CLEAR), ..BIG_FILES },
    Scenario { name: "STOR to disk, 4 streams", on_disk: true, run: |turn| up(turn, 4, CLEAR), ..BIG_FILES },
];

pub(super) const SMALL: &[Scenario] = &[
    Scenario { name: "RETR 1 KiB, 1 session", run: |turn| small_down(turn, 1, CLEAR), ..SMALL_FILES },
    Scenario { name: "RETR 1 KiB, 4 sessions", run: |turn| small_down(turn, 4, CLEAR), ..SMALL_FILES },
    Scenario {
        name: "RETR 1 KiB, 1 session, active",
        needs: &[Feature::Active],
        run: |turn| small_down(turn, 1, ACTIVE),
        ..SMALL_FILES
    },
    Scenario { name: "STOR 1 KiB, 1 session", run: |turn| small_up(turn, 1, CLEAR), ..SMALL_FILES },
    Scenario { name: "STOR 1 KiB, 4 sessions", run: |turn| small_up(turn, 4, CLEAR), ..SMALL_FILES },
];

pub(super) const PROTECTED: &[Scenario] = &[
    Scenario { name: "TLS RETR, 1 stream", run: |turn| down(turn, 1, TLS), ..BIG_TLS },
    Scenario { name: "TLS RETR, 4 streams", run: |turn| down(turn, 4, TLS), ..BIG_TLS },
    Scenario { name: "TLS STOR, 1 stream", run: |turn| up(turn, 1, TLS), ..BIG_TLS },
    Scenario { name: "TLS STOR, 4 streams", run: |turn| up(turn, 4, TLS), ..BIG_TLS },
    Scenario { name: "TLS RETR 1 KiB, 1 session", run: |turn| small_down(turn, 1, TLS), ..SMALL_TLS },
    Scenario { name: "TLS RETR 1 KiB, 4 sessions", run: |turn| small_down(turn, 4, TLS), ..SMALL_TLS },
    Scenario { name: "TLS STOR 1 KiB, 1 session", run: |turn| small_up(turn, 1, TLS), ..SMALL_TLS },
];

/// How data connections are.
#[derive(Clone, Copy)]
struct How {
    active: bool,
    protected: bool,
}

const CLEAR: How = How { active: false, protected: false };
const ACTIVE: How = How { active: true, ..CLEAR };
const TLS: How = How { protected: true, ..CLEAR };

const BIG_FILES: Scenario = Scenario { unit: "MB/s", cpu_per: "GB", ..PLAIN };
const BIG_TLS: Scenario = Scenario { needs: &[Feature::Tls], ..BIG_FILES };
const SMALL_FILES: Scenario = Scenario { unit: "files/s", cpu_per: "1,000 files", ..PLAIN };
const SMALL_TLS: Scenario = Scenario { needs: &[Feature::Tls], ..SMALL_FILES };

fn log_in(turn: &Turn, how: How) -> Result<Client> {
    let mut client = turn.log_in(how.protected)?;
    if how.active {
        client.make_active();
    }
    Ok(client)
}

fn down(turn: &Turn, streams: usize, how: How) -> Result<Figures> {
    let command = format!("RETR {BIG_FILE}");
    let done = load::run(turn, streams, |_| log_in(turn, how), |client| client.discard(&command))?;
    Ok(done.rate(MEGABYTE, GIGABYTE))
}

fn up(turn: &Turn, streams: usize, how: How) -> Result<Figures> {
    // Not all of it at once: it has to fit into memory several times.
    let length = turn.sizes.big / 4;
    let ready = |stream| {
        let mut client = log_in(turn, how)?;
        client.command("CWD up", 250)?;
        Ok((client, format!("big-{stream}")))
    };
    let done = load::run(turn, streams, ready, |(client, name)| {
        client.fill(&format!("STOR {name}"), length)?;
        Ok(length)
    })?;
    remove(turn, (0..streams).map(|stream| format!("big-{stream}")))?;
    Ok(done.rate(MEGABYTE, GIGABYTE))
}

fn small_down(turn: &Turn, sessions: usize, how: How) -> Result<Figures> {
    let ready = |session| Ok((log_in(turn, how)?, session));
    let done = load::run(turn, sessions, ready, |(client, next)| {
        *next += 1;
        let octets = client.discard(&format!("RETR small/{}", *next % turn.sizes.small))?;
        anyhow::ensure!(octets == SMALL_SIZE as u64, "{octets} octets of {SMALL_SIZE}");
        Ok(1)
    })?;
    Ok(done.rate(1.0, 1e3))
}

fn small_up(turn: &Turn, sessions: usize, how: How) -> Result<Figures> {
    let content = content(SMALL_SIZE);
    let ready = |session| {
        let mut client = log_in(turn, how)?;
        client.command("CWD up", 250)?;
        Ok((client, session, 0))
    };
    let done = load::run(turn, sessions, ready, |(client, session, next)| {
        // Over and over: the first time they are new, and then they are replaced.
        *next = (*next + 1) % NAMES;
        client.give(&format!("STOR {session}-{next}"), &content)?;
        Ok(1)
    })?;
    remove(turn, (0..sessions).flat_map(|session| (0..NAMES).map(move |next| format!("{session}-{next}"))))?;
    Ok(done.rate(1.0, 1e3))
}

/// Take away what was stored, so that every server begins alike.
fn remove(turn: &Turn, names: impl Iterator<Item = String>) -> Result<()> {
    let mut client = turn.log_in(false)?;
    client.command("CWD up", 250)?;
    for name in names {
        // Not all have come to be.
        let _ = client.command(&format!("DELE {name}"), 250);
    }
    Ok(())
}

/// Names of small files that one session stores.
const NAMES: usize = 200;
