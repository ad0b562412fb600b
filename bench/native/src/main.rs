//! The server of `bench/` in which sessions run beside the host and in no sandbox: the same code of theirs, the same
//! functions of the host, and nothing between the two. What it is slower or faster by is the price of the sandbox. It is
//! not for use.

#![allow(clippy::expect_used, reason = "the host refuses nothing to a session that is not hostile")]

#[path = "../../../src/bin/session/convert.rs"]
mod convert;
mod env;
mod unboxed;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;

use anyhow::{Context, Result};
use clap::Parser;
use send_wrapper::SendWrapper;
use wasi_ftpd_host::Server;
use wasi_ftpd_host::accounts::{Listed, Password, User, Users};
use wasi_ftpd_host::config::{Config, Identities, IdentityFiles, Tls};
use wasi_ftpd_host::native::bindings::ftpd::server::control::Host as _;
use wasi_ftpd_host::native::{SessionCtx, bindings};
use wasi_ftpd_host::storage::{Permissions, Volume};

use unboxed::Unboxed;

/// The server without its sandbox, to be measured
#[derive(Parser)]
struct Arguments {
    /// The directory to serve
    root: PathBuf,
    #[arg(long)]
    listen: SocketAddr,
    /// Who may write, and the password
    #[arg(long)]
    user: String,
    #[arg(long)]
    password: String,
    #[arg(long)]
    certificate: PathBuf,
    #[arg(long)]
    key: PathBuf,
    #[arg(long)]
    first_passive_port: u16,
    #[arg(long)]
    last_passive_port: u16,
    #[arg(long)]
    max_connections: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let files = Volume::open_root(&arguments.root, Permissions::ALL)?;
    let password = Password::new(arguments.password.as_bytes()).context("no password")?;
    let user = User { name: arguments.user.into_bytes(), password, permissions: Permissions::ALL };
    let identity = IdentityFiles { certificate: arguments.certificate, key: arguments.key, ocsp: None };
    let mut config = Config {
        listen: vec![arguments.listen],
        passive_ports: arguments.first_passive_port..=arguments.last_passive_port,
        tls: Some(Tls::new(Identities::Files(vec![identity]))),
        ..Config::default()
    };
    config.limits.connections = arguments.max_connections;
    let accounts = Listed::new(Users::new(vec![user], false), None, files)?;
    let server = Server::builder(accounts).config(config).interpreter(interpreter).bind()?;
    server.serve(async { drop(tokio::signal::ctrl_c().await) }).await?;
    Ok(())
}

/// Serve the client of this context.
fn interpreter(mut ctx: SessionCtx) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> {
    Box::pin(async move {
        let connection = ctx.get_connection().await?;
        // From now on it stays on this thread: each of a server has a runtime of its own.
        let session = SendWrapper::new(async move {
            let unboxed = Unboxed::new(ctx);
            let session = async { wasi_ftpd::session::serve(&env::Host::new(&unboxed, connection)).await };
            unboxed.run(session).await;
        });
        session.await;
        Ok(())
    })
}
