//! World `command`: the whole server in one component, over the runtime's sockets and one directory.

mod accounts;
mod activity;
mod admission;
mod clock;
mod connection;
mod data;
mod env;
mod introduction;
mod limits;
mod net;
mod options;
mod port;
mod report;
mod server;
mod session;
mod start;
mod storage;
mod tasks;

use std::io::Write;
use std::process::ExitCode;

use options::{HELP, Options, Typed};
use server::Shared;

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "command.wasm: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(typed: Typed) -> Result<(), String> {
    let options = match typed {
        Typed::Serve(options) => *options,
        Typed::Help => {
            introduction::say(HELP);
            return Ok(());
        }
        Typed::Version => {
            introduction::say(concat!("command.wasm ", env!("CARGO_PKG_VERSION"), "\n"));
            return Ok(());
        }
    };
    report::init(options.log);
    let (root, others) = start::directories()?;
    let (accounts, passwords) = start::accounts(&options, &others)?;
    let listeners = start::listeners(&options)?;
    let addresses: Vec<_> = listeners.iter().map(|listener| listener.address()).collect();
    introduction::say(&introduction::text(&accounts, &passwords, &addresses));
    let shared = Shared::new(options, accounts, root);
    for listener in listeners {
        shared.tasks.spawn(server::serve(shared.clone(), listener));
    }
    shared.tasks.run();
    Ok(())
}
