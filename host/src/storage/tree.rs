//! Whose files they are: a local directory's, or those of a storage of another make.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use wasmtime_wasi_io::poll::Pollable;

use super::custom::{Listing, Mount, OwnFile, OwnWork};
use super::directory::Batch;
use super::{Access, Attributes, Directory, Entry, Error, File, Permissions, Storage, Time, Volume, Work, pace};

/// Where the files of an account are.
#[derive(Clone)]
pub enum Root {
    /// In a directory of this machine, with all that the kernel can do for them.
    Local(Volume),
    /// Somewhere else.
    Other(Arc<dyn Storage>),
    /// The same, a new one for each log-in.
    EachSession(Arc<dyn Fn() -> Arc<dyn Storage> + Send + Sync>),
}

impl Root {
    /// What a session is given of it. `patience`: how long a storage may take to answer.
    pub(crate) fn mount(&self, permissions: Permissions, patience: Duration) -> Tree {
        match self {
            Self::Local(volume) => Tree::Local(volume.with_permissions(permissions)),
            Self::Other(storage) => Tree::Other(Mount::new(storage.clone(), permissions, patience)),
            Self::EachSession(make) => Tree::Other(Mount::new(make(), permissions, patience)),
        }
    }
}

impl From<Volume> for Root {
    fn from(volume: Volume) -> Self {
        Self::Local(volume)
    }
}

impl<S: Storage> From<S> for Root {
    fn from(storage: S) -> Self {
        Self::Other(Arc::new(storage))
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(volume) => volume.fmt(f),
            Self::Other(_) => f.write_str("Other(…)"),
            Self::EachSession(_) => f.write_str("EachSession(…)"),
        }
    }
}

/// One user's files, as the guest has them.
#[derive(Clone)]
pub enum Tree {
    Local(Volume),
    Other(Mount),
}

/// An open file of either.
#[derive(Clone)]
pub(crate) enum OpenFile {
    Local(File),
    Other(Arc<OwnFile>),
}

/// A directory of either, being read.
pub(super) enum OpenDirectory {
    Local(LocalDirectory),
    Other(Listing),
}

/// A directory that is read ahead: while the guest has a batch of its entries, other threads look at those of the next.
pub(super) struct LocalDirectory {
    directory: Arc<Directory>,
    /// The next first.
    ahead: VecDeque<JoinHandle<Result<Batch, Error>>>,
    /// All of its names have been read.
    ended: bool,
}

/// A checksum or a copy of either.
pub enum AnyWork {
    Local(Work),
    Other(OwnWork),
}

impl Tree {
    pub(super) fn with_permissions(&self, permissions: Permissions) -> Self {
        match self {
            Self::Local(volume) => Self::Local(volume.with_permissions(permissions)),
            Self::Other(mount) => Self::Other(mount.with_permissions(permissions)),
        }
    }

    pub(super) fn permissions(&self) -> Permissions {
        match self {
            Self::Local(volume) => volume.permissions(),
            Self::Other(mount) => mount.permissions(),
        }
    }

    pub(super) fn umask(&self) -> u32 {
        match self {
            Self::Local(volume) => volume.umask(),
            Self::Other(mount) => mount.umask(),
        }
    }

    pub(super) fn set_umask(&mut self, mask: u32) {
        match self {
            Self::Local(volume) => volume.set_umask(mask),
            Self::Other(mount) => mount.set_umask(mask),
        }
    }

    /// What can be told without waiting; `None`: ask [`stat`](Self::stat).
    pub(super) fn stat_cached(&self, path: &[u8]) -> Result<Option<Attributes>, Error> {
        match self {
            Self::Local(volume) => volume.stat_cached(path),
            Self::Other(_) => Ok(None),
        }
    }

    pub(super) async fn stat(self, path: Vec<u8>) -> Result<Attributes, Error> {
        match self {
            Self::Local(volume) => blocking(move || volume.stat(&path)).await,
            Self::Other(mount) => mount.stat(&path).await,
        }
    }

