//! A storage as one user has it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::{Entries, OwnFile, Placement, Storage};
use crate::storage::directory::{BATCH_ENTRIES, BATCH_OCTETS};
use crate::storage::path::is_normalised;
use crate::storage::{Access, Attributes, Entry, Error, Permissions, Time, UMASK};

/// A storage as one user has it: asked for what is permitted alone, in good form, and for so long.
#[derive(Clone)]
pub(crate) struct Mount {
    storage: Arc<dyn Storage>,
    permissions: Permissions,
    umask: u32,
    patience: Duration,
}

impl Mount {
    /// `patience`: how long a call may take.
    pub(crate) fn new(storage: Arc<dyn Storage>, permissions: Permissions, patience: Duration) -> Self {
        Self { storage, permissions, umask: UMASK, patience }
    }

    pub(crate) fn with_permissions(&self, permissions: Permissions) -> Self {
        Self { permissions, ..self.clone() }
    }

    pub(crate) fn permissions(&self) -> Permissions {
        self.permissions
    }

    pub(crate) fn umask(&self) -> u32 {
        self.umask
    }

    pub(crate) fn set_umask(&mut self, mask: u32) {
        self.umask = mask & 0o777;
    }

    /// In the order of [`Volume`](crate::storage::Volume): the permissions first, then the path.
    fn may(&self, needed: Permissions, path: &[u8]) -> Result<(), Error> {
        self.permissions.allow(needed)?;
        if is_normalised(path) { Ok(()) } else { Err(Error::BadName) }
    }

    /// The same for what cannot be done to the root: then `of_root`.
    fn may_below(&self, needed: Permissions, path: &[u8], of_root: Error) -> Result<(), Error> {
        self.may(needed, path)?;
        if path == b"/" { Err(of_root) } else { Ok(()) }
    }

    pub(crate) async fn stat(&self, path: &[u8]) -> Result<Attributes, Error> {
        self.may(Permissions::LIST, path)?;
        Ok(numbered(within(self.patience, self.storage.stat(path)).await?, path))
    }

    pub(crate) async fn list(&self, path: &[u8]) -> Result<Listing, Error> {
        self.may(Permissions::LIST, path)?;
        let entries = within(self.patience, self.storage.list(path)).await?;
        let path = if path == b"/" { path.to_vec() } else { [path, b"/"].concat() };
        Ok(Listing { entries, path, batch: Vec::new().into_iter(), patience: self.patience })
    }

    pub(crate) async fn open(&self, path: &[u8], access: Access) -> Result<OwnFile, Error> {
        let placement = match access {
            Access::Read => {
                self.may_below(Permissions::READ, path, Error::NotFile)?;
                let reader = within(self.patience, self.storage.read(path)).await?;
                return Ok(OwnFile::reader(reader, self.patience));
            }
            Access::Replace | Access::Resume(0) => Placement::Replace,
            Access::Resume(offset) => Placement::Resume(offset),
            Access::Append => Placement::Append,
            Access::Create => Placement::Create,
        };
        self.may_below(Permissions::WRITE, path, Error::NotFile)?;
        let start = match placement {
            Placement::Replace | Placement::Create => 0,
            Placement::Resume(offset) => offset,
            Placement::Append => match within(self.patience, self.storage.stat(path)).await {
                Ok(there) => there.size,
                Err(Error::NotFound) => 0,
                Err(error) => return Err(error),
            },
        };
        let writer = within(self.patience, self.storage.write(path, placement)).await?;
        Ok(OwnFile::writer(writer, start, self.patience))
    }

    pub(crate) async fn remove_file(&self, path: &[u8]) -> Result<(), Error> {
        self.may_below(Permissions::DELETE, path, Error::NotFile)?;
        within(self.patience, self.storage.remove_file(path)).await
    }

    pub(crate) async fn make_directory(&self, path: &[u8]) -> Result<(), Error> {
        self.may_below(Permissions::MAKE_DIRECTORY, path, Error::Exists)?;
        within(self.patience, self.storage.make_directory(path)).await
    }

