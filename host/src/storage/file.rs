//! An open file.

use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::buffer::spare_capacity;
use rustix::fs::{
    AtFlags, FallocateFlags, FlockOperation, copy_file_range, fallocate, flock, fstatfs, fsync, ftruncate,
};
use rustix::io::{Errno, dup, pread, pwrite, retry_on_intr, write};

use super::upload::Upload;
use super::{Attributes, Error, Kind, LARGE};

/// An open regular file. Clones share it, so that a transfer keeps the file that the guest has dropped.
#[derive(Clone, Debug)]
pub struct File(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    descriptor: OwnedFd,
    mode: Mode,
    /// What is to be done at its end.
    upload: Option<Upload>,
    /// It is to be at the disk by then.
    fsync: bool,
    /// Room for more than was written may have been reserved.
    reserved: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.trim();
        if let Some(upload) = &self.upload {
            // Still locked: the descriptor is closed after this.
            upload.abandon(&self.descriptor);
        }
    }
}

impl Inner {
    /// Give back what was reserved behind the end.
    fn trim(&self) {
        if self.reserved.swap(false, Ordering::Relaxed)
            && let Ok(own) = Attributes::of(&self.descriptor, b"", AtFlags::empty())
            && let Err(errno) = ftruncate(&self.descriptor, own.size)
        {
            log::warn!("room that was reserved for an upload is not given back: {errno}");
        }
    }
}

#[derive(Debug)]
enum Mode {
    /// `size`: in octets, when it was opened.
    Read {
        size: u64,
    },
    Write(Mutex<Position>),
    /// The descriptor is O_APPEND: the kernel finds the end at each write.
    Append,
}

/// Where the next octets are written.
#[derive(Debug)]
struct Position {
    at: u64,
    /// Octets that lie behind `at` and have still to go.
    behind: u64,
}

impl File {
    /// Take a descriptor that was opened to read. Error `NotFile`.
    pub(super) fn reader(descriptor: OwnedFd) -> Result<Self, Error> {
        let size = regular(&descriptor)?.size;
        Ok(Self::new(descriptor, Mode::Read { size }, None, false))
    }

    /// Take a locked descriptor of a regular file of `size` octets, to write from `at`.
    pub(super) fn writer(descriptor: OwnedFd, at: u64, size: u64, upload: Option<Upload>, fsync: bool) -> Self {
        Self::new(descriptor, Mode::Write(Mutex::new(Position { at, behind: size.saturating_sub(at) })), upload, fsync)
    }

    /// Take a locked descriptor of a regular file that was opened to append.
    pub(super) fn appender(descriptor: OwnedFd, fsync: bool) -> Self {
        Self::new(descriptor, Mode::Append, None, fsync)
    }

    fn new(descriptor: OwnedFd, mode: Mode, upload: Option<Upload>, fsync: bool) -> Self {
        Self(Arc::new(Inner { descriptor, mode, upload, fsync, reserved: AtomicBool::new(false) }))
    }

    /// Its size now, in octets.
    pub fn size(&self) -> Result<u64, Error> {
        Ok(Attributes::of(self, b"", AtFlags::empty())?.size)
    }

