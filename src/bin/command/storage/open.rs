//! How files are opened.

use std::cell::{Cell, RefCell};

use wasi::clocks::wall_clock;
use wasi::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};
use wasi_ftpd::env::{Access, StorageError};
use wasi_ftpd::proto::entry::{Attributes, Kind};
use wasi_ftpd::proto::path::VPath;

use super::error::error;
use super::file::Writing;
use super::hidden::{NUMBERS, hidden};
use super::lock::Lock;
use super::path::Path;
use super::upload::{Upload, acquire};
use super::{File, Volume, attributes};

type Result<T> = std::result::Result<T, StorageError>;

impl Volume {
    /// Open a regular file; a link is followed. Errors: `NotFile`, and those that [`Access`] brings: `NotFound`,
    /// `BadOffset`, `Exists`, `Busy` while another session writes.
    pub(crate) fn open(&self, path: &VPath, access: Access) -> Result<File> {
        self.allow(|may| if access == Access::Read { may.read } else { may.write })?;
        let path = Path::new(path)?;
        if access == Access::Read {
            let (file, own) = self.open_seen(path, DescriptorFlags::READ)?;
            return Ok(File::reader(file, own.unique));
        }
        let (directory, name) = self.parent(path)?.ok_or(StorageError::NotFile)?;
        let there = match attributes::at(&directory, PathFlags::empty(), name) {
            Ok(there) => Some(there),
            Err(ErrorCode::NoEntry) => None,
            Err(code) => return Err(error(code)),
        };
        let new = New { volume: self, path, directory, name, there };
        match access {
            Access::Create if there.is_some() => Err(StorageError::Exists),
            Access::Create => new.create(),
            _ if there.is_some_and(|there| matches!(there.kind, Kind::Directory | Kind::Other)) => {
                Err(StorageError::NotFile)
            }
            Access::Append => new.append(),
            Access::Resume(at @ 1..) => new.resume(at),
            Access::Resume(0) | Access::Replace | Access::Read => new.replace(),
        }
    }

    /// Octets of a file of that name that were written and not finished, and can be gone on with. Error `NotFound`
    /// if there are none, or they are too old, or another session writes them now.
    pub(crate) fn unfinished(&self, path: &VPath) -> Result<u64> {
        // It is of use, and of interest, to those alone who may go on with it.
        self.allow(|may| may.write)?;
        let (directory, name) = self.parent(Path::new(path)?)?.ok_or(StorageError::NotFound)?;
        match acquire(&directory, &hidden(name, 0), OpenFlags::empty(), &self.locks).map_err(error)? {
            Some((_, left, _)) if left.size > 0 && is_fresh(&left) => Ok(left.size),
            Some(_) | None => Err(StorageError::NotFound),
        }
    }

    /// The file that can be seen, and what it is. Error `NotFile`.
    fn open_seen(&self, path: Path<'_>, flags: DescriptorFlags) -> Result<(Descriptor, Attributes)> {
        let follow = PathFlags::SYMLINK_FOLLOW;
        // Opening a pipe would wait for its other end, and all sessions with it.
        if attributes::at(&self.root, follow, path.relative()).map_err(error)?.kind != Kind::File {
            return Err(StorageError::NotFile);
        }
        let file = self.root.open_at(follow, path.relative(), OpenFlags::empty(), flags).map_err(error)?;
        let own = attributes::of(&file).map_err(error)?;
        if own.kind == Kind::File { Ok((file, own)) } else { Err(StorageError::NotFile) }
    }
}

/// A file that is to be written.
struct New<'a> {
    volume: &'a Volume,
    path: Path<'a>,
    directory: Descriptor,
    name: &'a str,
    /// What has its name, itself and not what it leads to.
    there: Option<Attributes>,
}

/// A file, what it is, and what keeps others from it.
type Locked = (Descriptor, Attributes, Lock);

