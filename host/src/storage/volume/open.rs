//! How files are opened.

use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, accessat, fchmod, openat};
use rustix::io::{Errno, retry_on_intr};
use rustix::time::{ClockId, clock_gettime};

use super::{OPEN, Volume, cached};
use crate::storage::file::regular;
use crate::storage::hidden::{NUMBERS, acquire, hidden, lock};
use crate::storage::path::Path;
use crate::storage::upload::Upload;
use crate::storage::{Access, Attributes, Error, File, Kind, Permissions, Unfinished};

impl Volume {
    /// Open a regular file; a link is followed inside the volume. Errors: `NotFile`, and those that
    /// [`Access`] brings: `NotFound`, `BadOffset`, `Exists`, `Busy` while another writes.
    pub fn open(&self, path: &[u8], access: Access) -> Result<File, Error> {
        self.permissions.allow(if access == Access::Read { Permissions::READ } else { Permissions::WRITE })?;
        let path = Path::new(path)?;
        if access == Access::Read {
            return File::reader(self.resolve(path, OPEN | OFlags::RDONLY, ResolveFlags::empty())?);
        }
        let (directory, name) = self.parent(path, Error::NotFile)?;
        let there = match Attributes::of(&directory, name, AtFlags::empty()) {
            Ok(there) => Some(there),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(errno.into()),
        };
        let new = New { volume: self, path, directory, name, there };
        match access {
            Access::Create => new.create(),
            _ if there.is_some_and(|there| matches!(there.kind, Kind::Directory | Kind::Other)) => Err(Error::NotFile),
            Access::Append => new.append(),
            Access::Resume(at @ 1..) => new.resume(at),
            Access::Resume(0) | Access::Replace | Access::Read => new.replace(),
        }
    }

    /// [`open`](Self::open) to read, if the kernel knows the way by heart. `None`: open it where one may
    /// wait. Its octets need not be in memory, and a file system behind a network may still wait.
    pub fn open_cached(&self, path: &[u8]) -> Result<Option<File>, Error> {
        self.permissions.allow(Permissions::READ)?;
        let opened = cached(self.resolve(Path::new(path)?, OPEN | OFlags::RDONLY, ResolveFlags::CACHED))?;
        opened.map(File::reader).transpose()
    }

    /// Octets of a file of that name that were written and not finished, and can be gone on with, whether or
    /// not there is a finished file as well. Error `NotFound` if there are none, or they are too old, or
    /// somebody writes them now.
    pub fn unfinished(&self, path: &[u8]) -> Result<u64, Error> {
        // It is of use, and of interest, to those alone who may go on with it.
        self.permissions.allow(Permissions::WRITE)?;
        let (directory, name) = self.parent(Path::new(path)?, Error::NotFound)?;
        if self.unfinished == Unfinished::InPlace {
            return Err(Error::NotFound);
        }
        match acquire(&directory, &hidden(name, 0), None)? {
            Some((left, size @ 1..)) if is_fresh(&left)? => Ok(size),
            Some(_) | None => Err(Error::NotFound),
        }
    }
}

/// A file that is to be written.
struct New<'a> {
    volume: &'a Volume,
    path: Path<'a>,
    directory: Arc<OwnedFd>,
    name: &'a [u8],
    /// What has its name, itself and not what it leads to.
    there: Option<Attributes>,
}

