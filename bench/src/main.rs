//! Measures the server beside its peers and the limits of the machine, interleaved in one run.
//!
//! It is a load client that costs little itself, a runner that starts every server with settings that are fair
//! to it, and a report. It judges nothing: the figures are ratios within one run, on one machine.

mod client;
mod cpu;
mod drain;
mod limits;
mod memory;
mod plan;
mod report;
mod root;
mod run;
mod scenarios;
mod servers;
mod tls;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Parser;

use plan::Plan;

/// Measure the server beside its peers
#[derive(Parser)]
struct Arguments {
    /// The server's program
    #[arg(long, value_name = "FILE", default_value = "target/release/wasi-ftpd")]
    program: PathBuf,

    /// The same without its sandbox
    #[arg(long, value_name = "FILE", default_value = "target/release/native")]
    native: PathBuf,

    /// Wasmtime's own program, for command.wasm
    #[arg(long, value_name = "FILE", default_value = "target/wasmtime/wasmtime_cli/wasmtime")]
    wasmtime: PathBuf,

    /// command.wasm
    #[arg(long, value_name = "FILE", default_value = "target/wasm32-wasip2/component/command.wasm")]
    component: PathBuf,

    /// Where `bench/peers` has put the peers
    #[arg(long, value_name = "DIR", default_value = "target/peers")]
    peers: PathBuf,

    /// Only these servers, by name; those that are not installed are left out
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    servers: Vec<String>,

    /// Only scenarios whose name begins with this; repeatable
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,

    /// Rounds, in each of which every server has its turn
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,

    /// How long one turn lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 1.5)]
    seconds: f64,

    /// A moment for each scenario and little of everything: whether it works
    #[arg(long)]
    smoke: bool,

    /// The directory that is served; new, and removed afterwards
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    memory: PathBuf,

    /// A directory on a disk, for uploads to one; new, and removed afterwards
    #[arg(long, value_name = "DIR", default_value = "target")]
    disk: PathBuf,

    /// Write the results here as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Draw the results here
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Draw here what becomes of crowds as they grow
    #[arg(long, value_name = "FILE")]
    curve: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let plan = Plan::new(&arguments)?;
    let results = run::all(&plan)?;
    print!("{}", report::table(&results));
    if let Some(path) = &arguments.json {
        std::fs::write(path, report::json(&results)?)?;
    }
    if let Some(path) = &arguments.svg {
        std::fs::write(path, report::svg(&results))?;
    }
    if let Some(path) = &arguments.curve {
        std::fs::write(path, report::curve(&results))?;
    }
    let failed: usize = results.rows.iter().map(|row| row.failed).sum();
    ensure!(failed == 0, "{failed} turns failed");
    Ok(())
}
