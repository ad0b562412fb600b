//! One user's tree.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT, fstatvfs, mkdirat, openat,
    openat2, renameat, renameat_with, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::path::Path;
use super::{Access, Attributes, Directory, Error, File, Kind, Permissions, Time};

/// One user's tree: a directory, and what may be done beneath it. Each method asks the permissions
/// first (`Denied`), then the path (`BadName`), then the file system.
#[derive(Clone, Debug)]
pub struct Volume {
    root: Arc<OwnedFd>,
    permissions: Permissions,
}

impl Volume {
    /// The tree beneath a directory of the host's. Fails if there is none at `path`, or if the kernel
    /// cannot keep a path beneath it.
    pub fn open_root(path: &std::path::Path, permissions: Permissions) -> io::Result<Self> {
        let root = openat(CWD, path, DIRECTORY, Mode::empty())?;
        let volume = Self { root: Arc::new(root), permissions };
        match volume.resolve(Path::ROOT, DIRECTORY, ResolveFlags::empty()) {
            Ok(_) => Ok(volume),
            // EPERM: what seccomp filters say that do not know the call.
            Err(Errno::NOSYS | Errno::PERM) => Err(io::Error::new(io::ErrorKind::Unsupported, NO_OPENAT2)),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The same tree with other permissions.
    pub fn with_permissions(&self, permissions: Permissions) -> Self {
        Self { root: self.root.clone(), permissions }
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

    /// The entries of a directory.
    pub fn list(&self, path: &[u8]) -> Result<Directory, Error> {
        self.permissions.allow(Permissions::LIST)?;
        let path = Path::new(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Directory::new(self.clone(), path, self.resolve(path, flags, ResolveFlags::empty())?)
    }

    /// Open a regular file; a link is followed inside the volume. Errors: `NotFile`, and those that
    /// [`Access`] brings: `NotFound`, `BadOffset`, `Exists`.
    pub fn open(&self, path: &[u8], access: Access) -> Result<File, Error> {
        self.permissions.allow(if access == Access::Read { Permissions::READ } else { Permissions::WRITE })?;
        let path = Path::new(path)?;
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            // A missing file is shorter than that: it is not made only to be refused.
            Access::Write(1..) => OFlags::WRONLY,
            Access::Write(0) => OFlags::WRONLY | OFlags::CREATE,
            Access::Append => OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND,
            Access::Create => OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL,
        };
        match self.resolve(path, OPEN | flags, ResolveFlags::empty()) {
            Ok(descriptor) => File::new(descriptor, access),
            Err(Errno::NOENT) if matches!(access, Access::Write(1..)) && self.parent(path).is_ok() => {
                Err(Error::BadOffset)
            }
            Err(errno) => Err(errno.into()),
        }
    }

    /// [`open`](Self::open) to read, if the kernel knows the way by heart. `None`: open it where one may
    /// wait. Its octets need not be in memory, and a file system behind a network may still wait.
    pub fn open_cached(&self, path: &[u8]) -> Result<Option<File>, Error> {
        self.permissions.allow(Permissions::READ)?;
        let opened = cached(self.resolve(Path::new(path)?, OPEN | OFlags::RDONLY, ResolveFlags::CACHED))?;
        opened.map(|descriptor| File::new(descriptor, Access::Read)).transpose()
    }

    /// Remove anything but a directory; of a link, the link.
    pub fn remove_file(&self, path: &[u8]) -> Result<(), Error> {
        self.permissions.allow(Permissions::DELETE)?;
        let (parent, last) = self.parent(Path::new(path)?)?.ok_or(Error::NotFile)?;
        Ok(unlinkat(parent, last, AtFlags::empty())?)
    }

    /// Make a directory.
    pub fn make_directory(&self, path: &[u8]) -> Result<(), Error> {
        self.permissions.allow(Permissions::MAKE_DIRECTORY)?;
        let (parent, last) = self.parent(Path::new(path)?)?.ok_or(Error::Exists)?;
        Ok(mkdirat(parent, last, Mode::from_raw_mode(0o777))?)
    }

    /// Remove an empty directory.
    pub fn remove_directory(&self, path: &[u8]) -> Result<(), Error> {
        self.permissions.allow(Permissions::REMOVE_DIRECTORY)?;
        let (parent, last) = self.parent(Path::new(path)?)?.ok_or(Error::Denied)?;
        Ok(unlinkat(parent, last, AtFlags::REMOVEDIR)?)
    }

    /// Rename a file, directory or link. A file at `to` is replaced; a directory is not (`Exists`), nor
    /// is anything replaced by a directory.
    pub fn rename(&self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        self.permissions.allow(Permissions::RENAME)?;
        let (from_parent, from) = self.parent(Path::new(from)?)?.ok_or(Error::Denied)?;
        let (to_parent, to) = self.parent(Path::new(to)?)?.ok_or(Error::Denied)?;
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

    /// Set the time of the last change. Links are followed inside the volume.
    pub fn set_modified(&self, path: &[u8], to: Time) -> Result<(), Error> {
        self.permissions.allow(Permissions::SET_ATTRIBUTES)?;
        let target = self.resolve(Path::new(path)?, OFlags::PATH | OFlags::CLOEXEC, ResolveFlags::empty())?;
        // Two numbers beyond the last nanosecond mean "now" and "not at all" to the kernel.
        let nanoseconds = to.nanoseconds.min(999_999_999);
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: to.seconds, tv_nsec: nanoseconds.into() },
        };
        Ok(utimensat(target, "", &times, AtFlags::EMPTY_PATH)?)
    }

    /// Octets that may still be written here.
    pub fn space(&self) -> Result<u64, Error> {
        self.permissions.allow(Permissions::WRITE)?;
        let system = fstatvfs(&self.root)?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }

    fn look(&self, path: Path<'_>, how: ResolveFlags) -> Result<Attributes, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let own = Attributes::of(self.resolve(path, flags, how)?, b"", sync(how))?;
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

    /// The directory that holds the last part of `path`, opened, and that part. `None` for the root.
    fn parent<'a>(&self, path: Path<'a>) -> Result<Option<(OwnedFd, &'a [u8])>, Error> {
        let Some((parent, last)) = path.split() else { return Ok(None) };
        Ok(Some((self.resolve(parent, DIRECTORY, ResolveFlags::empty())?, last)))
    }

    /// The one place where a path becomes a descriptor.
    fn resolve(&self, path: Path<'_>, flags: OFlags, how: ResolveFlags) -> Result<OwnedFd, Errno> {
        // openat2 refuses a mode for a file that it would not make.
        let mode = if flags.contains(OFlags::CREATE) { Mode::from_raw_mode(0o666) } else { Mode::empty() };
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
const OPEN: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// openat2 gives up (EAGAIN) when anything at all is renamed while it climbs a `..` in a link. So
/// many times in a row is rare even on a busy machine; then the answer is `Busy`.
const RESOLVE_ATTEMPTS: u32 = 32;

const NO_OPENAT2: &str = "the system call openat2 is missing, without which files outside could not be kept out of \
                          reach: Linux 5.8 or newer is needed, and a container's seccomp filter must allow the call";

#[cfg(test)]
mod tests;