    /// Up to `length` octets from `offset`, [`READ_MAX`] at most; none at the end. Error `Denied` if the
    /// file is open for writing.
    pub fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        if !matches!(self.0.mode, Mode::Read { .. }) {
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
            Mode::Read { .. } => Err(Error::Denied),
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

    /// Write some of what `source` has from `offset` on, at most `length` octets, behind those written
    /// before; tell how many. Error `Denied` unless `source` is open to read and this to write; `Io` at the
    /// end of `source`.
    pub(super) fn copy(&self, source: &Self, offset: u64, length: usize) -> Result<usize, Error> {
        if let (Mode::Read { .. }, Mode::Write(position)) = (&source.0.mode, &self.0.mode) {
            let mut position = position.lock().unwrap_or_else(PoisonError::into_inner);
            self.cut(&mut position)?;
            let (mut from, mut to) = (offset, position.at);
            match retry_on_intr(|| copy_file_range(source, Some(&mut from), self, Some(&mut to), length)) {
                Ok(count @ 1..) => {
                    position.at += count as u64;
                    return Ok(count);
                }
                // Between file systems, or within one that cannot; some take none where they should say so.
                Ok(0) | Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        let octets = source.read(offset, length.try_into().unwrap_or(u32::MAX))?;
        self.write(&octets)?;
        if octets.is_empty() { Err(Error::Io) } else { Ok(octets.len()) }
    }

    /// Keep room at the disk for `length` more octets, given back when fewer are written. A file system that cannot do
    /// so is no error. Errors: `NoSpace` if there is not so much; `Denied` if the file is open for reading.
    pub fn reserve(&self, length: u64) -> Result<(), Error> {
        let at = match &self.0.mode {
            Mode::Read { .. } => return Err(Error::Denied),
            Mode::Write(position) => position.lock().unwrap_or_else(PoisonError::into_inner).at,
            Mode::Append => self.size()?,
        };
        if length == 0 || is_in_memory(self)? {
            return Ok(());
        }
        self.0.reserved.store(true, Ordering::Relaxed);
        match retry_on_intr(|| fallocate(self, FallocateFlags::KEEP_SIZE, at, length)) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            // Some file systems have taken what there was.
            Err(errno) => {
                self.0.trim();
                Err(errno.into())
            }
            Ok(()) => Ok(()),
        }
    }

    /// What was written is of no use: without a finish, it is removed. A file that can be seen stays.
    pub fn discard(&self) {
        if let Some(upload) = &self.0.upload {
            upload.discarded.store(true, Ordering::Relaxed);
        }
    }

    /// Everything is written, and has its name. The only way to learn of the last errors. Without
    /// [`Volume::with_fsync`](super::Volume::with_fsync), what the kernel holds survives this process, but not a
    /// power cut.
    pub fn finish(&self) -> Result<(), Error> {
        match &self.0.mode {
            Mode::Read { .. } => return Ok(()),
            Mode::Write(position) => self.cut(&mut position.lock().unwrap_or_else(PoisonError::into_inner))?,
            Mode::Append => {}
        }
        self.0.trim();
        self.flush()?;
        if self.0.fsync {
            retry_on_intr(|| fsync(self))?;
        }
        if let Some(upload) = &self.0.upload {
            upload.publish(self)?;
            if self.0.fsync {
                upload.sync_name()?;
            }
        }
        // Whoever comes next need not wait for our last clone to go.
        let _ = flock(self, FlockOperation::Unlock);
        Ok(())
    }

    /// Network file systems write behind, and report a full disk when a descriptor is closed.
    fn flush(&self) -> Result<(), Error> {
        let again = dup(self)?.into_raw_fd();
        // SAFETY: `again` was made in the line above, and nobody else has or uses it.
        match unsafe { libc::close(again) } {
            0 => Ok(()),
            _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO).into()),
        }
    }

    /// Whether [`finish`](Self::finish) takes long, however quick the disk is.
    pub(super) fn finishes_slowly(&self) -> bool {
        self.cuts_slowly() || self.has_reserved() || self.0.fsync && !matches!(self.0.mode, Mode::Read { .. })
    }

    /// Whether the first octets to be written take the place of so many that it takes long.
    pub(crate) fn cuts_slowly(&self) -> bool {
        let Mode::Write(position) = &self.0.mode else { return false };
        // Whoever holds it may be cutting.
        !position.try_lock().is_ok_and(|position| position.behind <= LARGE)
    }

    /// Whether dropping this clone takes long: a large file that has no name any more goes with it, or room is given back.
    pub(super) fn goes_slowly(&self) -> bool {
        // As far as can be told without asking the system, which most files are spared.
        let may_be_large = match &self.0.mode {
            Mode::Read { size } => *size > LARGE,
            Mode::Write(position) => {
                position.try_lock().map_or(true, |position| position.at.saturating_add(position.behind) > LARGE)
            }
            Mode::Append => true,
        };
        let has_name = || Attributes::of(self, b"", AtFlags::empty()).is_ok_and(|own| own.links > 0);
        self.is_last() && (self.has_reserved() || may_be_large && !has_name())
    }

    fn has_reserved(&self) -> bool {
        self.0.reserved.load(Ordering::Relaxed)
    }