    pub(super) async fn list(self, path: Vec<u8>) -> Result<OpenDirectory, Error> {
        match self {
            Self::Local(volume) => {
                let directory = Arc::new(blocking(move || volume.list(&path)).await?);
                Ok(OpenDirectory::Local(LocalDirectory { directory, ahead: VecDeque::new(), ended: false }))
            }
            Self::Other(mount) => mount.list(&path).await.map(OpenDirectory::Other),
        }
    }

    /// What can be opened without waiting; `None`: ask [`open`](Self::open).
    pub(super) fn open_cached(&self, path: &[u8], access: Access) -> Result<Option<OpenFile>, Error> {
        match self {
            Self::Local(volume) if access == Access::Read => Ok(volume.open_cached(path)?.map(OpenFile::Local)),
            Self::Local(_) | Self::Other(_) => Ok(None),
        }
    }

    pub(super) async fn open(self, path: Vec<u8>, access: Access) -> Result<OpenFile, Error> {
        match self {
            Self::Local(volume) => blocking(move || volume.open(&path, access)).await.map(OpenFile::Local),
            Self::Other(mount) => mount.open(&path, access).await.map(|file| OpenFile::Other(Arc::new(file))),
        }
    }

    /// Another storage keeps nothing that is not finished.
    pub(super) async fn unfinished(self, path: Vec<u8>) -> Result<u64, Error> {
        match self {
            Self::Local(volume) => blocking(move || volume.unfinished(&path)).await,
            Self::Other(_) => Err(Error::NotFound),
        }
    }

    pub(super) async fn remove_file(self, path: Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Local(volume) if goes_slowly(&volume, &path, Permissions::DELETE) => {
                elsewhere(move || volume.remove_file(&path)).await
            }
            Self::Local(volume) => blocking(move || volume.remove_file(&path)).await,
            Self::Other(mount) => mount.remove_file(&path).await,
        }
    }

    pub(super) async fn make_directory(self, path: Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Local(volume) => blocking(move || volume.make_directory(&path)).await,
            Self::Other(mount) => mount.make_directory(&path).await,
        }
    }

    pub(super) async fn remove_directory(self, path: Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Local(volume) => {
                let (empty, name) = (volume.clone(), path.clone());
                match blocking(move || empty.remove_empty(&name)).await {
                    Err(Error::NotEmpty) => elsewhere(move || volume.remove_directory(&path)).await,
                    done => done,
                }
            }
            Self::Other(mount) => mount.remove_directory(&path).await,
        }
    }

    pub(super) async fn rename(self, from: Vec<u8>, to: Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Local(volume) if goes_slowly(&volume, &to, Permissions::RENAME) => {
                elsewhere(move || volume.rename(&from, &to)).await
            }
            Self::Local(volume) => blocking(move || volume.rename(&from, &to)).await,
            Self::Other(mount) => mount.rename(&from, &to).await,
        }
    }

    pub(super) async fn make_link(self, path: Vec<u8>, target: Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Local(volume) => blocking(move || volume.make_link(&path, &target)).await,
            Self::Other(mount) => mount.make_link(&path, &target).await,
        }
    }

    pub(super) async fn set_times(
        self,
        path: Vec<u8>,
        modified: Option<Time>,
        created: Option<Time>,
    ) -> Result<(), Error> {
        match self {
            Self::Local(volume) => blocking(move || volume.set_times(&path, modified, created)).await,
            Self::Other(mount) => mount.set_times(&path, modified, created).await,
        }
    }

    pub(super) async fn set_mode(self, path: Vec<u8>, mode: u32) -> Result<(), Error> {
        match self {
            Self::Local(volume) => blocking(move || volume.set_mode(&path, mode)).await,
            Self::Other(mount) => mount.set_mode(&path, mode).await,
        }
    }

    pub(super) async fn space(self) -> Result<u64, Error> {
        match self {
            Self::Local(volume) => blocking(move || volume.space()).await,
            Self::Other(mount) => mount.space().await,
        }
    }
}

