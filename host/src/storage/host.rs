//! Storage, as the guest has it.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use wasmtime::component::Resource;
use wasmtime_wasi_io::poll::{DynPollable, subscribe};

use super::checksum::Checksum;
use super::copy::Copy;
use super::custom::OwnWork;
use super::tree::{AnyWork, OpenDirectory, OpenFile, Tree};
use super::work::{Job, Work};
use super::{Entry, Error, File, pace};
use crate::bindings::ftpd::server::storage as wit;
use crate::ending::Activity;
use crate::session::{SessionCtx, share};

/// An open file, and its share of the files that a session may have.
pub struct FileResource {
    pub(crate) file: OpenFile,
    _share: Arc<()>,
}

/// A directory being read, and its share.
pub struct DirectoryResource {
    directory: OpenDirectory,
    _share: Arc<()>,
}

type Answer<T> = wasmtime::Result<Result<T, wit::Error>>;

impl SessionCtx {
    /// Wait for the storage.
    async fn ask<T>(&mut self, answer: impl Future<Output = Result<T, Error>>) -> Answer<T> {
        let answer = answer.await;
        self.waited();
        // A session that works its way through a tree is not idle.
        self.control()?.activity.touch();
        Ok(answer.map_err(Into::into))
    }

    /// The same, after what a transfer that was stopped still has to write.
    async fn ask_after_writes<T>(&mut self, answer: impl Future<Output = Result<T, Error>>) -> Answer<T> {
        drop(self.disk.clone().lock_owned().await);
        self.ask(answer).await
    }

    /// Drop a file, or a clone of one. If it is the last of an upload that was not finished, or takes long to go, a thread
    /// that may wait does what is then to be done, and nothing of this session's looks before that.
    pub(crate) fn let_go(&self, file: File) {
        if file.ends_unfinished() || file.goes_slowly() {
            if let Ok(alone) = self.disk.clone().try_lock_owned() {
                spawn_blocking(move || {
                    drop(file);
                    drop(alone);
                });
            }
        } else if file.is_last()
            && let Ok(control) = self.control()
        {
            control.close_later(file);
        }
    }

    /// Begin a work, unless the session has too many: that one has failed from the start.
    fn work(&mut self, job: impl FnOnce() -> Result<Job, Error>) -> wasmtime::Result<Resource<AnyWork>> {
        let share = share(&self.works, MAX_WORKS);
        let job = if share.is_some() { job() } else { Err(Error::Busy) };
        let work = Work::new(job, self.disk.clone(), &self.control()?.activity, share);
        Ok(self.table.push(AnyWork::Local(work))?)
    }

    /// The same for files of another storage.
    fn own_work(
        &mut self,
        work: impl FnOnce(Arc<Activity>, Arc<()>) -> OwnWork,
    ) -> wasmtime::Result<Resource<AnyWork>> {
        match share(&self.works, MAX_WORKS) {
            Some(share) => {
                let work = work(self.control()?.activity.clone(), share);
                Ok(self.table.push(AnyWork::Other(work))?)
            }
            None => self.work(|| Err(Error::Busy)),
        }
    }

    fn file(&self, file: &Resource<FileResource>) -> wasmtime::Result<OpenFile> {
        Ok(self.table.get(file)?.file.clone())
    }
}

impl wit::Host for SessionCtx {}

impl wit::HostFile for SessionCtx {
    async fn size(&mut self, file: Resource<FileResource>) -> Answer<u64> {
        Ok(self.file(&file)?.size().map_err(Into::into))
    }

    async fn read(&mut self, file: Resource<FileResource>, offset: u64, length: u32) -> Answer<Vec<u8>> {
        let file = self.file(&file)?;
        self.ask(file.read(offset, length)).await
    }

    async fn write(&mut self, file: Resource<FileResource>, octets: Vec<u8>) -> Answer<()> {
        let file = self.file(&file)?;
        self.ask(file.write(octets)).await
    }

    async fn reserve(&mut self, file: Resource<FileResource>, length: u64) -> Answer<()> {
        let file = self.file(&file)?;
        self.ask(file.reserve(length)).await
    }