    /// The file that this one has replaced, if it is large. It goes when this is dropped, which takes long.
    pub(super) fn replaced(&self) -> Option<OwnedFd> {
        let upload = self.0.upload.as_ref().filter(|upload| upload.is_finished())?;
        upload.old.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether there is no other clone of it.
    pub(super) fn is_last(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Whether dropping this clone removes or renames something, which may take a while.
    pub(super) fn ends_unfinished(&self) -> bool {
        self.is_last() && self.0.upload.as_ref().is_some_and(|upload| !upload.is_finished())
    }

    /// Whether `source` is this very file under whatever name, and not only appended to.
    pub(super) fn would_cut(&self, source: &Self) -> Result<bool, Error> {
        let unique = |file: &Self| Ok::<_, Errno>(Attributes::of(file, b"", AtFlags::empty())?.unique);
        Ok(!matches!(self.0.mode, Mode::Append) && unique(self)? == unique(source)?)
    }

    fn cut(&self, position: &mut Position) -> Result<(), Error> {
        if position.behind > 0 {
            retry_on_intr(|| ftruncate(self, position.at))?;
            position.behind = 0;
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

/// The attributes of a regular file. Error `NotFile` for anything else.
pub(super) fn regular(descriptor: impl AsFd) -> Result<Attributes, Error> {
    let attributes = Attributes::of(descriptor, b"", AtFlags::empty())?;
    if attributes.kind == Kind::File { Ok(attributes) } else { Err(Error::NotFile) }
}

/// Whether its octets are in memory and nowhere else. What is reserved there is taken from everybody, and written over
/// at once.
fn is_in_memory(descriptor: impl AsFd) -> Result<bool, Errno> {
    Ok(fstatfs(descriptor)?.f_type == TMPFS)
}

/// What is left after `count` octets went. A medium that takes none would be asked for ever: `Io`.
fn rest(octets: &[u8], count: usize) -> Result<&[u8], Error> {
    if count == 0 { Err(Error::Io) } else { octets.get(count..).ok_or(Error::Io) }
}

/// Octets of one [`File::read`], so that a guest cannot make the host allocate at will: what one write
/// to a stream takes.
pub const READ_MAX: usize = 64 * 1024;

/// The file system tmpfs, as statfs(2) has it.
const TMPFS: rustix::fs::FsWord = 0x0102_1994;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::data::cache::unwritten;
    use crate::storage::{Access, scratch};

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
    fn slow_to_cut_if_much_goes() {
        let (root, volume) = scratch();
        let path = root.path().join("f");
        for (more, slow) in [(0, false), (1, true)] {
            fs::File::create(&path).unwrap().set_len(4 + LARGE + more).unwrap();
            let file = volume.open(b"/f", Access::Resume(4)).unwrap();
            assert_eq!((file.cuts_slowly(), file.finishes_slowly()), (slow, slow));
            file.write(b"ab").unwrap();
            assert!(!file.cuts_slowly() && !file.finishes_slowly());
            assert_eq!(file.size(), Ok(6));
        }
    }

    #[test]
    fn slow_to_go_if_large_and_without_a_name() {
        let (root, volume) = scratch();
        let path = root.path().join("f");
        for (more, slow) in [(0, false), (1, true)] {
            for access in [Access::Read, Access::Append, Access::Resume(LARGE)] {
                fs::File::create(&path).unwrap().set_len(LARGE + more).unwrap();
                let file = volume.open(b"/f", access).unwrap();
                assert!(!file.goes_slowly());
                fs::remove_file(&path).unwrap();
                let other = file.clone();
                assert!(!file.goes_slowly());
                drop(other);
                assert_eq!(file.goes_slowly(), slow || access == Access::Append);
            }
        }
    }

    #[test]
    fn cut_by_the_first_octets_and_not_before() {
        let (root, volume) = scratch();
        let path = root.path().join("f");
        fs::write(&path, "0123456789").unwrap();
        let file = volume.open(b"/f", Access::Resume(4)).unwrap();
        assert_eq!(file.read(0, 1), Err(Error::Denied));
        file.write(b"").unwrap();
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"0123456789", "a transfer that never began costs nothing");

        let file = volume.open(b"/f", Access::Resume(4)).unwrap();
        file.write(b"ab").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"0123ab");
        let transfer = file.clone();
        drop(file);
        transfer.write(b"cd").unwrap();
        transfer.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"0123abcd");

        volume.open(b"/f", Access::Resume(2)).unwrap().finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"01", "an empty transfer that ended well");
    }

    #[test]
    fn offset_beyond_the_end() {
        let (root, volume) = scratch();
        fs::write(root.path().join("f"), "abc").unwrap();
        assert!(volume.open(b"/f", Access::Resume(3)).is_ok());
        for offset in [4, i64::MAX as u64, u64::MAX] {
            assert_eq!(volume.open(b"/f", Access::Resume(offset)).err(), Some(Error::BadOffset));
        }
        assert_eq!(volume.open(b"/new", Access::Resume(1)).err(), Some(Error::BadOffset));
        assert!(!root.path().join("new").exists(), "made by an opening that failed");
        assert_eq!(volume.open(b"/no/new", Access::Resume(1)).err(), Some(Error::NotFound));
    }