impl OpenFile {
    pub(super) fn size(&self) -> Result<u64, Error> {
        match self {
            Self::Local(file) => file.size(),
            Self::Other(file) => Ok(file.size()),
        }
    }

    pub(super) async fn read(self, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        match self {
            Self::Local(file) => blocking(move || file.read(offset, length)).await,
            Self::Other(file) => Ok(file.read(offset, super::READ_MAX.min(length as usize)).await?.into()),
        }
    }

    pub(super) async fn write(self, octets: Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Local(file) if file.cuts_slowly() => elsewhere(move || file.write(&octets)).await,
            Self::Local(file) => blocking(move || file.write(&octets)).await,
            Self::Other(file) => file.write(&octets).await,
        }
    }

    /// Another storage keeps no room.
    pub(super) async fn reserve(self, length: u64) -> Result<(), Error> {
        match self {
            Self::Local(file) => elsewhere(move || file.reserve(length)).await,
            Self::Other(_) => Ok(()),
        }
    }

    /// Another storage keeps nothing that is not finished.
    pub(super) fn discard(&self) {
        if let Self::Local(file) = self {
            file.discard();
        }
    }

    pub(super) async fn finish(self) -> Result<(), Error> {
        match self {
            Self::Local(file) => {
                let last = file.clone();
                let finished = match file.finishes_slowly() {
                    true => elsewhere(move || file.finish()).await,
                    false => blocking(move || file.finish()).await,
                };
                if let Some(old) = last.replaced() {
                    spawn_blocking(move || drop(old));
                }
                finished
            }
            Self::Other(file) => file.finish().await,
        }
    }
}

impl OpenDirectory {
    pub(super) async fn next(&mut self) -> Result<Vec<Entry>, Error> {
        match self {
            Self::Local(directory) => directory.next().await,
            Self::Other(listing) => listing.next().await,
        }
    }

    pub(super) async fn next_names(&mut self) -> Result<Vec<Vec<u8>>, Error> {
        match self {
            // What was read ahead comes first.
            Self::Local(LocalDirectory { directory, ahead, .. }) if ahead.is_empty() => {
                let directory = directory.clone();
                blocking(move || directory.names().map(|(names, _)| names)).await
            }
            Self::Local(_) | Self::Other(_) => Ok(self.next().await?.into_iter().map(|entry| entry.name).collect()),
        }
    }
}

impl LocalDirectory {
    async fn next(&mut self) -> Result<Vec<Entry>, Error> {
        loop {
            let read = {
                let directory = self.directory.clone();
                move || directory.batch()
            };
            let batch = match self.ahead.pop_front() {
                Some(ahead) => ahead.await.unwrap_or(Err(Error::Io)),
                None if self.ended => return Ok(Vec::new()),
                None => blocking(read.clone()).await,
            };
            self.ended |= !batch.as_ref().is_ok_and(|batch| batch.more);
            while !self.ended && self.ahead.len() < AHEAD {
                self.ahead.push_back(spawn_blocking(read.clone()));
            }
            let entries = batch?.entries;
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
    }
}

impl Drop for LocalDirectory {
    fn drop(&mut self) {
        // What has not begun need not.
        self.ahead.iter().for_each(JoinHandle::abort);
    }
}

// What the attribute `async_trait` would write, without a box around the box.
impl Pollable for AnyWork {
    fn ready<'a, 'b>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        match self {
            Self::Local(work) => work.ready(),
            Self::Other(work) => work.ready(),
        }
    }
}

/// Whether others on this thread would wait until the octets of `path` are gone.
fn goes_slowly(volume: &Volume, path: &[u8], needed: Permissions) -> bool {
    pace::is_quick() && pace::timed(|| volume.is_large(path, needed))
}

