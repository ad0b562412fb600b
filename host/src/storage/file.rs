//! An open file.

use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, ftruncate};
use rustix::io::{Errno, dup, pread, pwrite, retry_on_intr, write};

use super::{Access, Attributes, Error, Kind};

/// An open regular file. Clones share it, so that a transfer keeps the file that the guest has dropped.
#[derive(Clone, Debug)]
pub struct File(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    descriptor: OwnedFd,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    Read,
    Write(Mutex<Position>),
    /// The descriptor is O_APPEND: the kernel finds the end at each write.
    Append,
}

/// Where the next octets are written.
#[derive(Debug)]
struct Position {
    at: u64,
    /// What lies behind `at` has still to go.
    cut: bool,
}

impl File {
    /// Take a descriptor that was opened for `access`. Errors: `NotFile`, `BadOffset`.
    pub(super) fn new(descriptor: OwnedFd, access: Access) -> Result<Self, Error> {
        let attributes = Attributes::of(&descriptor, b"", AtFlags::empty())?;
        if attributes.kind != Kind::File {
            return Err(Error::NotFile);
        }
        let mode = match access {
            Access::Read => Mode::Read,
            Access::Write(offset) if offset > attributes.size => return Err(Error::BadOffset),
            Access::Write(at) => Mode::Write(Mutex::new(Position { at, cut: attributes.size > at })),
            Access::Create => Mode::Write(Mutex::new(Position { at: 0, cut: false })),
            Access::Append => Mode::Append,
        };
        Ok(Self(Arc::new(Inner { descriptor, mode })))
    }

    /// Its size now, in octets.
    pub fn size(&self) -> Result<u64, Error> {
        Ok(Attributes::of(self, b"", AtFlags::empty())?.size)
    }

    /// Up to `length` octets from `offset`, [`READ_MAX`] at most; none at the end. Error `Denied` if the
    /// file is open for writing.
    pub fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        if !matches!(self.0.mode, Mode::Read) {
            return Err(Error::Denied);
        }
        // The kernel counts in a signed number, and no file reaches beyond that.
        let room = usize::try_from(i64::MAX.saturating_sub_unsigned(offset).max(0)).unwrap_or(usize::MAX);
        let mut octets = Vec::with_capacity(READ_MAX.min(length as usize).min(room));
        if octets.capacity() > 0 {
            while let Err(errno) = pread(self, spare_capacity(&mut octets), offset) {
                if errno != Errno::INTR {
                    return Err(errno.into());
                }
            }
        }
        Ok(octets)
    }

    /// Write all of `octets` behind those written before. After an error, some may be written. Error
    /// `Denied` if the file is open for reading.
    pub fn write(&self, mut octets: &[u8]) -> Result<(), Error> {
        match &self.0.mode {
            Mode::Read => Err(Error::Denied),
            Mode::Write(position) => {
                let mut position = position.lock().unwrap_or_else(PoisonError::into_inner);
                while !octets.is_empty() {
                    self.cut(&mut position)?;
                    let count = retry_on_intr(|| pwrite(self, octets, position.at))?;
                    octets = rest(octets, count)?;
                    position.at += count as u64;
                }
                Ok(())
            }
            Mode::Append => {
                while !octets.is_empty() {
                    octets = rest(octets, retry_on_intr(|| write(self, octets))?)?;
                }
                Ok(())
            }
        }
    }

    /// Everything is written. The only way to learn of the last errors. Not a sync: what the kernel
    /// holds survives this process, but not a power cut.
    pub fn finish(&self) -> Result<(), Error> {
        match &self.0.mode {
            Mode::Read => return Ok(()),
            Mode::Write(position) => self.cut(&mut position.lock().unwrap_or_else(PoisonError::into_inner))?,
            Mode::Append => {}
        }
        // Network file systems write behind, and report a full disk when a descriptor is closed.
        let again = dup(self)?.into_raw_fd();
        // SAFETY: `again` was made in the line above, and nobody else has or uses it.
        match unsafe { libc::close(again) } {
            0 => Ok(()),
            _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO).into()),
        }
    }

    /// Whether the next write has to cut the file, which may take a while.
    pub fn will_cut(&self) -> bool {
        match &self.0.mode {
            Mode::Write(position) => position.lock().unwrap_or_else(PoisonError::into_inner).cut,
            Mode::Read | Mode::Append => false,
        }
    }

    fn cut(&self, position: &mut Position) -> Result<(), Error> {
        if position.cut {
            retry_on_intr(|| ftruncate(self, position.at))?;
            position.cut = false;
        }
        Ok(())
    }
}

