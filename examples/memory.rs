//! A storage in memory that everybody may read and write: one directory, gone when the program ends.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::Mutex;
use wasi_ftpd_host::accounts::{Account, LogIn};
use wasi_ftpd_host::bytes::Bytes;
use wasi_ftpd_host::storage::{Attributes, Entries, Entry, Error, Permissions, Placement, Reader, Storage, Writer};
use wasi_ftpd_host::{Server, async_trait};

/// Files by path.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<BTreeMap<Vec<u8>, File>>>);

#[derive(Clone)]
struct File {
    content: Bytes,
    attributes: Attributes,
}

#[async_trait]
impl Storage for Memory {
    async fn stat(&self, path: &[u8]) -> Result<Attributes, Error> {
        if path == b"/" {
            return Ok(Attributes::directory(UNIX_EPOCH.into()));
        }
        self.0.lock().await.get(path).map(|file| file.attributes).ok_or(Error::NotFound)
    }

    async fn list(&self, path: &[u8]) -> Result<Box<dyn Entries>, Error> {
        let files = self.0.lock().await;
        if path != b"/" {
            return Err(if files.contains_key(path) { Error::NotDirectory } else { Error::NotFound });
        }
        let entry = |(path, file): (&Vec<u8>, &File)| Entry {
            name: path.iter().skip(1).copied().collect(),
            attributes: file.attributes,
        };
        Ok(Box::new(files.iter().map(entry).collect::<Vec<_>>()))
    }

    async fn read(&self, path: &[u8]) -> Result<Box<dyn Reader>, Error> {
        let file = self.0.lock().await.get(path).cloned().ok_or(Error::NotFound)?;
        Ok(Box::new(file.content))
    }

    async fn write(&self, path: &[u8], placement: Placement) -> Result<Box<dyn Writer>, Error> {
        if path.iter().filter(|&&octet| octet == b'/').count() > 1 {
            return Err(Error::NotFound);
        }
        let there = self.0.lock().await.get(path).map(|file| file.content.clone());
        let content = match (placement, there) {
            (Placement::Create, Some(_)) => return Err(Error::Exists),
            (Placement::Resume(_), None) => return Err(Error::NotFound),
            (Placement::Resume(offset), Some(there)) => {
                let kept = usize::try_from(offset).ok().and_then(|offset| there.get(..offset));
                kept.ok_or(Error::BadOffset)?.to_vec()
            }
            (Placement::Append, Some(there)) => there.to_vec(),
            (Placement::Append, None) | (Placement::Replace | Placement::Create, _) => Vec::new(),
        };
        let create = placement == Placement::Create;
        Ok(Box::new(Upload { files: self.clone(), path: path.to_vec(), create, content }))
    }

    async fn remove_file(&self, path: &[u8]) -> Result<(), Error> {
        self.0.lock().await.remove(path).map(drop).ok_or(Error::NotFound)
    }

    async fn rename(&self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        let mut files = self.0.lock().await;
        let file = files.remove(from).ok_or(Error::NotFound)?;
        files.insert(to.to_vec(), file);
        Ok(())
    }
}

/// What is being written, and seen by nobody yet.
struct Upload {
    files: Memory,
    path: Vec<u8>,
    create: bool,
    content: Vec<u8>,
}

#[async_trait]
impl Writer for Upload {
    async fn write(&mut self, octets: &[u8]) -> Result<(), Error> {
        self.content.extend_from_slice(octets);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<(), Error> {
        let mut files = self.files.0.lock().await;
        if self.create && files.contains_key(&self.path) {
            return Err(Error::Exists);
        }
        let attributes = Attributes::file(self.content.len() as u64, SystemTime::now().into());
        files.insert(self.path, File { content: self.content.into(), attributes });
        Ok(())
    }
}

/// Serve until told to stop.
pub async fn serve(listener: TcpListener, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let files = Memory::default();
    let everybody = move |_: LogIn| std::future::ready(Ok(Account::new("anybody", files.clone(), Permissions::ALL)));
    Server::builder(everybody).listener(listener).bind()?.serve(stop).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 2121))?;
    println!("try curl -T FILE ftp://{}/", listener.local_addr()?);
    serve(listener, async { drop(tokio::signal::ctrl_c().await) }).await
}
