//! Local files, by capability handles. What `wit/storage.wit` promises is kept here.
//!
//! A [`Volume`] holds a descriptor of one directory, and everything is looked up beneath it by the
//! kernel (openat2(2), RESOLVE_BENEATH): no name a guest gives is ever joined to a path of the host's,
//! and no check is made on a name that could be somebody else's by the time it is used.
//!
//! Plain blocking calls: whoever calls decides on which thread. The `*_cached` ones never wait for a
//! local disk. None of this knows of WebAssembly, users or FTP.
//!
//! A [`Storage`] has files elsewhere, and a [`Root`] is the one or the other.

mod checksum;
mod copy;
pub(crate) mod custom;
mod directory;
mod error;
mod file;
mod hidden;
pub(crate) mod host;
pub(crate) mod pace;
mod path;
pub(crate) mod tree;
mod upload;
mod volume;
mod work;

use std::ops::BitOr;
use std::os::fd::AsFd;
use std::time::SystemTime;

use rustix::fs::{AtFlags, FileType, StatxFlags, StatxTimestamp, makedev, statx};
use rustix::io::Errno;

pub use checksum::Algorithm;
pub use custom::{Entries, Placement, Reader, Storage, Writer};
pub use directory::Directory;
pub use error::Error;
pub use file::{File, READ_MAX};
pub(crate) use path::is_normalised;
pub use tree::Root;
pub use upload::Unfinished;
pub use volume::{UMASK, Volume};
pub(crate) use work::Work;

/// What may be done in a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions(u16);

impl Permissions {
    /// Nothing at all.
    pub const NONE: Self = Self(0);
    /// List directories and see attributes.
    pub const LIST: Self = Self(1);
    /// Read files.
    pub const READ: Self = Self(1 << 1);
    /// Write files, new or not.
    pub const WRITE: Self = Self(1 << 2);
    /// Remove files.
    pub const DELETE: Self = Self(1 << 3);
    /// Rename files and directories.
    pub const RENAME: Self = Self(1 << 4);
    /// Make directories.
    pub const MAKE_DIRECTORY: Self = Self(1 << 5);
    /// Remove directories.
    pub const REMOVE_DIRECTORY: Self = Self(1 << 6);
    /// Change times and modes.
    pub const SET_ATTRIBUTES: Self = Self(1 << 7);
    /// Change the time of creation, which no local file system lets anybody do.
    pub const SET_CREATED: Self = Self(1 << 8);
    /// Look and take, change nothing.
    pub const READ_ONLY: Self = Self(Self::LIST.0 | Self::READ.0);
    /// Everything that can be done with local files: all but [`SET_CREATED`](Self::SET_CREATED).
    pub const ALL: Self = Self(Self::SET_CREATED.0 - 1);

    /// Whether all of `other` is permitted.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Error [`Error::Denied`] unless all of `needed` is permitted.
    fn allow(self, needed: Self) -> Result<(), Error> {
        if self.contains(needed) { Ok(()) } else { Err(Error::Denied) }
    }
}

impl BitOr for Permissions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What an entry of a directory is, after links inside the volume were followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link that leads nowhere inside the volume.
    Link,
    /// A device, a socket, a pipe.
    Other,
}

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970-01-01T00:00:00Z, before it if negative.
    pub seconds: i64,
    /// Nanoseconds after that.
    pub nanoseconds: u32,
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => {
                let seconds = i64::try_from(after.as_secs()).unwrap_or(i64::MAX);
                Self { seconds, nanoseconds: after.subsec_nanos() }
            }
            Err(before) => {
                let before = before.duration();
                let seconds = -i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
                match before.subsec_nanos() {
                    0 => Self { seconds, nanoseconds: 0 },
                    nanoseconds => Self { seconds: seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
                }
            }
        }
    }
}

/// What is known of a file without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// File, directory, or what else.
    pub kind: Kind,
    /// Octets; of a directory, what the file system says; of a link, 0: its text is none of the
    /// client's business, nor is that text's length.
    pub size: u64,
    /// Last change of the contents.
    pub modified: Time,
    /// When it was made, if the file system knows.
    pub created: Option<Time>,
    /// The lower twelve bits of the Unix mode.
    pub mode: u32,
    /// Hard links.
    pub links: u64,
    /// Numeric user.
    pub owner: u32,
    /// Numeric group.
    pub group: u32,
    /// Device and inode, or what else two names of one file have in common and no other file has. Two zeros of a
    /// [`Storage`]: a number is made from the path.
    pub unique: (u64, u64),
}

impl Attributes {
    /// Of a file of `size` octets of another storage than a local directory. What such a one need not know is made up:
    /// everybody may read it, and its number comes from its path.
    pub fn file(size: u64, modified: Time) -> Self {
        let kind = Kind::File;
        Self { kind, size, modified, created: None, mode: 0o644, links: 1, owner: 0, group: 0, unique: (0, 0) }
    }

    /// The same of a directory.
    pub fn directory(modified: Time) -> Self {
        Self { kind: Kind::Directory, mode: 0o755, ..Self::file(0, modified) }
    }

    /// Of the name in `directory` itself, not of what it leads to; of `directory` if the name is empty.
    fn of(directory: impl AsFd, name: &[u8], flags: AtFlags) -> Result<Self, Errno> {
        let flags = flags | AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
        let found = statx(directory, name, flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME)?;
        let kind = match FileType::from_raw_mode(found.stx_mode.into()) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Link,
            _ => Kind::Other,
        };
        let time = |time: StatxTimestamp| Time { seconds: time.tv_sec, nanoseconds: time.tv_nsec };
        let known = StatxFlags::from_bits_retain(found.stx_mask);
        Ok(Self {
            kind,
            size: if kind == Kind::Link { 0 } else { found.stx_size },
            modified: time(found.stx_mtime),
            created: known.contains(StatxFlags::BTIME).then(|| time(found.stx_btime)),
            mode: u32::from(found.stx_mode) & 0o7777,
            links: found.stx_nlink.into(),
            owner: found.stx_uid,
            group: found.stx_gid,
            unique: (makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino),
        })
    }
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Any octets but NUL and `/`.
    pub name: Vec<u8>,
    /// What the name leads to.
    pub attributes: Attributes,
}

/// How a file is opened. Opening truncates nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To read.
    Read,
    /// To write all of it anew, in secret: it takes the place of what was there when it is finished.
    Replace,
    /// To go on from an offset in octets, in what was left unfinished, or else in the file itself. It is
    /// cut there when the first octets are written or the writing is finished. From 0 as `Replace`.
    Resume(u64),
    /// To write behind the end of the file, or else of what was left unfinished. If there is neither, as
    /// `Replace`.
    Append,
    /// As `Replace`, for a name that nobody has or writes.
    Create,
}

/// Octets of a file that takes long to go: about a millisecond.
const LARGE: u64 = 8 * 1024 * 1024;

/// A volume in a new directory, which vanishes with the first of the two.
#[cfg(test)]
pub(crate) fn scratch() -> (tempfile::TempDir, Volume) {
    let root = tempfile::tempdir().unwrap();
    let volume = Volume::open_root(root.path(), Permissions::ALL).unwrap();
    (root, volume)
}