/// Do `work`, which takes long.
async fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    // It ends early only if it panics.
    spawn_blocking(work).await.unwrap_or(Err(Error::Io))
}

/// Do `work`, which may wait for a disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    // It ends early only if it panics.
    pace::ask(work).await.unwrap_or(Err(Error::Io))
}

/// Batches that are looked at ahead, each by a thread: to look takes several times as long as to write the lines.
const AHEAD: usize = 2;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::mpsc;
    use std::task::Poll;

    use tokio::runtime::Builder;

    use super::*;
    use crate::storage::LARGE;
    use crate::storage::scratch;

    const FILES: usize = 3000;

    type Working = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

    /// Whether this thread does it itself: the only one that may wait is held meanwhile. `None`: it does not, but that may
    /// be since the disk was slow.
    async fn is_done_here(work: impl Future<Output = Result<(), Error>>) -> Option<bool> {
        let (release, held) = mpsc::channel::<()>();
        let holder = spawn_blocking(move || held.recv());
        let mut work = pin!(work);
        let was_quick = pace::is_quick();
        let here = poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_ready())).await;
        let slow = !(was_quick && pace::is_quick());
        drop(release);
        if !here {
            work.await.unwrap();
        }
        let _ = holder.await.unwrap();
        (here || !slow).then_some(here)
    }

    #[test]
    fn a_large_file_goes_elsewhere() {
        let runtime = Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        runtime.block_on(large_files());
    }

    async fn large_files() {
        let (root, volume) = scratch();
        let make = |name: &str, size| fs::File::create(root.path().join(name)).unwrap().set_len(size).unwrap();
        let tree = || Tree::Local(volume.clone());
        for (size, large) in [(LARGE, false), (LARGE + 1, true)] {
            make("there", size);
            make("new", 1);
            assert_ne!(is_done_here(tree().rename(b"/new".to_vec(), b"/there".to_vec())).await, Some(large));
            assert_eq!(fs::metadata(root.path().join("there")).unwrap().len(), 1);
            for name in ["there", ".in.there."] {
                make(name, size);
                assert_ne!(is_done_here(tree().remove_file(b"/there".to_vec())).await, Some(large));
            }
            for leftover in [false, true] {
                fs::create_dir(root.path().join("d")).unwrap();
                if leftover {
                    make("d/.in.f.", size);
                }
                assert_ne!(is_done_here(tree().remove_directory(b"/d".to_vec())).await, Some(leftover));
            }
            let works: [fn(OpenFile) -> Working; 2] =
                [|file| Box::pin(file.write(b"octets".to_vec())), |file| Box::pin(file.finish())];
            for work in works {
                make(".in.there.", size);
                let file = tree().open(b"/there".to_vec(), Access::Replace).await.unwrap();
                assert_ne!(is_done_here(work(file.clone())).await, Some(large));
                file.discard();
            }
            let _ = tree().remove_file(b"/there".to_vec()).await;
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        }
    }

    #[tokio::test]
    async fn what_is_read_ahead_is_lost_by_nobody() {
        let (root, volume) = scratch();
        for number in 0..FILES {
            fs::write(root.path().join(number.to_string()), "").unwrap();
        }
        for entries_first in [0, 1, 2, usize::MAX] {
            let mut directory = Tree::Local(volume.clone()).list(b"/".to_vec()).await.unwrap();
            let mut names = Vec::new();
            for number in 0.. {
                let batch = match number < entries_first {
                    true => directory.next().await.unwrap().into_iter().map(|entry| entry.name).collect(),
                    false => directory.next_names().await.unwrap(),
                };
                if batch.is_empty() {
                    break;
                }
                names.extend(batch);
            }
            assert_eq!(names.len(), FILES);
            assert_eq!(names.into_iter().collect::<BTreeSet<_>>().len(), FILES);
            assert!(directory.next().await.unwrap().is_empty() && directory.next_names().await.unwrap().is_empty());
        }
    }
}
