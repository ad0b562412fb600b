//! Copies from file to file.

use super::{Error, File};

/// A copy being made.
pub(super) struct Copy {
    source: File,
    pub(super) target: File,
    at: u64,
    end: u64,
}

impl Copy {
    /// Of all that `source` has now, behind what was written into `target`. Errors: `Denied` unless they are
    /// open to read and to write; `BadName` if they are one file, which would be cut before it is read.
    pub(super) fn new(source: File, target: File) -> Result<Self, Error> {
        // No octet asks nothing but whether it may be done.
        source.read(0, 0)?;
        target.write(b"")?;
        if target.would_cut(&source)? {
            return Err(Error::BadName);
        }
        // A file that is appended to itself grows while it is read.
        let end = source.size()?;
        Ok(Self { source, target, at: 0, end })
    }

    /// Go on by a piece. Nothing, once it is complete.
    pub(super) fn piece(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let mut room = PIECE;
        while self.at < self.end && room > 0 {
            let length = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(room);
            let copied = self.target.copy(&self.source, self.at, length)?;
            self.at += copied as u64;
            room = room.saturating_sub(copied);
        }
        Ok((self.at == self.end).then(Vec::new))
    }
}

/// Octets of a piece: not so many that a slow disk keeps a thread for long.
const PIECE: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::storage::{Access, scratch};

    #[test]
    fn appended_to_itself() {
        let (root, volume) = scratch();
        let content: Vec<u8> = (0..PIECE + 10).map(|number| (number % 251) as u8).collect();
        fs::write(root.path().join("f"), &content).unwrap();
        let open = |access| volume.open(b"/f", access).unwrap();
        let mut copy = Copy::new(open(Access::Read), open(Access::Append)).unwrap();
        assert_eq!((copy.piece(), copy.piece()), (Ok(None), Ok(Some(vec![]))));
        assert!(fs::read(root.path().join("f")).unwrap() == content.repeat(2));
    }

    #[test]
    fn only_from_what_is_read_into_what_is_written() {
        let (root, volume) = scratch();
        fs::write(root.path().join("f"), "").unwrap();
        let read = volume.open(b"/f", Access::Read).unwrap();
        let write = volume.open(b"/g", Access::Replace).unwrap();
        assert_eq!(Copy::new(write.clone(), write.clone()).err(), Some(Error::Denied));
        assert_eq!(Copy::new(read.clone(), read.clone()).err(), Some(Error::Denied));
        assert_eq!(Copy::new(read, write).unwrap().piece(), Ok(Some(vec![])));
    }
}
