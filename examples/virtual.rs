//! A program that embeds the server with a storage of its own: files that are made when they are read. Try
//! `curl ftp://127.0.0.1:2121/time`.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wasi_ftpd_host::accounts::{Account, LogIn};
use wasi_ftpd_host::bytes::Bytes;
use wasi_ftpd_host::storage::{Attributes, Entries, Entry, Error, Permissions, Reader, Storage};
use wasi_ftpd_host::{Server, async_trait};

#[derive(Clone)]
struct Virtual {
    started: Instant,
}

impl Virtual {
    fn content(&self, path: &[u8]) -> Option<Bytes> {
        match path {
            b"/time" => Some(format!("{:?}\n", SystemTime::now()).into()),
            b"/uptime" => Some(format!("{:?}\n", self.started.elapsed()).into()),
            _ => None,
        }
    }
}

#[async_trait]
impl Storage for Virtual {
    async fn stat(&self, path: &[u8]) -> Result<Attributes, Error> {
        match self.content(path) {
            Some(content) => Ok(Attributes::file(content.len() as u64, SystemTime::now().into())),
            None if path == b"/" => Ok(Attributes::directory(UNIX_EPOCH.into())),
            None => Err(Error::NotFound),
        }
    }

    async fn list(&self, _: &[u8]) -> Result<Box<dyn Entries>, Error> {
        let entry = |name: &str| Entry { name: name.into(), attributes: Attributes::file(0, SystemTime::now().into()) };
        Ok(Box::new(vec![entry("time"), entry("uptime")]))
    }

    async fn read(&self, path: &[u8]) -> Result<Box<dyn Reader>, Error> {
        Ok(Box::new(self.content(path).ok_or(Error::NotFound)?))
    }
}

/// Serve until told to stop.
pub async fn serve(listener: TcpListener, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let files = Virtual { started: Instant::now() };
    let everybody =
        move |_: LogIn| std::future::ready(Ok(Account::new("anybody", files.clone(), Permissions::READ_ONLY)));
    Server::builder(everybody).listener(listener).bind()?.serve(stop).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    serve(TcpListener::bind((Ipv4Addr::LOCALHOST, 2121))?, async { drop(tokio::signal::ctrl_c().await) }).await
}
