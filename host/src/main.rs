//! `wasi-ftpd`: serve a directory over FTP, each client in a sandbox of its own.

mod cli;
mod introduction;
mod machine;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use cli::{Cli, Command, ServeArgs};
use introduction::Introduction;
use tokio::signal::unix::{SignalKind, signal};
use wasi_ftpd_host::Server;

fn main() -> ExitCode {
    let Command::Serve(arguments) = Cli::parse().command;
    env_logger::Builder::new().parse_filters(&arguments.log).format_target(false).init();
    match serve(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wasi-ftpd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: ServeArgs) -> Result<()> {
    let (config, passwords) = arguments.config()?;
    machine::prepare(config.limits.connections);
    let introduction = Introduction::new(&config, passwords);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(async {
        let server = Server::bind(config)?;
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        // Whoever started us may have closed the pipe; that is no reason to end.
        let _ = std::io::stdout().write_all(introduction.text(&server.local_addresses()?).as_bytes());
        server
            .serve(async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            })
            .await;
        Ok(())
    })
}