    fn discard(&mut self, file: Resource<FileResource>) -> wasmtime::Result<()> {
        self.table.get(&file)?.file.discard();
        Ok(())
    }

    async fn finish(&mut self, file: Resource<FileResource>) -> Answer<()> {
        let file = self.file(&file)?;
        self.ask(file.finish()).await
    }

    fn copy_from(
        &mut self,
        file: Resource<FileResource>,
        source: Resource<FileResource>,
    ) -> wasmtime::Result<Resource<AnyWork>> {
        match (self.file(&file)?, self.file(&source)?) {
            (OpenFile::Local(target), OpenFile::Local(source)) => {
                self.work(|| Ok(Job::Copy(Copy::new(source, target)?)))
            }
            (OpenFile::Other(target), OpenFile::Other(source)) => {
                self.own_work(|activity, share| OwnWork::copy(source, target, activity, share))
            }
            _ => self.work(|| Err(Error::Unsupported)),
        }
    }

    fn checksum(
        &mut self,
        file: Resource<FileResource>,
        algorithm: wit::Algorithm,
        offset: u64,
        length: u64,
    ) -> wasmtime::Result<Resource<AnyWork>> {
        let algorithm = algorithm.into();
        match self.file(&file)? {
            OpenFile::Local(file) => {
                self.work(|| Ok(Job::Checksum(Box::new(Checksum::new(algorithm, file, offset, length)?))))
            }
            OpenFile::Other(file) => {
                self.own_work(|activity, share| OwnWork::checksum(algorithm, file, offset, length, activity, share))
            }
        }
    }

    fn drop(&mut self, file: Resource<FileResource>) -> wasmtime::Result<()> {
        if let OpenFile::Local(file) = self.table.delete(file)?.file {
            self.let_go(file);
        }
        Ok(())
    }
}

impl wit::HostWork for SessionCtx {
    fn subscribe(&mut self, work: Resource<AnyWork>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(&mut self.table, work)
    }

    fn finish(&mut self, work: Resource<AnyWork>) -> wasmtime::Result<Option<Result<Vec<u8>, wit::Error>>> {
        let result = match self.table.get_mut(&work)? {
            AnyWork::Local(work) => work.finish(),
            AnyWork::Other(work) => work.finish(),
        };
        Ok(result.map(|result| result.map_err(Into::into)))
    }

    fn drop(&mut self, work: Resource<AnyWork>) -> wasmtime::Result<()> {
        if let AnyWork::Local(work) = self.table.delete(work)?
            && let Some(target) = work.stop()
        {
            self.let_go(target);
        }
        Ok(())
    }
}

impl wit::HostDirectory for SessionCtx {
    async fn next(&mut self, directory: Resource<DirectoryResource>) -> Answer<Vec<wit::Entry>> {
        let entries = self.table.get_mut(&directory)?.directory.next().await;
        let entries = entries.map(|entries| entries.into_iter().map(wit::Entry::from).collect());
        self.ask(async { entries }).await
    }

    async fn next_names(&mut self, directory: Resource<DirectoryResource>) -> Answer<Vec<Vec<u8>>> {
        let names = self.table.get_mut(&directory)?.directory.next_names().await;
        self.ask(async { names }).await
    }

    fn drop(&mut self, directory: Resource<DirectoryResource>) -> wasmtime::Result<()> {
        self.table.delete(directory)?;
        Ok(())
    }
}

impl SessionCtx {
    /// Whoever is logged out may do nothing more with a volume that is left.
    fn volume(&self, volume: &Resource<Tree>) -> wasmtime::Result<Tree> {
        let volume = self.table.get(volume)?;
        Ok(if self.user.is_some() { volume.clone() } else { volume.with_permissions(super::Permissions::NONE) })
    }
}

impl wit::HostVolume for SessionCtx {
    fn permissions(&mut self, volume: Resource<Tree>) -> wasmtime::Result<wit::Permissions> {
        Ok(self.table.get(&volume)?.permissions().into())
    }

