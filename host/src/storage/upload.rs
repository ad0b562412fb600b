//! A file that is written under a hidden name, and gets its own when it is finished.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, RenameFlags, Uid, fchmod, fchown, fsync, linkat, openat, renameat, renameat_with,
    unlinkat,
};
use rustix::io::Errno;

use super::hidden::{acquire, hidden};
use super::{Attributes, Error, Kind, LARGE};

/// What becomes of an upload that was cut short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unfinished {
    /// It stays under its hidden name, to be gone on with. If nothing was written, it goes.
    #[default]
    Keep,
    /// It goes.
    Delete,
    /// Nothing is hidden: files are written in place, and stay as they were left. (Hidden names cannot
    /// be used all the same.)
    InPlace,
}

/// A file that is being written and has another name than it is to have, or may have to go again. It is
/// locked; nobody else touches that name while it leads to the file.
#[derive(Debug)]
pub(super) struct Upload {
    /// The directory of both names.
    pub(super) directory: Arc<OwnedFd>,
    /// Its name at the end.
    pub(super) name: Vec<u8>,
    /// Its name until then; the same if it can be seen while it is written.
    pub(super) written_as: Vec<u8>,
    /// What it has replaced, held if it is large: it then goes when this is closed, and not when the name changes hands.
    pub(super) old: Mutex<Option<OwnedFd>>,
    /// It must not replace anything.
    pub(super) exclusive: bool,
    /// What becomes of it without a finish.
    pub(super) unfinished: Unfinished,
    pub(super) finished: AtomicBool,
    /// It is not to be gone on with.
    pub(super) discarded: AtomicBool,
}

impl Upload {
    /// Whether it has its name.
    pub(super) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Relaxed)
    }

    /// Give it its name. Errors: `Exists` if it must not replace what is there, `NotFile` if it cannot,
    /// `Io` if somebody has taken the hidden name away.
    pub(super) fn publish(&self, file: impl AsFd) -> Result<(), Error> {
        if self.is_finished() {
            return Ok(());
        }
        if self.written_as != self.name {
            let own = self.led_to(&file).ok_or(Error::Io)?;
            if self.exclusive {
                self.move_beside()?
            } else {
                self.move_over(&file, &own)?
            }
            let first = hidden(&self.name, 0);
            if self.written_as != first {
                // What was left by the one who wrote beside us is older than this.
                let _ = remove(&self.directory, &first);
            }
        }
        self.finished.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Its name is at the disk. Without leave to read the directory, that is left to the system.
    pub(super) fn sync_name(&self) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match openat(&self.directory, c".", flags, Mode::empty()) {
            Ok(directory) => fsync(directory),
            Err(Errno::ACCESS) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    fn move_beside(&self) -> Result<(), Errno> {
        let directory = &self.directory;
        match renameat_with(directory, &*self.written_as, directory, &*self.name, RenameFlags::NOREPLACE) {
            // The file system cannot promise this.
            Err(Errno::INVAL) => {}
            done => return done,
        }
        linkat(directory, &*self.written_as, directory, &*self.name, AtFlags::empty())?;
        unlinkat(directory, &*self.written_as, AtFlags::empty())
    }

    fn move_over(&self, file: impl AsFd, own: &Attributes) -> Result<(), Error> {
        let directory = &self.directory;
        match Attributes::of(directory, &self.name, AtFlags::empty()) {
            Ok(there) => match there.kind {
                Kind::File => {
                    if there.size > LARGE {
                        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                        let old = openat(directory, &*self.name, flags, Mode::empty());
                        *self.old.lock().unwrap_or_else(PoisonError::into_inner) = old.ok();
                    }
                    inherit(file, own, &there);
                }
                Kind::Link => {}
                Kind::Directory | Kind::Other => return Err(Error::NotFile),
            },
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        match renameat(directory, &*self.written_as, directory, &*self.name) {
            // A directory has come there this very moment.
            Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => Err(Error::NotFile),
            done => Ok(done?),
        }
    }

    /// It is let go. Without a finish, it stays to be gone on with, or goes.
    pub(super) fn abandon(&self, file: impl AsFd) {
        if self.is_finished() {
            return;
        }
        let Some(own) = self.led_to(&file) else { return };
        let empty = own.size == 0;
        let gone = match self.unfinished {
            _ if self.discarded.load(Ordering::Relaxed) => {
                unlinkat(&self.directory, &*self.written_as, AtFlags::empty())
            }
            Unfinished::Keep if !empty => self.keep(),
            Unfinished::InPlace if !empty => Ok(()),
            _ => unlinkat(&self.directory, &*self.written_as, AtFlags::empty()),
        };
        if let Err(errno) = gone {
            log::warn!("cannot remove an unfinished upload: {}: {errno}", self.written_as.escape_ascii());
        }
    }

    /// Leave it where it is found again. There is room for one: who comes later and beside it goes.
    fn keep(&self) -> Result<(), Errno> {
        let first = hidden(&self.name, 0);
        if self.written_as == first {
            return Ok(());
        }
        let directory = &self.directory;
        renameat_with(directory, &*self.written_as, directory, &*first, RenameFlags::NOREPLACE)
            .or_else(|_| unlinkat(directory, &*self.written_as, AtFlags::empty()))
    }

    /// What the file is, if its present name is still its own.
    fn led_to(&self, file: impl AsFd) -> Option<Attributes> {
        let there = Attributes::of(&self.directory, &self.written_as, AtFlags::empty()).ok()?;
        let own = Attributes::of(file, b"", AtFlags::empty()).ok()?;
        (there.unique == own.unique).then_some(own)
    }
}

/// Make `file` look like what it replaces, as far as the system allows: a file that was written in place
/// would have kept its mode and, if we are root, its owner.
fn inherit(file: impl AsFd, own: &Attributes, from: &Attributes) {
    if (own.owner, own.group) != (from.owner, from.group) {
        let _ = fchown(&file, Some(Uid::from_raw(from.owner)), Some(Gid::from_raw(from.group)));
    }
    let mode = from.mode & 0o777;
    if own.mode != mode
        && let Err(errno) = fchmod(&file, Mode::from_raw_mode(mode))
    {
        log::debug!("the mode of a file that was replaced is lost: {errno}");
    }
}

/// Remove the hidden file of that name, unless somebody writes it: then, and only then, false. Error
/// ENOENT if there is none.
pub(super) fn remove(directory: impl AsFd, hidden: &[u8]) -> Result<bool, Errno> {
    let Some(_locked) = acquire(&directory, hidden, None)? else { return Ok(false) };
    unlinkat(&directory, hidden, AtFlags::empty())?;
    Ok(true)
}

#[cfg(test)]
mod tests;
