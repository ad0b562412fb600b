//! Eight sessions at what people do, and every octet is checked.

use anyhow::{Result, ensure};

use super::{PLAIN, Scenario, Turn, load};
use crate::client::Client;
use crate::root::{SMALL, content};

pub(super) const ALL: &[Scenario] = &[
    Scenario {
        name: "mixed, 8 sessions",
        unit: "operations/s",
        cpu_per: "1,000 operations",
        run: |turn| Ok(mixed(turn)?.rate(1.0, 1e3)),
        ..PLAIN
    },
    Scenario {
        name: "mixed, 8 sessions, p99 of 6",
        unit: "µs",
        lower_is_better: true,
        cpu_per: "1,000 times 6",
        run: |turn| Ok(mixed(turn)?.percentile(99)),
        ..PLAIN
    },
];

fn mixed(turn: &Turn) -> Result<load::Done> {
    let ready = |session: usize| {
        let mut client = turn.log_in(false)?;
        client.command("CWD up", 250)?;
        // Of many lengths, each of its own.
        Ok(Worker { client, session, number: session * 7919, files: turn.sizes.small })
    };
    load::run(turn, SESSIONS, ready, Worker::step)
}

struct Worker {
    client: Client,
    session: usize,
    number: usize,
    files: usize,
}

impl Worker {
    /// Six operations.
    fn step(&mut self) -> Result<u64> {
        self.number += 1;
        let name = format!("mixed-{}", self.session);
        let given = content(1 + self.number * 4001 % LARGEST);
        self.client.give(&format!("STOR {name}"), &given)?;
        self.client.command(&format!("SIZE {name}"), 213)?;
        let got = self.client.receive(&format!("RETR {name}"))?;
        ensure!(crc32fast::hash(&got) == crc32fast::hash(&given), "other octets than were stored");
        let small = self.client.receive(&format!("RETR ../small/{}", self.number % self.files))?;
        ensure!(small.len() == SMALL, "{} octets of a small file", small.len());
        self.client.receive("NLST")?;
        self.client.command(&format!("DELE {name}"), 250)?;
        Ok(6)
    }
}

const SESSIONS: usize = 8;

/// Octets of a file that is stored.
const LARGEST: usize = 256 * 1024;
