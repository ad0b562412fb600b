//! `wasi-ftpd`: serve a directory over FTP, each client in a sandbox of its own.

mod check;
mod cli;
mod firewall;
mod introduction;
mod logging;
mod machine;
mod parts;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use cli::{Cli, Command, FirewallArgs, ServeArgs};
use introduction::Introduction;
use parts::Part;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(arguments) => {
            let log = logging::start(&arguments.log);
            let served = serve(arguments);
            log.finish();
            served.map(|()| ExitCode::SUCCESS)
        }
        Command::Check(arguments) => check(arguments.serve),
        Command::Firewall(arguments) => firewall(arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("wasi-ftpd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Fails if anything is wrong.
fn check(arguments: ServeArgs) -> Result<ExitCode> {
    let found = check::findings(&arguments.setup()?);
    let mut text: String = found.iter().map(|finding| format!("{finding}\n")).collect();
    if found.is_empty() {
        text.push_str("Nothing is wrong\n");
    }
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn firewall(arguments: FirewallArgs) -> Result<ExitCode> {
    let config = arguments.serve.setup()?.config;
    std::io::stdout().write_all(firewall::rules(&config, &arguments.tools).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn serve(arguments: ServeArgs) -> Result<()> {
    let setup = arguments.setup()?;
    machine::prepare(setup.config.limits.connections);
    let tls = setup.config.tls.is_some();
    let introduction = Introduction::new(&setup);
    let (builder, parts) = parts::assemble(setup)?;
    // If there is nothing to read again, a terminal that is closed ends the server.
    let can_reload = tls || !parts.is_empty();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let served = runtime.block_on(async {
        let server = builder.bind()?;
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        // Whoever started us may have closed the pipe; that is no reason to end.
        let text = introduction.text(&server.local_addresses()?, &server.implicit_addresses()?, server.fingerprint());
        let _ = std::io::stdout().write_all(text.as_bytes());
        let mut hangup = can_reload.then(|| signal(SignalKind::hangup())).transpose()?;
        let reload = server.reload();
        for part in parts.clone() {
            tokio::spawn(part.watch());
        }
        let mut reloading = async || match &mut hangup {
            Some(hangup) => {
                while hangup.recv().await.is_some() {
                    reload();
                    parts.iter().for_each(Part::reload);
                }
            }
            None => std::future::pending().await,
        };
        let mut told = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::select! {
            served = server.serve(async { drop(stopped.await) }) => served.context("cannot start threads")?,
            () = reloading() => {}
            // Told twice, it does not wait for anybody.
            () = async { told().await; drop(stop); told().await } => {}
        }
        Ok(())
    });
    runtime.shutdown_background();
    served
}
