//! Checksums of file contents: HASH (draft-bryan-ftpext-hash), XCRC, XMD5, XSHA and their kin.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

/// How a checksum is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// As in zip files (ISO 3309).
    Crc32,
    /// RFC 1321.
    Md5,
    /// FIPS 180.
    Sha1,
    /// FIPS 180. What HASH computes until OPTS HASH says otherwise.
    #[default]
    Sha256,
    /// FIPS 180.
    Sha512,
}

impl Algorithm {
    /// All, strongest first: the order of FEAT.
    pub const ALL: [Self; 5] = [Self::Sha256, Self::Sha512, Self::Sha1, Self::Md5, Self::Crc32];

    /// Its name in the IANA registry of hash functions, by which FEAT and OPTS HASH call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512",
        }
    }

    /// The algorithm of that name, in any case.
    pub fn find(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// A checksum being computed, where the environment does not do it.
pub enum Checksum {
    #[doc(hidden)]
    Crc32(crc32fast::Hasher),
    #[doc(hidden)]
    Md5(Md5),
    #[doc(hidden)]
    Sha1(Sha1),
    #[doc(hidden)]
    Sha256(Sha256),
    #[doc(hidden)]
    Sha512(Box<Sha512>),
}

impl Checksum {
    /// Of nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc32(crc32fast::Hasher::new()),
            Algorithm::Md5 => Self::Md5(Md5::new()),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Box::default()),
        }
    }

    /// Take in what follows.
    pub fn update(&mut self, octets: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(octets),
            Self::Md5(hasher) => hasher.update(octets),
            Self::Sha1(hasher) => hasher.update(octets),
            Self::Sha256(hasher) => hasher.update(octets),
            Self::Sha512(hasher) => hasher.update(octets),
        }
    }

    /// The checksum, most significant octet first.
    pub fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc32(hasher) => hasher.finalize().to_be_bytes().to_vec(),
            Self::Md5(hasher) => hasher.finalize().to_vec(),
            Self::Sha1(hasher) => hasher.finalize().to_vec(),
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
            Self::Sha512(hasher) => hasher.finalize().to_vec(),
        }
    }
}

/// In hexadecimal, lower case.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (algorithm, expected) in [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ] {
            let mut checksum = Checksum::new(algorithm);
            checksum.update(b"1234");
            checksum.update(b"56789");
            assert_eq!(hex(&checksum.finish()), expected, "{}", algorithm.name());
        }
        assert!(hex(&Checksum::new(Algorithm::Sha512).finish()).starts_with("cf83e1357eefb8bdf1542850d66d8007"));
    }

    #[test]
    fn names() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::find(algorithm.name().to_lowercase().as_bytes()), Some(algorithm));
        }
        assert_eq!(Algorithm::find(b"SHA256"), None);
    }
}
