//! Checksums of contents.

use md5::Md5;
use rustix::buffer::spare_capacity;
use rustix::io::{pread, retry_on_intr};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{Error, File};

/// Checksums of contents (HASH, XCRC and their kin).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// CRC-32 of ISO 3309, as in Ethernet and zip.
    Crc32,
    /// MD5 (RFC 1321).
    Md5,
    /// SHA-1 (RFC 3174).
    Sha1,
    /// SHA-256 (RFC 6234).
    Sha256,
    /// SHA-512 (RFC 6234).
    Sha512,
}

/// A checksum being computed.
pub(super) struct Checksum {
    state: State,
    file: File,
    at: u64,
    end: u64,
    buffer: Vec<u8>,
}

/// Of what has come so far.
pub(super) enum State {
    Crc32(crc32fast::Hasher),
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Checksum {
    /// Of up to `length` octets of `file` from `offset`. Error `Denied` if it is not open to read.
    pub(super) fn new(algorithm: Algorithm, file: File, offset: u64, length: u64) -> Result<Self, Error> {
        // The length none asks nothing but whether it may be read.
        file.read(0, 0)?;
        // The kernel counts in a signed number, and no file reaches beyond that.
        let end = offset.saturating_add(length).min(i64::MAX as u64);
        Ok(Self { state: State::new(algorithm), file, at: offset, end, buffer: Vec::new() })
    }

    /// Go on by a piece. The checksum once it is complete, most significant octet first.
    pub(super) fn piece(&mut self) -> Result<Option<Vec<u8>>, Error> {
        self.buffer.clear();
        self.buffer.reserve_exact(BUFFER);
        for _ in 0..PIECE / BUFFER {
            self.buffer.clear();
            if self.at < self.end {
                retry_on_intr(|| pread(&self.file, spare_capacity(&mut self.buffer), self.at))?;
            }
            let rest = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
            self.buffer.truncate(rest);
            if self.buffer.is_empty() {
                return Ok(Some(self.state.finish()));
            }
            self.at += self.buffer.len() as u64;
            self.state.update(&self.buffer);
        }
        Ok(None)
    }
}

impl State {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc32(crc32fast::Hasher::new()),
            Algorithm::Md5 => Self::Md5(Md5::new()),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    pub(super) fn update(&mut self, octets: &[u8]) {
        match self {
            Self::Crc32(state) => state.update(octets),
            Self::Md5(state) => state.update(octets),
            Self::Sha1(state) => state.update(octets),
            Self::Sha256(state) => state.update(octets),
            Self::Sha512(state) => state.update(octets),
        }
    }

    /// Most significant octet first.
    pub(super) fn finish(&self) -> Vec<u8> {
        match self {
            Self::Crc32(state) => state.clone().finalize().to_be_bytes().to_vec(),
            Self::Md5(state) => state.clone().finalize().to_vec(),
            Self::Sha1(state) => state.clone().finalize().to_vec(),
            Self::Sha256(state) => state.clone().finalize().to_vec(),
            Self::Sha512(state) => state.clone().finalize().to_vec(),
        }
    }
}

/// Octets of a piece: some ten milliseconds of a processor.
const PIECE: usize = 8 * 1024 * 1024;

/// Octets that are read at once.
const BUFFER: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::storage::{Access, scratch};

    fn checksum(file: &File, algorithm: Algorithm, offset: u64, length: u64) -> String {
        let mut checksum = Checksum::new(algorithm, file.clone(), offset, length).unwrap();
        loop {
            if let Some(digest) = checksum.piece().unwrap() {
                return digest.iter().map(|octet| format!("{octet:02x}")).collect();
            }
        }
    }

    #[test]
    fn known_answers() {
        let (root, volume) = scratch();
        fs::write(root.path().join("f"), "xx123456789y").unwrap();
        let file = volume.open(b"/f", Access::Read).unwrap();
        let answers = [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
            (
                Algorithm::Sha512,
                "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274a\
                 d27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
            ),
        ];
        for (algorithm, answer) in answers {
            assert_eq!(checksum(&file, algorithm, 2, 9), answer);
        }
        let nothing = checksum(&file, Algorithm::Md5, 0, 0);
        assert_eq!(nothing, "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(checksum(&file, Algorithm::Md5, 12, 10), nothing);
        assert_eq!(checksum(&file, Algorithm::Md5, u64::MAX, u64::MAX), nothing);
        assert_eq!(checksum(&file, Algorithm::Crc32, 0, u64::MAX), checksum(&file, Algorithm::Crc32, 0, 12));
    }

    #[test]
    fn in_pieces_as_at_once() {
        let (root, volume) = scratch();
        let content = vec![7; PIECE * 2 + 5];
        fs::write(root.path().join("f"), &content).unwrap();
        let file = volume.open(b"/f", Access::Read).unwrap();
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&content);
        assert_eq!(checksum(&file, Algorithm::Crc32, 0, u64::MAX), format!("{:08x}", hasher.finalize()));
        let mut one = Checksum::new(Algorithm::Crc32, file, 0, u64::MAX).unwrap();
        assert_eq!((one.piece(), one.piece()), (Ok(None), Ok(None)));
        assert!(one.piece().unwrap().is_some());
        let written = volume.open(b"/g", Access::Replace).unwrap();
        assert_eq!(Checksum::new(Algorithm::Crc32, written, 0, 1).err(), Some(Error::Denied));
    }
}
