//! One user's tree.

mod attributes;
mod open;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, Dir, Mode, OFlags, RenameFlags, ResolveFlags, fstatvfs, mkdirat, openat, openat2, renameat,
    renameat_with, symlinkat, unlinkat,
};
use rustix::io::Errno;

use super::hidden::{NUMBERS, acquire, hidden, is_hidden};
use super::path::Path;
use super::upload::remove;
use super::{Attributes, Directory, Error, Kind, LARGE, Permissions, Unfinished};

/// One user's tree: a directory, and what may be done beneath it. Each method asks the permissions
/// first (`Denied`), then the path (`BadName`), then the file system.
#[derive(Clone, Debug)]
pub struct Volume {
    root: Arc<OwnedFd>,
    permissions: Permissions,
    unfinished: Unfinished,
    fsync: bool,
    umask: u32,
}

impl Volume {
    /// The tree beneath a directory of the host's. Fails if there is none at `path`, or if the kernel
    /// cannot keep a path beneath it.
    pub fn open_root(path: &std::path::Path, permissions: Permissions) -> io::Result<Self> {
        let root = openat(CWD, path, DIRECTORY, Mode::empty())?;
        let unfinished = Unfinished::default();
        let volume = Self { root: Arc::new(root), permissions, unfinished, fsync: false, umask: UMASK };
        match volume.resolve(Path::ROOT, DIRECTORY, ResolveFlags::empty()) {
            Ok(_) => Ok(volume),
            // EPERM: what seccomp filters say that do not know the call.
            Err(Errno::NOSYS | Errno::PERM) => Err(io::Error::new(io::ErrorKind::Unsupported, NO_OPENAT2)),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The same tree with other permissions.
    pub fn with_permissions(&self, permissions: Permissions) -> Self {
        Self { permissions, ..self.clone() }
    }

    /// The same tree with another fate for uploads that are cut short.
    pub fn with_unfinished(self, unfinished: Unfinished) -> Self {
        Self { unfinished, ..self }
    }

    /// The same tree, in which what was uploaded is at the disk, and survives a power cut, when its end is told; or
    /// not, which is faster and the default.
    pub fn with_fsync(self, fsync: bool) -> Self {
        Self { fsync, ..self }
    }

    /// The bits that the mode of something new does not get, beside those of the process.
    pub fn umask(&self) -> u32 {
        self.umask
    }

    /// Set these, the lower nine bits.
    pub fn set_umask(&mut self, mask: u32) {
        self.umask = mask & 0o777;
    }

    /// What may be done here.
    pub fn permissions(&self) -> Permissions {
        self.permissions
    }

    /// What `path` is. Links are followed; one that leads nowhere inside is of kind `Link`.
    pub fn stat(&self, path: &[u8]) -> Result<Attributes, Error> {
        self.permissions.allow(Permissions::LIST)?;
        Ok(self.look(Path::new(path)?, ResolveFlags::empty())?)
    }

    /// [`stat`](Self::stat) if the kernel has the answer in memory. `None`: ask again where one may wait.
    pub fn stat_cached(&self, path: &[u8]) -> Result<Option<Attributes>, Error> {
        self.permissions.allow(Permissions::LIST)?;
        cached(self.look(Path::new(path)?, ResolveFlags::CACHED))
    }

    /// Whether the octets of what is there, finished or not, take long to go. False if that may not be told.
    pub(super) fn is_large(&self, path: &[u8], needed: Permissions) -> bool {
        let parent = || self.parent(Path::new(path)?, Error::NotFile);
        let Ok((directory, name)) = self.permissions.allow(needed).and_then(|()| parent()) else { return false };
        let size = |name: &[u8]| Attributes::of(&directory, name, AtFlags::empty()).map_or(0, |there| there.size);
        size(name).max(size(&hidden(name, 0))) > LARGE
    }

    /// The entries of a directory.
    pub fn list(&self, path: &[u8]) -> Result<Directory, Error> {
        self.permissions.allow(Permissions::LIST)?;
        let path = Path::new(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Directory::new(self.clone(), path, self.resolve(path, flags, ResolveFlags::empty())?)
    }

    /// Remove anything but a directory; of a link, the link. What was left unfinished goes too, and is
    /// enough for success.
    pub fn remove_file(&self, path: &[u8]) -> Result<(), Error> {
        self.permissions.allow(Permissions::DELETE)?;
        let (parent, last) = self.parent(Path::new(path)?, Error::NotFile)?;
        let removed = unlinkat(&parent, last, AtFlags::empty());
        if !matches!(removed, Ok(()) | Err(Errno::NOENT)) {
            return Ok(removed?);
        }
        let left = (0..=NUMBERS).filter_map(|number| remove(&parent, &hidden(last, number)).ok());
        // All of them, so not `any`, which stops at the first.
        if left.filter(|&gone| gone).count() > 0 { Ok(()) } else { Ok(removed?) }
    }

    /// Make a directory.
    pub fn make_directory(&self, path: &[u8]) -> Result<(), Error> {
        self.permissions.allow(Permissions::MAKE_DIRECTORY)?;
        let (parent, last) = self.parent(Path::new(path)?, Error::Exists)?;
        Ok(mkdirat(parent, last, Mode::from_raw_mode(0o777 & !self.umask))?)
    }

    /// Remove an empty directory. What was left unfinished in it goes too.
    pub fn remove_directory(&self, path: &[u8]) -> Result<(), Error> {
        match self.remove_empty(path) {
            Err(Error::NotEmpty) => {}
            done => return done,
        }
        let (parent, last) = self.parent(Path::new(path)?, Error::Denied)?;
        // A directory, since the kernel said so; if it has become a link, that is not followed.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = openat(&parent, last, flags, Mode::empty()).map_err(|_| Error::NotEmpty)?;
        remove_hidden(&directory)?;
        self.remove_empty(path)
    }

    /// The same, but for what was left unfinished.
    pub(super) fn remove_empty(&self, path: &[u8]) -> Result<(), Error> {
        self.permissions.allow(Permissions::REMOVE_DIRECTORY)?;
        let (parent, last) = self.parent(Path::new(path)?, Error::Denied)?;
        match unlinkat(&parent, last, AtFlags::REMOVEDIR) {
            Err(Errno::EXIST) => Err(Error::NotEmpty),
            done => Ok(done?),
        }
    }

    /// Rename a file, directory or link. A file at `to` is replaced; a directory is not (`Exists`), nor
    /// is anything replaced by a directory.
    pub fn rename(&self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        self.permissions.allow(Permissions::RENAME)?;
        let (from_parent, from) = self.parent(Path::new(from)?, Error::Denied)?;
        let (to_parent, to) = self.parent(Path::new(to)?, Error::Denied)?;
        match renameat_with(&from_parent, from, &to_parent, to, RenameFlags::NOREPLACE) {
            // Something is there; or, EINVAL, the file system cannot promise this, or `to` lies in `from`.
            Err(Errno::EXIST | Errno::INVAL) => {}
            done => return Ok(done?),
        }
        let kind = |parent, name| -> Result<Kind, Errno> { Ok(Attributes::of(parent, name, AtFlags::empty())?.kind) };
        if let Ok(there) = kind(&to_parent, to)
            && (there == Kind::Directory || kind(&from_parent, from)? == Kind::Directory)
        {
            return Err(Error::Exists);
        }
        match renameat(&from_parent, from, &to_parent, to) {
            // A directory has come there this very moment.
            Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::NOTDIR) => Err(Error::Exists),
            done => Ok(done?),
        }
    }

    /// Make a symbolic link that leads to `target`, which need not exist. Error `Unsupported` beneath a
    /// directory that is reached by a link: what `..` means there cannot be told.
    pub fn make_link(&self, path: &[u8], target: &[u8]) -> Result<(), Error> {
        self.permissions.allow(Permissions::WRITE)?;
        let (path, target) = (Path::new(path)?, Path::new(target)?);
        let (parent, last) = path.split().ok_or(Error::Exists)?;
        let parent = match self.resolve(parent, DIRECTORY, ResolveFlags::NO_SYMLINKS) {
            Err(Errno::LOOP) => return Err(Error::Unsupported),
            parent => parent?,
        };
        Ok(symlinkat(path.link_to(target), parent, last)?)
    }

    /// Octets that may still be written here.
    pub fn space(&self) -> Result<u64, Error> {
        self.permissions.allow(Permissions::WRITE)?;
        let system = fstatvfs(&self.root)?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }

    fn look(&self, path: Path<'_>, how: ResolveFlags) -> Result<Attributes, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let own = match path.split() {
            // Nothing lies between.
            Some((Path::ROOT, name)) if !how.contains(ResolveFlags::CACHED) => {
                Attributes::of(&self.root, name, sync(how))?
            }
            _ => Attributes::of(self.resolve(path, flags, how)?, b"", sync(how))?,
        };
        self.follow(path, own, how)
    }

    /// What `path` leads to, given its own attributes: those of a link if it leads nowhere inside.
    pub(super) fn follow(&self, path: Path<'_>, own: Attributes, how: ResolveFlags) -> Result<Attributes, Errno> {
        if own.kind != Kind::Link {
            return Ok(own);
        }
        match self.resolve(path, OFlags::PATH | OFlags::CLOEXEC, how) {
            Ok(target) => Attributes::of(target, b"", sync(how)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::ACCESS | Errno::NAMETOOLONG) => {
                Ok(own)
            }
            Err(errno) => Err(errno),
        }
    }

    /// The directory that holds the last part of `path`, opened, and that part. The root has none: then it is this error.
    fn parent<'a>(&self, path: Path<'a>, of_root: Error) -> Result<(Arc<OwnedFd>, &'a [u8]), Error> {
        let (parent, last) = path.split().ok_or(of_root)?;
        let directory = match parent {
            Path::ROOT => self.root.clone(),
            parent => Arc::new(self.resolve(parent, DIRECTORY, ResolveFlags::empty())?),
        };
        Ok((directory, last))
    }