impl New<'_> {
    fn replace(self) -> Result<File, Error> {
        if !self.can_hide() {
            return self.in_place(0, OFlags::CREATE);
        }
        self.allow()?;
        for number in 0..=NUMBERS {
            let hidden = hidden(self.name, number);
            match acquire(&self.directory, &hidden, Some(self.mode())) {
                Ok(Some((descriptor, size))) => {
                    self.set_mode(&descriptor, size)?;
                    return Ok(self.upload(descriptor, 0, size, hidden, false));
                }
                Ok(None) => {}
                // In a directory that takes no new names.
                Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) if self.there.is_some() => {
                    return self.in_place(0, OFlags::empty());
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(Error::Busy)
    }

    /// What may not be written may not be replaced either.
    fn allow(&self) -> Result<(), Errno> {
        let flags = AtFlags::EACCESS | AtFlags::SYMLINK_NOFOLLOW;
        match self.there.map(|_| accessat(&self.directory, self.name, rustix::fs::Access::WRITE_OK, flags)) {
            None | Some(Ok(()) | Err(Errno::NOENT)) => Ok(()),
            Some(Err(errno)) => Err(errno),
        }
    }

    fn resume(self, at: u64) -> Result<File, Error> {
        if self.can_hide() {
            let hidden = hidden(self.name, 0);
            match acquire(&self.directory, &hidden, None) {
                Ok(Some((descriptor, size @ 1..))) if is_fresh(&descriptor)? => {
                    // The client means an upload, of which there is less: not a file that was there before.
                    let enough = size >= at;
                    return enough.then(|| self.upload(descriptor, at, size, hidden, false)).ok_or(Error::BadOffset);
                }
                Ok(None) => return Err(Error::Busy),
                Ok(Some(_)) | Err(Errno::NOENT | Errno::ACCESS | Errno::PERM | Errno::ROFS) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        match self.in_place(at, OFlags::empty()) {
            // A missing file is shorter than that: it is not made only to be refused.
            Err(Error::NotFound) => Err(Error::BadOffset),
            opened => opened,
        }
    }

    fn append(self) -> Result<File, Error> {
        if self.there.is_some() || !self.can_hide() {
            let (descriptor, _) = self.locked(OFlags::CREATE | OFlags::APPEND)?;
            return Ok(File::appender(descriptor, self.volume.fsync));
        }
        let hidden = hidden(self.name, 0);
        let (descriptor, size) = acquire(&self.directory, &hidden, Some(self.mode()))?.ok_or(Error::Busy)?;
        let at = if is_fresh(&descriptor)? { size } else { 0 };
        Ok(self.upload(descriptor, at, size, hidden, false))
    }

    fn create(self) -> Result<File, Error> {
        if self.there.is_some() {
            return Err(Error::Exists);
        }
        if self.can_hide() {
            let hidden = hidden(self.name, 0);
            let (descriptor, size) = acquire(&self.directory, &hidden, Some(self.mode()))?.ok_or(Error::Exists)?;
            self.set_mode(&descriptor, size)?;
            return Ok(self.upload(descriptor, 0, size, hidden, true));
        }
        let flags = OPEN | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CREATE | OFlags::EXCL;
        let descriptor = retry_on_intr(|| openat(&self.directory, self.name, flags, self.mode()))?;
        lock(&descriptor)?;
        let name = self.name.to_vec();
        Ok(self.upload(descriptor, 0, 0, name, true))
    }

    /// Whether it may be written under another name: a link, and one of several links, stay what they are. (What has no
    /// link any more was replaced this very moment.)
    fn can_hide(&self) -> bool {
        self.volume.unfinished != Unfinished::InPlace
            && self.there.is_none_or(|there| there.kind == Kind::File && there.links <= 1)
    }

    /// Of the new file: nobody may see it who may not see the old one.
    fn mode(&self) -> Mode {
        let old = self.there.map_or(0o777, |there| there.mode | 0o200);
        self.volume.file_mode() & Mode::from_raw_mode(old)
    }

    /// Of what was left by another upload, which had the mode of its own time.
    fn set_mode(&self, descriptor: &OwnedFd, size: u64) -> Result<(), Errno> {
        if size > 0 { fchmod(descriptor, self.mode()) } else { Ok(()) }
    }

    fn upload(self, descriptor: OwnedFd, at: u64, size: u64, written_as: Vec<u8>, exclusive: bool) -> File {
        let fsync = self.volume.fsync;
        let upload = Upload {
            directory: self.directory,
            name: self.name.to_vec(),
            written_as,
            old: Mutex::default(),
            exclusive,
            unfinished: self.volume.unfinished,
            finished: AtomicBool::new(false),
            discarded: AtomicBool::new(false),
        };
        File::writer(descriptor, at, size, Some(upload), fsync)
    }

    /// The file that can be seen, to write from `at`. Errors: `NotFile`, `BadOffset`, `Busy`.
    fn in_place(&self, at: u64, flags: OFlags) -> Result<File, Error> {
        let (descriptor, size) = self.locked(flags)?;
        if at > size {
            return Err(Error::BadOffset);
        }
        Ok(File::writer(descriptor, at, size, None, self.volume.fsync))
    }

    /// That file and its size, locked.
    fn locked(&self, flags: OFlags) -> Result<(OwnedFd, u64), Error> {
        for _ in 0..ATTEMPTS {
            let descriptor = self.volume.resolve(self.path, OPEN | OFlags::WRONLY | flags, ResolveFlags::empty())?;
            let own = regular(&descriptor)?;
            lock(&descriptor)?;
            // Another may have been put in its place since it was opened.
            let there = self.volume.resolve(self.path, OFlags::PATH | OFlags::CLOEXEC, ResolveFlags::empty());
            match there.and_then(|there| Attributes::of(there, b"", AtFlags::empty())) {
                Ok(there) if there.unique == own.unique => return Ok((descriptor, there.size)),
                Ok(_) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(Error::Busy)
    }
}

/// Whether what was left unfinished is so young that somebody may still go on with it.
fn is_fresh(left: &OwnedFd) -> Result<bool, Errno> {
    let modified = Attributes::of(left, b"", AtFlags::empty())?.modified.seconds;
    Ok(clock_gettime(ClockId::Realtime).tv_sec.saturating_sub(modified) < FRESH)
}

/// Seconds after which nobody remembers what was cut short: a day. Then the name is as if it had never been.
const FRESH: i64 = 86_400;

/// How often in a row a file may be replaced between its being opened and locked.
const ATTEMPTS: u32 = 8;