impl New<'_> {
    fn replace(self) -> Result<File> {
        if !self.can_hide() {
            return self.in_place(0);
        }
        if self.there.is_some() {
            // What may not be written may not be replaced either.
            let flags = DescriptorFlags::WRITE;
            match self.directory.open_at(PathFlags::empty(), self.name, OpenFlags::empty(), flags) {
                Ok(_) | Err(ErrorCode::NoEntry) => {}
                Err(code) => return Err(error(code)),
            }
        }
        for number in 0..=NUMBERS {
            let hidden = hidden(self.name, number);
            match self.acquire(&hidden, OpenFlags::CREATE).map_err(error) {
                Ok(Some(locked)) => return Ok(self.upload(locked, 0, hidden, false)),
                Ok(None) => {}
                // In a directory that takes no new names.
                Err(StorageError::Denied) if self.there.is_some() => return self.in_place(0),
                Err(error) => return Err(error),
            }
        }
        Err(StorageError::Busy)
    }

    fn resume(self, at: u64) -> Result<File> {
        if self.can_hide() {
            let hidden = hidden(self.name, 0);
            match self.acquire(&hidden, OpenFlags::empty()).map_err(error) {
                // The client means an upload, of which there is less: not a file that was there before.
                Ok(Some(locked)) if locked.1.size > 0 && is_fresh(&locked.1) => {
                    return if locked.1.size >= at {
                        Ok(self.upload(locked, at, hidden, false))
                    } else {
                        Err(StorageError::BadOffset)
                    };
                }
                Ok(None) => return Err(StorageError::Busy),
                Ok(Some(_)) | Err(StorageError::NotFound | StorageError::Denied) => {}
                Err(error) => return Err(error),
            }
        }
        match self.in_place(at) {
            // A missing file is shorter than that: it is not made only to be refused.
            Err(StorageError::NotFound) => Err(StorageError::BadOffset),
            opened => opened,
        }
    }

    fn append(self) -> Result<File> {
        if self.there.is_some() {
            let locked = self.seen()?;
            let end = locked.1.size;
            return Ok(writer(locked, end, None));
        }
        let hidden = hidden(self.name, 0);
        let locked = self.acquire(&hidden, OpenFlags::CREATE).map_err(error)?.ok_or(StorageError::Busy)?;
        let at = if is_fresh(&locked.1) { locked.1.size } else { 0 };
        Ok(self.upload(locked, at, hidden, false))
    }

    fn create(self) -> Result<File> {
        let hidden = hidden(self.name, 0);
        let locked = self.acquire(&hidden, OpenFlags::CREATE).map_err(error)?.ok_or(StorageError::Exists)?;
        Ok(self.upload(locked, 0, hidden, true))
    }

    /// Whether it may be written under another name: a link, and one of several links, stay what they are.
    fn can_hide(&self) -> bool {
        self.there.is_none_or(|there| there.kind == Kind::File && there.links == 1)
    }

    fn acquire(&self, hidden: &str, create: OpenFlags) -> std::result::Result<Option<Locked>, ErrorCode> {
        acquire(&self.directory, hidden, create, &self.volume.locks)
    }

    fn upload(self, locked: Locked, at: u64, written_as: String, exclusive: bool) -> File {
        let upload = Upload {
            directory: self.directory,
            name: self.name.to_owned(),
            written_as,
            exclusive,
            finished: Cell::new(false),
            discarded: Cell::new(false),
            locks: self.volume.locks.clone(),
        };
        writer(locked, at, Some(upload))
    }

    /// The file that can be seen, to write from `at`. Errors: `NotFile`, `BadOffset`, `Busy`.
    fn in_place(&self, at: u64) -> Result<File> {
        let locked = self.seen()?;
        if at > locked.1.size { Err(StorageError::BadOffset) } else { Ok(writer(locked, at, None)) }
    }

    fn seen(&self) -> Result<Locked> {
        let (file, own) = self.volume.open_seen(self.path, DescriptorFlags::READ | DescriptorFlags::WRITE)?;
        let lock = self.volume.locks.lock(own.unique).ok_or(StorageError::Busy)?;
        Ok((file, own, lock))
    }
}

fn writer((file, own, lock): Locked, at: u64, upload: Option<Upload>) -> File {
    let (cut, lock) = (Cell::new(own.size > at), RefCell::new(Some(lock)));
    File::writer(file, own.unique, Writing { at: Cell::new(at), cut, upload, lock })
}

/// Whether what was left unfinished is so young that somebody may still go on with it.
fn is_fresh(left: &Attributes) -> bool {
    attributes::time(wall_clock::now()).seconds.saturating_sub(left.modified.seconds) < FRESH
}

/// Seconds after which nobody remembers what was cut short: a day. Then the name is as if it had never been.
const FRESH: i64 = 86_400;