    /// Of a new file.
    fn file_mode(&self) -> Mode {
        Mode::from_raw_mode(0o666 & !self.umask)
    }

    /// The one place where a path becomes a descriptor.
    fn resolve(&self, path: Path<'_>, flags: OFlags, how: ResolveFlags) -> Result<OwnedFd, Errno> {
        // openat2 refuses a mode for a file that it would not make.
        let mode = if flags.contains(OFlags::CREATE) { self.file_mode() } else { Mode::empty() };
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | how;
        let mut attempts = if how.contains(ResolveFlags::CACHED) { 1 } else { RESOLVE_ATTEMPTS };
        loop {
            attempts -= 1;
            match openat2(&self.root, path.relative(), flags, mode, beneath) {
                Err(Errno::AGAIN) if attempts > 0 => {}
                Err(Errno::INTR) => attempts += 1,
                done => return done,
            }
        }
    }
}

/// Remove what was left unfinished in a directory, if it has nothing else: `NotEmpty`.
fn remove_hidden(directory: &OwnedFd) -> Result<(), Error> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if is_hidden(&name) {
            names.push(name);
        } else if !matches!(&name[..], b"." | b"..") {
            return Err(Error::NotEmpty);
        }
    }
    // Nothing goes as long as something would stay.
    for name in &names {
        acquire(directory, name, None)?.ok_or(Error::NotEmpty)?;
    }
    for name in &names {
        remove(directory, name)?;
    }
    Ok(())
}

/// EAGAIN says that the answer is not in memory, EINVAL that the kernel (before 5.12) cannot tell.
fn cached<T>(answer: Result<T, Errno>) -> Result<Option<T>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Errno::AGAIN | Errno::INVAL) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// What cannot wait does not ask a file server whether the attributes are still true.
fn sync(how: ResolveFlags) -> AtFlags {
    if how.contains(ResolveFlags::CACHED) { AtFlags::STATX_DONT_SYNC } else { AtFlags::STATX_SYNC_AS_STAT }
}

/// A directory to look beneath, which need not be readable.
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A file may turn out to be a pipe that nobody serves or a terminal: neither may hold the host.
pub(super) const OPEN: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// openat2 gives up (EAGAIN) when anything at all is renamed while it climbs a `..` in a link. So
/// many times in a row is rare even on a busy machine; then the answer is `Busy`.
const RESOLVE_ATTEMPTS: u32 = 32;

/// What most systems have: others may read, and only the owner may change.
pub const UMASK: u32 = 0o022;

const NO_OPENAT2: &str = "the system call openat2 is missing, without which files outside could not be kept out of \
                          reach: Linux 5.8 or newer is needed, and a container's seccomp filter must allow the call";

#[cfg(test)]
mod tests;
