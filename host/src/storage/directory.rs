//! A directory being read.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, Dir, ResolveFlags};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

use super::hidden::is_hidden;
use super::path::Path;
use super::{Attributes, Entry, Error, Kind, Volume};

/// A directory being read. Holds one block of names, however many the directory has.
#[derive(Debug)]
pub struct Directory {
    volume: Volume,
    /// Its path, ended by `/`.
    path: Vec<u8>,
    descriptor: OwnedFd,
    entries: Mutex<Dir>,
}

/// Some entries of a directory.
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    /// Whether there may be names that nobody has read.
    pub(super) more: bool,
}

impl Directory {
    pub(super) fn new(volume: Volume, path: Path<'_>, descriptor: OwnedFd) -> Result<Self, Error> {
        let parts = path.split().map(|_| path.relative());
        let path = parts.map_or_else(|| b"/".to_vec(), |parts| [b"/", parts, b"/"].concat());
        let entries = Mutex::new(Dir::new(fcntl_dupfd_cloexec(&descriptor, 0)?)?);
        Ok(Self { volume, path, descriptor, entries })
    }

    /// The next entries, in no particular order and without `.`, `..` and unfinished uploads; none at the
    /// end. Left out is what vanished meanwhile, or cannot be looked at (a broken mount). Error `Denied` if the host may
    /// read the names but not what they stand for.
    #[allow(clippy::should_implement_trait, reason = "the name in storage.wit")]
    pub fn next(&mut self) -> Result<Vec<Entry>, Error> {
        loop {
            let batch = self.batch()?;
            if !(batch.entries.is_empty() && batch.more) {
                return Ok(batch.entries);
            }
        }
    }

    /// The same for several threads at once: each reads names of its own. There may be none of them left to tell, and
    /// yet more behind them.
    pub(super) fn batch(&self) -> Result<Batch, Error> {
        let (names, more) = self.names()?;
        let mut entries = Vec::with_capacity(names.len());
        for name in names {
            match self.look(&name) {
                Ok(attributes) => entries.push(Entry { name, attributes }),
                Err(Errno::ACCESS) => return Err(Error::Denied),
                Err(errno) => log::debug!("left out of a listing: {}: {errno}", name.escape_ascii()),
            }
        }
        Ok(Batch { entries, more })
    }

    /// The next names, and whether there may be more; none at the end.
    pub(super) fn names(&self) -> Result<(Vec<Vec<u8>>, bool), Error> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names = Vec::new();
        let mut octets = 0;
        while names.len() < BATCH_ENTRIES && octets < BATCH_OCTETS {
            let Some(entry) = entries.read() else { return Ok((names, false)) };
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") && !is_hidden(name) {
                octets += name.len();
                names.push(name.to_vec());
            }
        }
        Ok((names, true))
    }

    fn look(&self, name: &[u8]) -> Result<Attributes, Errno> {
        let own = Attributes::of(&self.descriptor, name, AtFlags::empty())?;
        if own.kind != Kind::Link {
            return Ok(own);
        }
        // A link may lead out of the directory and stay in the volume, so it is followed from the root.
        let path = [&self.path, name].concat();
        let path = Path::new(&path).map_err(|_| Errno::INVAL)?;
        self.volume.follow(path, own, ResolveFlags::empty())
    }
}

/// Entries of one batch: about 30 KiB of a guest's memory with their attributes.
pub(super) const BATCH_ENTRIES: usize = 256;

/// Octets of names after which a batch ends, lest 256 long names be more than that.
pub(super) const BATCH_OCTETS: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::storage::scratch;

    fn all(mut directory: Directory) -> Vec<Entry> {
        let mut entries = Vec::new();
        loop {
            let batch = directory.next().unwrap();
            assert!(batch.len() <= BATCH_ENTRIES);
            if batch.is_empty() {
                return entries;
            }
            entries.extend(batch);
        }
    }

    #[test]
    fn every_one_of_many_entries_once() {
        let (root, volume) = scratch();
        for number in 0..10_000 {
            fs::write(root.path().join(format!("file {number}")), "").unwrap();
        }
        let entries = all(volume.list(b"/").unwrap());
        assert_eq!(entries.len(), 10_000);
        assert_eq!(entries.into_iter().map(|entry| entry.name).collect::<BTreeSet<_>>().len(), 10_000);
    }

    #[test]
    fn the_same_for_several_threads_at_once() {
        let (root, volume) = scratch();
        for number in 0..2000 {
            fs::write(root.path().join(number.to_string()), "").unwrap();
        }
        let directory = volume.list(b"/").unwrap();
        let read = || {
            let mut names = Vec::new();
            loop {
                let batch = directory.batch().unwrap();
                names.extend(batch.entries.into_iter().map(|entry| entry.name));
                if !batch.more {
                    return names;
                }
            }
        };
        let (mut names, more) = std::thread::scope(|scope| {
            let other = scope.spawn(read);
            (read(), other.join().unwrap())
        });
        names.extend(more);
        assert_eq!(names.len(), 2000);
        assert_eq!(names.into_iter().collect::<BTreeSet<_>>().len(), 2000);
    }

    #[test]
    fn names_of_any_octets() {
        let (root, volume) = scratch();
        let names: BTreeSet<Vec<u8>> = [&b"\xff\xfe"[..], b"a\nb", b" ", b"...", &[b'n'; 255]].map(Vec::from).into();
        for name in &names {
            fs::write(root.path().join(OsStr::from_bytes(name)), "").unwrap();
        }
        assert_eq!(all(volume.list(b"/").unwrap()).into_iter().map(|entry| entry.name).collect::<BTreeSet<_>>(), names);
    }

    #[test]
    fn links_are_what_they_lead_to() {
        let (root, volume) = scratch();
        fs::create_dir_all(root.path().join("d/e")).unwrap();
        fs::write(root.path().join("f"), "12345").unwrap();
        for (name, target) in [("in", "../../f"), ("dir", "../../d"), ("out", "../../../etc"), ("gone", "x")] {
            symlink(target, root.path().join("d/e").join(name)).unwrap();
        }
        symlink("d/e", root.path().join("short")).unwrap();
        for path in [&b"/d/e"[..], b"/short"] {
            let mut seen = all(volume.list(path).unwrap());
            seen.sort_by(|a, b| a.name.cmp(&b.name));
            let seen: Vec<_> = seen.iter().map(|e| (&e.name[..], e.attributes.kind)).collect();
            let expected: [(&[u8], Kind); 4] =
                [(b"dir", Kind::Directory), (b"gone", Kind::Link), (b"in", Kind::File), (b"out", Kind::Link)];
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn unfinished_uploads_are_not_seen() {
        let (root, volume) = scratch();
        for name in [".in.f.", ".in.f.3", ".in.f", "f"] {
            fs::write(root.path().join(name), "x").unwrap();
        }
        let names = all(volume.list(b"/").unwrap()).into_iter().map(|entry| entry.name).collect::<BTreeSet<_>>();
        assert_eq!(names, [&b".in.f"[..], b"f"].map(Vec::from).into());
    }

    #[test]
    fn removed_while_it_is_read() {
        let (root, volume) = scratch();
        fs::create_dir(root.path().join("d")).unwrap();
        fs::write(root.path().join("d/f"), "").unwrap();
        let directory = volume.list(b"/d").unwrap();
        fs::remove_dir_all(root.path().join("d")).unwrap();
        assert_eq!(all(directory), []);
    }
}
