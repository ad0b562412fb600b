//! What is measured: each scenario is a load on one server, and what is made of it.

mod commands;
mod crowds;
mod files;
mod idle;
mod lists;
mod load;
mod logins;
mod mixed;

use std::time::Duration;

use anyhow::Result;

use crate::client::Client;
use crate::limits::Limit;
use crate::plan::Sizes;
use crate::servers::{Feature, Server};

/// A load, and what is made of it.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) lower_is_better: bool,
    /// What processor time is told for.
    pub(crate) cpu_per: &'static str,
    pub(crate) needs: &'static [Feature],
    /// It is about a disk.
    pub(crate) on_disk: bool,
    /// One round of a server that has just started: it is no matter of time, but of what earlier sessions left.
    pub(crate) fresh: bool,
    /// Which of the crowds it is about.
    pub(crate) crowd: Option<usize>,
    /// What the machine can do at best.
    pub(crate) limit: Option<Limit>,
    pub(crate) run: fn(&Turn) -> Result<Figures>,
}

/// One turn of one server.
pub(crate) struct Turn<'a> {
    pub(crate) server: &'a Server,
    pub(crate) sizes: Sizes,
    /// Of a crowd.
    pub(crate) sessions: usize,
    pub(crate) time: Duration,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) value: f64,
    /// The server's processor time in seconds, per what the scenario says.
    pub(crate) cpu: Option<f64>,
}

impl Turn<'_> {
    fn log_in(&self, protected: bool) -> Result<Client> {
        Client::log_in(self.server.address, self.server.kind.user, protected)
    }
}

/// All of them, in the order in which they are shown.
pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    [files::BIG, files::SMALL, commands::ALL, logins::ALL, lists::ALL, mixed::ALL, files::PROTECTED, logins::PROTECTED]
        .into_iter()
        .chain([crowds::ALL, idle::ALL])
        .flatten()
}

/// What most scenarios are like.
const PLAIN: Scenario = Scenario {
    name: "",
    unit: "",
    lower_is_better: false,
    cpu_per: "",
    needs: &[],
    on_disk: false,
    fresh: false,
    crowd: None,
    limit: None,
    run: |_| anyhow::bail!("nothing to run"),
};

const GIGABYTE: f64 = 1e9;
const MEGABYTE: f64 = 1e6;
