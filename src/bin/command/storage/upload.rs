//! A file that is written under a hidden name, and gets its own when it is finished.

use std::cell::Cell;

use wasi::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};
use wasi_ftpd::env::StorageError;
use wasi_ftpd::proto::entry::{Attributes, Kind};

use super::attributes;
use super::error::error;
use super::hidden::hidden;
use super::lock::{Lock, Locks, Unique};

/// A file that is being written and has another name than it is to have. It is locked; no other session touches
/// that name while it leads to the file.
pub(super) struct Upload {
    /// The directory of both names.
    pub(super) directory: Descriptor,
    /// Its name at the end.
    pub(super) name: String,
    /// Its name until then.
    pub(super) written_as: String,
    /// It must not replace anything.
    pub(super) exclusive: bool,
    /// It has its name.
    pub(super) finished: Cell<bool>,
    /// It is not to be gone on with.
    pub(super) discarded: Cell<bool>,
    pub(super) locks: Locks,
}

impl Upload {
    /// Give it its name. Errors: `Exists` if it must not replace what is there, `NotFile` if it cannot, `Io` if
    /// somebody has taken the hidden name away.
    pub(super) fn publish(&self, file: Unique) -> Result<(), StorageError> {
        if self.finished.get() {
            return Ok(());
        }
        if !self.leads_to(file) {
            return Err(StorageError::Io);
        }
        if self.exclusive {
            self.move_beside()?;
        } else {
            self.move_over()?;
        }
        let first = hidden(&self.name, 0);
        if self.written_as != first {
            // What was left by the one who wrote beside us is older than this.
            let _ = remove(&self.directory, &first, &self.locks);
        }
        self.finished.set(true);
        Ok(())
    }

    fn move_beside(&self) -> Result<(), StorageError> {
        let directory = &self.directory;
        match directory.link_at(PathFlags::empty(), &self.written_as, directory, &self.name) {
            Ok(()) => directory.unlink_file_at(&self.written_as).map_err(error),
            Err(ErrorCode::Exist) => Err(StorageError::Exists),
            // A file system without links: no other session comes in between, only another program may.
            Err(_) if attributes::at(directory, PathFlags::empty(), &self.name).is_ok() => Err(StorageError::Exists),
            Err(_) => directory.rename_at(&self.written_as, directory, &self.name).map_err(error),
        }
    }

    fn move_over(&self) -> Result<(), StorageError> {
        match attributes::at(&self.directory, PathFlags::empty(), &self.name).map_err(error) {
            Ok(Attributes { kind: Kind::Directory | Kind::Other, .. }) => return Err(StorageError::NotFile),
            Ok(_) | Err(StorageError::NotFound) => {}
            Err(error) => return Err(error),
        }
        self.directory.rename_at(&self.written_as, &self.directory, &self.name).map_err(error)
    }

    /// It is let go. Without a finish, it stays to be gone on with, or goes if there is nothing in it.
    pub(super) fn abandon(&self, file: &Descriptor, unique: Unique) {
        if self.finished.get() || !self.leads_to(unique) {
            return;
        }
        let empty = file.stat().is_ok_and(|stat| stat.size == 0);
        let first = hidden(&self.name, 0);
        // There is room for one: who comes later and beside it goes.
        let is_room = || attributes::at(&self.directory, PathFlags::empty(), &first).is_err();
        let gone = if self.discarded.get() || empty {
            self.directory.unlink_file_at(&self.written_as)
        } else if self.written_as == first {
            Ok(())
        } else if is_room() {
            self.directory.rename_at(&self.written_as, &self.directory, &first)
        } else {
            self.directory.unlink_file_at(&self.written_as)
        };
        if let Err(error) = gone {
            log::warn!("cannot remove an unfinished upload: {}: {error}", self.written_as.escape_debug());
        }
    }

    /// Whether its present name is still its own.
    fn leads_to(&self, file: Unique) -> bool {
        let there = attributes::at(&self.directory, PathFlags::empty(), &self.written_as);
        there.is_ok_and(|there| there.unique == file)
    }
}

/// Open the hidden file of that name for this writer alone, and tell what it is. With `create` it is made if it is
/// missing. `None`: another writes it, or it is no file of ours. Errors of WASI's: the caller minds which.
pub(super) fn acquire(
    directory: &Descriptor,
    name: &str,
    create: OpenFlags,
    locks: &Locks,
) -> Result<Option<(Descriptor, Attributes, Lock)>, ErrorCode> {
    // Opening a pipe would wait for its other end, and all sessions with it.
    match attributes::at(directory, PathFlags::empty(), name) {
        Ok(there) if there.kind != Kind::File || there.links > 1 => return Ok(None),
        Ok(_) | Err(ErrorCode::NoEntry) => {}
        Err(code) => return Err(code),
    }
    let file = directory.open_at(PathFlags::empty(), name, create, DescriptorFlags::READ | DescriptorFlags::WRITE)?;
    let own = attributes::of(&file)?;
    Ok(locks.lock(own.unique).map(|lock| (file, own, lock)))
}

/// Remove the hidden file of that name, unless somebody writes it: then, and only then, false. Error `NotFound` if
/// there is none.
pub(super) fn remove(directory: &Descriptor, name: &str, locks: &Locks) -> Result<bool, StorageError> {
    let Some(_locked) = acquire(directory, name, OpenFlags::empty(), locks).map_err(error)? else { return Ok(false) };
    directory.unlink_file_at(name).map_err(error)?;
    Ok(true)
}
