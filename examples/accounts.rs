//! Accounts from a closure: each user has a directory of the same name, and a password that a service knows.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;
use wasi_ftpd_host::Server;
use wasi_ftpd_host::accounts::{Account, Denial, LogIn, Proof};
use wasi_ftpd_host::storage::{Permissions, Volume};

/// Stands for a question to a data base or a directory service.
async fn is_good(name: &str, password: &[u8]) -> bool {
    matches!((name, password), ("anna", b"one") | ("bert", b"two"))
}

async fn authenticate(homes: PathBuf, log_in: LogIn) -> Result<Account, Denial> {
    // A name is octets of a stranger's until it has been found good: no path is made of it before.
    let name = String::from_utf8(log_in.name).map_err(|_| Denial::Denied)?;
    match log_in.proof {
        Proof::Password(password) if is_good(&name, &password).await => {}
        Proof::Password(_) | Proof::Certificate => return Err(Denial::Denied),
    }
    let home = homes.join(&name);
    // What may wait for a disk waits elsewhere.
    let opened = spawn_blocking(move || Volume::open_root(&home, Permissions::ALL)).await;
    let home = opened.map_err(|_| Denial::Unavailable)?.map_err(|_| Denial::Unavailable)?;
    let message = Some(format!("Hello {name},\nyour directory is yours alone."));
    Ok(Account { message, ..Account::new(name, home, Permissions::ALL) })
}

/// Serve the directories in `homes` until told to stop.
pub async fn serve(homes: &Path, listener: TcpListener, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let homes = homes.to_owned();
    let accounts = move |log_in: LogIn| authenticate(homes.clone(), log_in);
    Server::builder(accounts).listener(listener).bind()?.serve(stop).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let homes = std::env::args_os().nth(1).unwrap_or_else(|| ".".into());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 2121))?;
    println!("try curl --user anna:one ftp://{}/", listener.local_addr()?);
    serve(homes.as_ref(), listener, async { drop(tokio::signal::ctrl_c().await) }).await
}
