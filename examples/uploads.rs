//! Uploads to a channel: the program goes on with each file as soon as it is there.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use tokio::sync::mpsc::{Sender, channel};
use wasi_ftpd_host::accounts::{Listed, Password, User, Users};
use wasi_ftpd_host::events::{Direction, Event, Events, Outcome, Transfer, What};
use wasi_ftpd_host::storage::{Permissions, Volume};
use wasi_ftpd_host::{Server, async_trait};

/// A file that somebody has stored: who, and what.
pub type Upload = (Vec<u8>, Vec<u8>);

struct Uploads(Sender<Upload>);

#[async_trait]
impl Events for Uploads {
    async fn record(&self, event: Event) {
        let (
            Some(user),
            What::Transfer(Transfer { direction: Direction::Store, path, outcome: Outcome::Complete, .. }),
        ) = (event.user, event.what)
        else {
            return;
        };
        // A full channel holds the sessions up, and that is what we want: no upload goes unseen.
        let _ = self.0.send((user, path)).await;
    }
}

/// Serve a directory to `camera` until told to stop; tell of uploads.
pub async fn serve(
    directory: &Path,
    uploads: Sender<Upload>,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let files = Volume::open_root(directory, Permissions::ALL)?;
    let users = Password::new(b"secret").map(|password| User {
        name: b"camera".to_vec(),
        password,
        permissions: Permissions::LIST | Permissions::WRITE,
    });
    let accounts = Listed::new(Users::new(users.into_iter().collect(), false), None, files)?;
    Server::builder(accounts).events(Uploads(uploads)).listener(listener).bind()?.serve(stop).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (sender, mut uploads) = channel::<Upload>(100);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 2121))?;
    println!("try curl -T FILE --user camera:secret ftp://{}/", listener.local_addr()?);
    tokio::spawn(async move {
        while let Some((user, path)) = uploads.recv().await {
            println!("{} has stored {}", user.escape_ascii(), path.escape_ascii());
        }
    });
    let directory = std::env::args_os().nth(1).unwrap_or_else(|| ".".into());
    serve(directory.as_ref(), sender, listener, async { drop(tokio::signal::ctrl_c().await) }).await
}