    pub(crate) async fn remove_directory(&self, path: &[u8]) -> Result<(), Error> {
        self.may_below(Permissions::REMOVE_DIRECTORY, path, Error::Denied)?;
        within(self.patience, self.storage.remove_directory(path)).await
    }

    pub(crate) async fn rename(&self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        self.may_below(Permissions::RENAME, from, Error::Denied)?;
        self.may_below(Permissions::RENAME, to, Error::Denied)?;
        within(self.patience, self.storage.rename(from, to)).await
    }

    pub(crate) async fn make_link(&self, path: &[u8], target: &[u8]) -> Result<(), Error> {
        self.may_below(Permissions::WRITE, path, Error::Exists)?;
        self.may(Permissions::WRITE, target)?;
        within(self.patience, self.storage.make_link(path, target)).await
    }

    pub(crate) async fn set_times(
        &self,
        path: &[u8],
        modified: Option<Time>,
        created: Option<Time>,
    ) -> Result<(), Error> {
        self.may_below(Permissions::SET_ATTRIBUTES, path, Error::Denied)?;
        if created.is_some() {
            self.permissions.allow(Permissions::SET_CREATED)?;
        }
        within(self.patience, self.storage.set_times(path, modified, created)).await
    }

    pub(crate) async fn set_mode(&self, path: &[u8], mode: u32) -> Result<(), Error> {
        self.may_below(Permissions::SET_ATTRIBUTES, path, Error::Denied)?;
        within(self.patience, self.storage.set_mode(path, mode & 0o777)).await
    }

    pub(crate) async fn space(&self) -> Result<u64, Error> {
        self.permissions.allow(Permissions::WRITE)?;
        within(self.patience, self.storage.space()).await
    }
}

/// A directory being read, given out in pieces that a guest has room for.
pub(crate) struct Listing {
    entries: Box<dyn Entries>,
    /// Its path, ended by `/`.
    path: Vec<u8>,
    batch: std::vec::IntoIter<Entry>,
    patience: Duration,
}

impl Listing {
    /// The next entries; none at the end. What has no possible name is left out.
    pub(crate) async fn next(&mut self) -> Result<Vec<Entry>, Error> {
        let (mut piece, mut octets) = (Vec::new(), 0);
        while piece.len() < BATCH_ENTRIES && octets < BATCH_OCTETS {
            match self.batch.next() {
                Some(Entry { name, attributes }) => {
                    let path = [&self.path[..], &name].concat();
                    if name.contains(&b'/') || !is_normalised(&path) {
                        log::debug!("left out of a listing: {}: no name", name.escape_ascii());
                        continue;
                    }
                    octets += name.len();
                    piece.push(Entry { name, attributes: numbered(attributes, &path) });
                }
                None if piece.is_empty() => {
                    self.batch = within(self.patience, self.entries.next()).await?.into_iter();
                    if self.batch.len() == 0 {
                        break;
                    }
                }
                None => break,
            }
        }
        Ok(piece)
    }
}

/// A storage whose files have no numbers gets some, by which a session knows that it has been in a directory.
fn numbered(attributes: Attributes, path: &[u8]) -> Attributes {
    if attributes.unique != (0, 0) {
        return attributes;
    }
    let digest: [u8; 32] = Sha256::digest(path).into();
    let number = |octets: &[u8]| octets.iter().fold(0, |number, &octet| number << 8 | u64::from(octet));
    let (first, rest) = digest.split_at(8);
    Attributes { unique: (number(first), number(rest.get(..8).unwrap_or_default())), ..attributes }
}

/// Wait for an answer, but not for ever: `Busy`.
pub(super) async fn within<T>(patience: Duration, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(patience, answer).await.unwrap_or_else(|_| {
        log::warn!("the storage has not answered in {} seconds", patience.as_secs_f32());
        Err(Error::Busy)
    })
}
