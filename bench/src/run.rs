//! All rounds of all scenarios.

use anyhow::{Context, Result, ensure};

use crate::plan::Plan;
use crate::root::Root;
use crate::scenarios::{self, Figures, Scenario, Turn};
use crate::servers::{Feature, KINDS, Kind, Server};

/// Everything that was measured.
pub(crate) struct Results {
    /// The servers, in the order of the columns.
    pub(crate) servers: Vec<&'static Kind>,
    pub(crate) rows: Vec<Row>,
}

/// One scenario.
pub(crate) struct Row {
    pub(crate) scenario: &'static Scenario,
    /// In its crowd, if it is about one.
    pub(crate) sessions: Option<usize>,
    pub(crate) limit: Vec<Figures>,
    /// Those of each server; none if it cannot do this, or failed.
    pub(crate) figures: Vec<(&'static Kind, Vec<Figures>)>,
    /// Turns that failed, and so have no figures.
    pub(crate) failed: usize,
}

/// Measure. What fails is told and left out.
pub(crate) fn all(plan: &Plan) -> Result<Results> {
    let root = Root::new(plan)?;
    let chosen: Vec<_> = scenarios::all()
        .filter(|scenario| plan.only.is_empty() || plan.only.iter().any(|text| scenario.name.starts_with(text)))
        .collect();
    ensure!(!chosen.is_empty(), "no scenario has such a name");
    let start = |on_disk: bool| -> Result<Vec<Server>> {
        if !chosen.iter().any(|scenario| scenario.on_disk == on_disk) {
            return Ok(Vec::new());
        }
        let (directory, suffix) = if on_disk { (root.disk(), "-disk") } else { (root.memory(), "") };
        let wanted = KINDS
            .into_iter()
            .filter(|kind| plan.servers.is_empty() || plan.servers.iter().any(|name| name == kind.name));
        wanted.filter_map(|kind| Server::start(kind, plan, directory, suffix).transpose()).collect()
    };
    let (in_memory, on_disk) = (start(false)?, start(true)?);
    let servers: Vec<_> =
        if in_memory.is_empty() { &on_disk } else { &in_memory }.iter().map(|server| server.kind).collect();
    ensure!(!servers.is_empty(), "no server to measure");
    let rows = chosen.into_iter().map(|scenario| {
        let servers = if scenario.on_disk { &on_disk } else { &in_memory };
        row(plan, &root, servers, scenario)
    });
    Ok(Results { servers, rows: rows.collect() })
}

fn row(plan: &Plan, root: &Root, servers: &[Server], scenario: &'static Scenario) -> Row {
    let figures = servers.iter().map(|server| (server.kind, Vec::new())).collect();
    let mut row = Row { scenario, sessions: plan.sessions(scenario), limit: Vec::new(), figures, failed: 0 };
    let rounds = if scenario.fresh { 1 } else { plan.rounds };
    for round in 0..rounds {
        eprintln!("{}, round {} of {rounds}", scenario.name, round + 1);
        if let Some(limit) = scenario.limit {
            match limit.run(root.memory(), plan.sizes, plan.turn) {
                Ok(figures) => row.limit.push(figures),
                Err(error) => {
                    eprintln!("{}: limit: {error:#}", scenario.name);
                    row.failed += 1;
                }
            }
        }
        // Another begins each time, and each comes after another: who frees memory slowly may cost the next.
        for turn in 0..servers.len() {
            let turn = if round % 2 == 0 { turn } else { servers.len() - turn };
            let at = (round + turn) % servers.len();
            let (Some(server), Some((_, figures))) = (servers.get(at), row.figures.get_mut(at)) else { continue };
            if !scenario.needs.iter().all(|&feature: &Feature| server.can(feature)) {
                continue;
            }
            match turn_of(plan, root, server, scenario) {
                Ok(turn) => figures.push(turn),
                Err(error) => {
                    eprintln!("{}: {}: {error:#}", scenario.name, server.kind.name);
                    eprint!("{}", server.said());
                    row.failed += 1;
                }
            }
        }
    }
    row
}

/// One turn of one server, or of one like it that has just started.
fn turn_of(plan: &Plan, root: &Root, server: &Server, scenario: &Scenario) -> Result<Figures> {
    let sessions = plan.sessions(scenario).unwrap_or(1);
    let run = |server| (scenario.run)(&Turn { server, sizes: plan.sizes, sessions, time: plan.turn });
    if !scenario.fresh {
        return run(server);
    }
    run(&Server::start(server.kind, plan, root.memory(), "-fresh")?.context("not installed any more")?)
}