/// For sendfile(2) and the like. Whoever writes by it goes past the position and the cut.
impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.descriptor.as_fd()
    }
}

/// What is left after `count` octets went. A medium that takes none would be asked for ever: `Io`.
fn rest(octets: &[u8], count: usize) -> Result<&[u8], Error> {
    if count == 0 { Err(Error::Io) } else { octets.get(count..).ok_or(Error::Io) }
}

/// Octets of one [`File::read`], so that a guest cannot make the host allocate at will: what one write
/// to a stream takes.
pub const READ_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::storage::scratch;

    #[test]
    fn read_in_pieces() {
        let (root, volume) = scratch();
        fs::write(root.path().join("f"), vec![7; READ_MAX + 5]).unwrap();
        let file = volume.open(b"/f", Access::Read).unwrap();
        assert_eq!(file.size(), Ok(READ_MAX as u64 + 5));
        assert_eq!(file.read(0, u32::MAX).unwrap().len(), READ_MAX);
        assert_eq!(file.read(READ_MAX as u64, 100).unwrap(), [7; 5]);
        for offset in [READ_MAX as u64 + 5, i64::MAX as u64 - 1, i64::MAX as u64, u64::MAX] {
            assert_eq!(file.read(offset, 100), Ok(vec![]));
        }
        assert_eq!(file.read(0, 0), Ok(vec![]));
        assert_eq!(file.write(b"x"), Err(Error::Denied));
        assert_eq!(file.finish(), Ok(()));
    }

    #[test]
    fn cut_by_the_first_octets_and_not_before() {
        let (root, volume) = scratch();
        let path = root.path().join("f");
        fs::write(&path, "0123456789").unwrap();
        let file = volume.open(b"/f", Access::Write(4)).unwrap();
        assert_eq!(file.read(0, 1), Err(Error::Denied));
        file.write(b"").unwrap();
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"0123456789", "a transfer that never began costs nothing");

        let file = volume.open(b"/f", Access::Write(4)).unwrap();
        file.write(b"ab").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"0123ab");
        let transfer = file.clone();
        drop(file);
        transfer.write(b"cd").unwrap();
        transfer.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"0123abcd");

        volume.open(b"/f", Access::Write(2)).unwrap().finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"01", "an empty transfer that ended well");
    }

    #[test]
    fn offset_beyond_the_end() {
        let (root, volume) = scratch();
        fs::write(root.path().join("f"), "abc").unwrap();
        assert!(volume.open(b"/f", Access::Write(3)).is_ok());
        for offset in [4, i64::MAX as u64, u64::MAX] {
            assert_eq!(volume.open(b"/f", Access::Write(offset)).err(), Some(Error::BadOffset));
        }
        assert_eq!(volume.open(b"/new", Access::Write(1)).err(), Some(Error::BadOffset));
        assert!(!root.path().join("new").exists(), "made by an opening that failed");
        assert_eq!(volume.open(b"/no/new", Access::Write(1)).err(), Some(Error::NotFound));
    }

    #[test]
    fn append_behind_whatever_the_end_is() {
        let (root, volume) = scratch();
        let one = volume.open(b"/f", Access::Append).unwrap();
        let other = volume.open(b"/f", Access::Append).unwrap();
        one.write(b"a").unwrap();
        other.write(b"b").unwrap();
        one.write(b"c").unwrap();
        one.finish().unwrap();
        assert_eq!(fs::read(root.path().join("f")).unwrap(), b"abc");
    }

    #[test]
    fn create_only_what_is_not_there() {
        let (root, volume) = scratch();
        volume.open(b"/f", Access::Create).unwrap().write(b"new").unwrap();
        assert_eq!(fs::read(root.path().join("f")).unwrap(), b"new");
        assert_eq!(volume.open(b"/f", Access::Create).err(), Some(Error::Exists));
        std::os::unix::fs::symlink("nowhere", root.path().join("l")).unwrap();
        assert_eq!(volume.open(b"/l", Access::Create).err(), Some(Error::Exists));
    }
}
