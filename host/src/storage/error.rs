//! Why the storage did not do it.

use std::fmt;

use rustix::io::Errno;

/// Why the storage did not do it: `error` of `wit/storage.wit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// No such file or directory.
    NotFound,
    /// The volume's permissions or the file system's forbid it, or the path would leave the volume.
    Denied,
    /// There is something of that name already.
    Exists,
    /// A part of the path is not a directory.
    NotDirectory,
    /// A directory where a file is needed, or a thing that is neither.
    NotFile,
    /// The directory has entries.
    NotEmpty,
    /// Not a name that this storage can have: too long, or not normalised.
    BadName,
    /// The disk or the quota is full, or the file would be too large.
    NoSpace,
    /// The offset is beyond the end of the file.
    BadOffset,
    /// In use by somebody else, or the host has no more descriptors; another try may succeed.
    Busy,
    /// This storage cannot do it at all.
    Unsupported,
    /// The medium failed.
    Io,
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        match errno {
            // Links that go in circles lead nowhere.
            Errno::NOENT | Errno::LOOP => Self::NotFound,
            // EXDEV is openat2's word for a path that leaves the volume.
            Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::XDEV => Self::Denied,
            Errno::EXIST => Self::Exists,
            Errno::NOTDIR => Self::NotDirectory,
            // ENXIO and ENODEV: a pipe that nobody reads, a socket, a device without a driver.
            Errno::ISDIR | Errno::NXIO | Errno::NODEV => Self::NotFile,
            Errno::NOTEMPTY => Self::NotEmpty,
            // EINVAL also for a directory that would move into itself.
            Errno::NAMETOOLONG | Errno::INVAL | Errno::ILSEQ => Self::BadName,
            Errno::NOSPC | Errno::DQUOT | Errno::FBIG => Self::NoSpace,
            Errno::BUSY | Errno::TXTBSY | Errno::AGAIN | Errno::MFILE | Errno::NFILE => Self::Busy,
            Errno::NOSYS | Errno::OPNOTSUPP => Self::Unsupported,
            _ => Self::Io,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no such file or directory",
            Self::Denied => "not permitted",
            Self::Exists => "the name is taken",
            Self::NotDirectory => "not a directory",
            Self::NotFile => "not a regular file",
            Self::NotEmpty => "the directory is not empty",
            Self::BadName => "not a possible name",
            Self::NoSpace => "no space left",
            Self::BadOffset => "the offset is beyond the end of the file",
            Self::Busy => "in use",
            Self::Unsupported => "not supported by this storage",
            Self::Io => "the medium failed",
        })
    }
}

impl std::error::Error for Error {}