    #[test]
    fn append_behind_whatever_the_end_is() {
        let (root, volume) = scratch();
        fs::write(root.path().join("f"), "a").unwrap();
        let file = volume.open(b"/f", Access::Append).unwrap();
        assert_eq!(volume.open(b"/f", Access::Append).err(), Some(Error::Busy));
        fs::write(root.path().join("f"), "ab").unwrap();
        file.write(b"c").unwrap();
        file.finish().unwrap();
        volume.open(b"/f", Access::Append).unwrap().write(b"d").unwrap();
        assert_eq!(fs::read(root.path().join("f")).unwrap(), b"abcd");
    }

    #[test]
    fn at_the_disk_when_its_end_is_told() {
        let (_root, volume) = scratch();
        for (fsync, access) in [(true, Access::Replace), (true, Access::Append), (false, Access::Create)] {
            let path = format!("/{access:?}");
            let file = volume.clone().with_fsync(fsync).open(path.as_bytes(), access).unwrap();
            file.write(&[1; 100_000]).unwrap();
            assert_eq!(file.finishes_slowly(), fsync);
            file.finish().unwrap();
            let Some(unwritten) = unwritten(file.as_fd()) else { return };
            assert!((unwritten == 0) == fsync || is_in_memory(&file).unwrap(), "{unwritten} pages of {path}");
        }
    }

    #[test]
    fn reserved_and_given_back() {
        use std::os::unix::fs::MetadataExt;

        const LENGTH: u64 = 1024 * 1024;
        let (root, volume) = scratch();
        let size = |name: &str| {
            let metadata = fs::metadata(root.path().join(name)).unwrap();
            (metadata.len(), metadata.blocks() * 512)
        };
        for (path, finished, name) in [("/a", true, "a"), ("/b", false, ".in.b.")] {
            let file = volume.open(path.as_bytes(), Access::Replace).unwrap();
            file.reserve(LENGTH).unwrap();
            let (length, room) = size(&format!(".in{}.", path.replace('/', ".")));
            assert_eq!(length, 0, "nobody sees octets that were not sent");
            assert!(room >= LENGTH || is_in_memory(&file).unwrap(), "{room}");
            file.write(b"abc").unwrap();
            if finished {
                file.finish().unwrap();
            }
            drop(file);
            let (length, room) = size(name);
            assert_eq!(length, 3);
            assert!(room < LENGTH, "{room} octets for 3");
        }
        let file = volume.open(b"/a", Access::Append).unwrap();
        assert!(file.reserve(1 << 50) == Err(Error::NoSpace) || is_in_memory(&file).unwrap());
        file.reserve(LENGTH).unwrap();
        file.write(b"d").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(root.path().join("a")).unwrap(), b"abcd");
        assert!(size("a").1 < LENGTH);
        assert_eq!(volume.open(b"/a", Access::Read).unwrap().reserve(1), Err(Error::Denied));
    }

    #[test]
    fn copied_into_any_file_that_is_written() {
        let (root, volume) = scratch();
        let content: Vec<u8> = (0..200_000u32).map(|number| (number % 251) as u8).collect();
        fs::write(root.path().join("f"), &content).unwrap();
        fs::write(root.path().join("g"), "0123456789").unwrap();
        let source = volume.open(b"/f", Access::Read).unwrap();
        let copy = |into: &File, length: usize| {
            let mut at = 0;
            while at < length {
                at += into.copy(&source, at as u64, length - at).unwrap();
            }
            into.finish().unwrap();
        };
        copy(&volume.open(b"/new", Access::Replace).unwrap(), content.len());
        assert_eq!(fs::read(root.path().join("new")).unwrap(), content);
        copy(&volume.open(b"/g", Access::Resume(3)).unwrap(), 2);
        assert_eq!(fs::read(root.path().join("g")).unwrap(), [b"012", &content[..2]].concat());
        copy(&volume.open(b"/g", Access::Append).unwrap(), 100_000);
        assert_eq!(fs::read(root.path().join("g")).unwrap(), [b"012", &content[..2], &content[..100_000]].concat());

        let target = volume.open(b"/g", Access::Replace).unwrap();
        assert_eq!(target.copy(&source, content.len() as u64, 1), Err(Error::Io), "the source has become shorter");
        assert_eq!(target.copy(&target, 0, 1), Err(Error::Denied));
        assert_eq!(source.copy(&source, 0, 1), Err(Error::Denied));
    }
}
