//! Storages of other makes than a local directory: what such a one has to do, and how a session uses it.
//!
//! The host asks only for what the account may do and only with paths in good form, gives each call a time limit,
//! and makes listings, checksums, copies and transfers of the few things that a [`Storage`] can.

mod file;
mod mount;
mod work;

use bytes::Bytes;
use wasmtime_wasi_io::{async_trait, bytes};

use super::{Attributes, Entry, Error, Time};

pub(crate) use file::{OwnFile, Pieces};
pub(crate) use mount::{Listing, Mount};
pub(crate) use work::OwnWork;

/// A tree of files that is not a directory of this machine.
///
/// A path is absolute and normalised: it begins with `/`, has no empty, `.` or `..` part and no NUL, and no `/` at
/// its end but in the root itself; its octets need not be UTF-8. Permissions have been checked. The root is asked
/// for by [`stat`](Self::stat) and [`list`](Self::list) alone.
///
/// A call may be given up at any point where it waits, when its session ends or it takes longer than
/// [`Limits::answer`](crate::config::Limits::answer). It runs on a thread that other sessions need too: what blocks
/// belongs on one of its own (`tokio::task::spawn_blocking`). All sessions may call at once.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// What `path` is. Error [`Error::NotFound`]. [`Attributes::file`] and [`Attributes::directory`] have everything
    /// that a storage need not know.
    async fn stat(&self, path: &[u8]) -> Result<Attributes, Error>;

    /// The entries of a directory, in no particular order. Errors: [`Error::NotFound`], [`Error::NotDirectory`].
    async fn list(&self, path: &[u8]) -> Result<Box<dyn Entries>, Error>;

    /// Open a file to read. Errors: [`Error::NotFound`], [`Error::NotFile`].
    async fn read(&self, path: &[u8]) -> Result<Box<dyn Reader>, Error>;

    /// Open a file to write. What is written is seen when it is finished, and not before. Errors:
    /// [`Error::NotFile`], and those of [`Placement`].
    async fn write(&self, path: &[u8], placement: Placement) -> Result<Box<dyn Writer>, Error> {
        let _ = (path, placement);
        Err(Error::Unsupported)
    }

    /// Remove anything but a directory. Errors: [`Error::NotFound`], [`Error::NotFile`].
    async fn remove_file(&self, path: &[u8]) -> Result<(), Error> {
        let _ = path;
        Err(Error::Unsupported)
    }

    /// Make a directory. Error [`Error::Exists`].
    async fn make_directory(&self, path: &[u8]) -> Result<(), Error> {
        let _ = path;
        Err(Error::Unsupported)
    }

    /// Remove an empty directory. Errors: [`Error::NotFound`], [`Error::NotDirectory`], [`Error::NotEmpty`].
    async fn remove_directory(&self, path: &[u8]) -> Result<(), Error> {
        let _ = path;
        Err(Error::Unsupported)
    }

    /// Rename. A file at `to` is replaced; a directory is not: [`Error::Exists`].
    async fn rename(&self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        let _ = (from, to);
        Err(Error::Unsupported)
    }

    /// Make a symbolic link at `path` that leads to `target`.
    async fn make_link(&self, path: &[u8], target: &[u8]) -> Result<(), Error> {
        let _ = (path, target);
        Err(Error::Unsupported)
    }

    /// Set the times that are given.
    async fn set_times(&self, path: &[u8], modified: Option<Time>, created: Option<Time>) -> Result<(), Error> {
        let _ = (path, modified, created);
        Err(Error::Unsupported)
    }

    /// Set the lower nine bits of the Unix mode.
    async fn set_mode(&self, path: &[u8], mode: u32) -> Result<(), Error> {
        let _ = (path, mode);
        Err(Error::Unsupported)
    }

    /// Octets that may still be written.
    async fn space(&self) -> Result<u64, Error> {
        Err(Error::Unsupported)
    }
}

/// Where the octets of an upload go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In the place of all that was there, if there was anything.
    Replace,
    /// Into the file from an offset in octets, above 0; what lies behind it goes. Errors: [`Error::NotFound`];
    /// [`Error::BadOffset`] beyond the end.
    Resume(u64),
    /// Behind the end of the file. If there is none, as `Replace`.
    Append,
    /// As `Replace`, for a name that nobody has. Error [`Error::Exists`], when it is finished too.
    Create,
}

/// A directory being read. A `Vec` of all entries is one.
#[async_trait]
pub trait Entries: Send {
    /// The next entries, as many as are handy; none at the end.
    async fn next(&mut self) -> Result<Vec<Entry>, Error>;
}

#[async_trait]
impl Entries for Vec<Entry> {
    async fn next(&mut self) -> Result<Vec<Entry>, Error> {
        Ok(std::mem::take(self))
    }
}

/// A file that is open to read. [`Bytes`] that are in memory are one.
#[async_trait]
pub trait Reader: Send {
    /// Its size in octets. A transfer that finds fewer has failed.
    fn size(&self) -> u64;

    /// Up to `length` octets from `offset`; none at the end, and only there.
    async fn read(&mut self, offset: u64, length: usize) -> Result<Bytes, Error>;
}

#[async_trait]
impl Reader for Bytes {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    async fn read(&mut self, offset: u64, length: usize) -> Result<Bytes, Error> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        Ok(self.slice(start..start.saturating_add(length).min(self.len())))
    }
}

/// A file that is open to write. Dropped before it is finished, or by an error, it is as if it had never been
/// opened; a drop must not block.
#[async_trait]
pub trait Writer: Send {
    /// Write all of `octets` behind those written before.
    async fn write(&mut self, octets: &[u8]) -> Result<(), Error>;

    /// Everything is written, and can be seen from now on.
    async fn finish(self: Box<Self>) -> Result<(), Error>;
}