    async fn stat(&mut self, volume: Resource<Tree>, path: Vec<u8>) -> Answer<wit::Attributes> {
        let volume = self.volume(&volume)?;
        // The size of what a stopped transfer still writes is not known before it has.
        let wait = pace::is_quick() || self.disk.try_lock().is_err();
        let cached = if wait { Ok(None) } else { volume.stat_cached(&path) };
        match cached {
            Ok(Some(attributes)) => Ok(Ok(attributes.into())),
            Ok(None) => Ok(self.ask_after_writes(volume.stat(path)).await?.map(Into::into)),
            Err(error) => Ok(Err(error.into())),
        }
    }

    async fn list(&mut self, volume: Resource<Tree>, path: Vec<u8>) -> Answer<Resource<DirectoryResource>> {
        let volume = self.volume(&volume)?;
        let Some(share) = share(&self.files, MAX_FILES) else { return Ok(Err(wit::Error::Busy)) };
        Ok(match self.ask(volume.list(path)).await? {
            Ok(directory) => Ok(self.table.push(DirectoryResource { directory, _share: share })?),
            Err(error) => Err(error),
        })
    }

    async fn open(
        &mut self,
        volume: Resource<Tree>,
        path: Vec<u8>,
        access: wit::Access,
    ) -> Answer<Resource<FileResource>> {
        let volume = self.volume(&volume)?;
        let Some(share) = share(&self.files, MAX_FILES) else { return Ok(Err(wit::Error::Busy)) };
        let access = access.into();
        let cached = if pace::is_quick() { Ok(None) } else { volume.open_cached(&path, access) };
        let file = match cached {
            Ok(Some(file)) => Ok(file),
            Ok(None) => self.ask_after_writes(volume.open(path, access)).await?,
            Err(error) => Err(error.into()),
        };
        match file {
            Ok(file) => Ok(Ok(self.table.push(FileResource { file, _share: share })?)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn unfinished(&mut self, volume: Resource<Tree>, path: Vec<u8>) -> Answer<u64> {
        let volume = self.volume(&volume)?;
        self.ask_after_writes(volume.unfinished(path)).await
    }

    async fn remove_file(&mut self, volume: Resource<Tree>, path: Vec<u8>) -> Answer<()> {
        let volume = self.volume(&volume)?;
        self.ask_after_writes(volume.remove_file(path)).await
    }

    async fn make_directory(&mut self, volume: Resource<Tree>, path: Vec<u8>) -> Answer<()> {
        let volume = self.volume(&volume)?;
        self.ask(volume.make_directory(path)).await
    }

    async fn remove_directory(&mut self, volume: Resource<Tree>, path: Vec<u8>) -> Answer<()> {
        let volume = self.volume(&volume)?;
        self.ask_after_writes(volume.remove_directory(path)).await
    }

    async fn rename(&mut self, volume: Resource<Tree>, from: Vec<u8>, to: Vec<u8>) -> Answer<()> {
        let volume = self.volume(&volume)?;
        self.ask_after_writes(volume.rename(from, to)).await
    }

    async fn make_link(&mut self, volume: Resource<Tree>, path: Vec<u8>, target: Vec<u8>) -> Answer<()> {
        let volume = self.volume(&volume)?;
        self.ask(volume.make_link(path, target)).await
    }

    async fn set_times(
        &mut self,
        volume: Resource<Tree>,
        path: Vec<u8>,
        modified: Option<wit::Time>,
        created: Option<wit::Time>,
    ) -> Answer<()> {
        let volume = self.volume(&volume)?;
        // The last write of a transfer that was stopped would change them again.
        self.ask_after_writes(volume.set_times(path, modified.map(Into::into), created.map(Into::into))).await
    }

    async fn set_mode(&mut self, volume: Resource<Tree>, path: Vec<u8>, mode: u32) -> Answer<()> {
        let volume = self.volume(&volume)?;
        self.ask(volume.set_mode(path, mode)).await
    }

    fn umask(&mut self, volume: Resource<Tree>) -> wasmtime::Result<u32> {
        Ok(self.table.get(&volume)?.umask())
    }

    fn set_umask(&mut self, volume: Resource<Tree>, mask: u32) -> wasmtime::Result<()> {
        self.table.get_mut(&volume)?.set_umask(mask);
        Ok(())
    }

    async fn space(&mut self, volume: Resource<Tree>) -> Answer<u64> {
        let volume = self.volume(&volume)?;
        self.ask(volume.space()).await
    }

    fn drop(&mut self, volume: Resource<Tree>) -> wasmtime::Result<()> {
        self.table.delete(volume)?;
        Ok(())
    }
}

impl From<super::Error> for wit::Error {
    fn from(error: super::Error) -> Self {
        match error {
            super::Error::NotFound => Self::NotFound,
            super::Error::Denied => Self::Denied,
            super::Error::Exists => Self::Exists,
            super::Error::NotDirectory => Self::NotDirectory,
            super::Error::NotFile => Self::NotFile,
            super::Error::NotEmpty => Self::NotEmpty,
            super::Error::BadName => Self::BadName,
            super::Error::NoSpace => Self::NoSpace,
            super::Error::BadOffset => Self::BadOffset,
            super::Error::Busy => Self::Busy,
            super::Error::Unsupported => Self::Unsupported,
            super::Error::Io => Self::Io,
        }
    }
}

impl From<wit::Access> for super::Access {
    fn from(access: wit::Access) -> Self {
        match access {
            wit::Access::Read => Self::Read,
            wit::Access::Replace => Self::Replace,
            wit::Access::Resume(offset) => Self::Resume(offset),
            wit::Access::Append => Self::Append,
            wit::Access::Create => Self::Create,
        }
    }
}

impl From<wit::Algorithm> for super::Algorithm {
    fn from(algorithm: wit::Algorithm) -> Self {
        match algorithm {
            wit::Algorithm::Crc32 => Self::Crc32,
            wit::Algorithm::Md5 => Self::Md5,
            wit::Algorithm::Sha1 => Self::Sha1,
            wit::Algorithm::Sha256 => Self::Sha256,
            wit::Algorithm::Sha512 => Self::Sha512,
        }
    }
}

impl From<super::Time> for wit::Time {
    fn from(time: super::Time) -> Self {
        Self { seconds: time.seconds, nanoseconds: time.nanoseconds }
    }
}

impl From<wit::Time> for super::Time {
    fn from(time: wit::Time) -> Self {
        Self { seconds: time.seconds, nanoseconds: time.nanoseconds }
    }
}

impl From<super::Attributes> for wit::Attributes {
    fn from(attributes: super::Attributes) -> Self {
        Self {
            kind: match attributes.kind {
                super::Kind::File => wit::Kind::File,
                super::Kind::Directory => wit::Kind::Directory,
                super::Kind::Link => wit::Kind::Link,
                super::Kind::Other => wit::Kind::Other,
            },
            size: attributes.size,
            modified: attributes.modified.into(),
            created: attributes.created.map(Into::into),
            mode: attributes.mode,
            links: attributes.links,
            owner: attributes.owner,
            group: attributes.group,
            unique: attributes.unique,
        }
    }
}

impl From<Entry> for wit::Entry {
    fn from(entry: Entry) -> Self {
        Self { name: entry.name, attributes: entry.attributes.into() }
    }
}

impl From<super::Permissions> for wit::Permissions {
    fn from(permissions: super::Permissions) -> Self {
        [
            (super::Permissions::LIST, Self::LIST),
            (super::Permissions::READ, Self::READ),
            (super::Permissions::WRITE, Self::WRITE),
            (super::Permissions::DELETE, Self::DELETE),
            (super::Permissions::RENAME, Self::RENAME),
            (super::Permissions::MAKE_DIRECTORY, Self::MAKE_DIRECTORY),
            (super::Permissions::REMOVE_DIRECTORY, Self::REMOVE_DIRECTORY),
            (super::Permissions::SET_ATTRIBUTES, Self::SET_ATTRIBUTES),
            (super::Permissions::SET_CREATED, Self::SET_CREATED),
        ]
        .into_iter()
        .filter(|&(ours, _)| permissions.contains(ours))
        .fold(Self::empty(), |all, (_, theirs)| all | theirs)
    }
}

/// Files and directories that a session may have open: two for what it does (a copy), and those of
/// transfers that were stopped and are still at the disk.
const MAX_FILES: usize = 5;

/// Checksums and copies that a session may have: one, and one that was stopped.
const MAX_WORKS: usize = 2;
