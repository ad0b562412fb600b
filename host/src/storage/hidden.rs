//! The names that uploads have until they are finished. No guest sees such a name or can say it.

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::{Errno, retry_on_intr};
use sha2::{Digest, Sha256};
use std::os::fd::{AsFd, OwnedFd};

use super::{Attributes, Kind};

/// Whether a part of a path is such a name, of whichever upload. True of some that none would have: the
/// rule is kept simple, since it also hides what other servers left (ProFTPD's `HiddenStores`).
pub(super) fn is_hidden(part: &[u8]) -> bool {
    let ending = matches!(part, [.., b'.'] | [.., b'.', b'0'..=b'9']);
    part.len() > PREFIX.len() + 1 && part.starts_with(PREFIX) && ending
}

/// The name under which `name` is written. Number 0 is the one that can be gone on with; the others are for
/// those who write the same name at the same time.
pub(super) fn hidden(name: &[u8], number: u8) -> Vec<u8> {
    let mut hidden = PREFIX.to_vec();
    if name.len() > LONGEST {
        let digest = Sha256::digest(name);
        hidden.extend(digest.iter().take(16).flat_map(|octet| format!("{octet:02x}").into_bytes()));
    } else {
        hidden.extend(name);
    }
    hidden.push(b'.');
    if number > 0 {
        hidden.extend(number.to_string().into_bytes());
    }
    hidden
}

/// Open the hidden file of that name for this writer alone, and tell its size. With `create` it is made if
/// it is missing. `None`: another writes it, or it is no file of ours.
pub(super) fn acquire(
    directory: impl AsFd,
    hidden: &[u8],
    create: Option<Mode>,
) -> Result<Option<(OwnedFd, u64)>, Errno> {
    let flags = super::volume::OPEN | OFlags::WRONLY | OFlags::NOFOLLOW;
    let (flags, mode) = create.map_or((flags, Mode::empty()), |mode| (flags | OFlags::CREATE, mode));
    for _ in 0..ATTEMPTS {
        let descriptor = match retry_on_intr(|| openat(&directory, hidden, flags, mode)) {
            // A link, a pipe, a directory.
            Err(Errno::LOOP | Errno::NXIO | Errno::ISDIR) => return Ok(None),
            opened => opened?,
        };
        let own = Attributes::of(&descriptor, b"", AtFlags::empty())?;
        if own.kind != Kind::File || own.links > 1 {
            return Ok(None);
        }
        match lock(&descriptor) {
            Err(Errno::WOULDBLOCK) => return Ok(None),
            locked => locked?,
        }
        // Whoever had it may have published or removed it since it was opened.
        match Attributes::of(&directory, hidden, AtFlags::empty()) {
            Ok(there) if there.unique == own.unique => return Ok(Some((descriptor, there.size))),
            Ok(_) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(None)
}

/// Keep other writers from a file until its descriptor is closed. Error EWOULDBLOCK if there is one.
pub(super) fn lock(file: impl AsFd) -> Result<(), Errno> {
    retry_on_intr(|| flock(&file, FlockOperation::NonBlockingLockExclusive))
}

/// Numbers of names beside 0: so many may write one name at once.
pub(super) const NUMBERS: u8 = 8;

const PREFIX: &[u8] = b".in.";

/// Octets of a name that fit between prefix and number, with some to spare; a longer one is written by
/// its digest.
const LONGEST: usize = 240;

/// How often in a row a file may be published between its being opened and locked.
const ATTEMPTS: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hidden_and_short_enough() {
        let long = [b'n'; 255];
        for name in [&b"a"[..], b"f.txt", b".", b"a b\xff", &long[..240], &long[..241], &long] {
            for number in 0..=NUMBERS {
                let hidden = hidden(name, number);
                assert!(is_hidden(&hidden) && hidden.len() <= 255, "{}", hidden.escape_ascii());
            }
        }
        assert_eq!(hidden(b"f.txt", 0), b".in.f.txt.");
        assert_eq!(hidden(b"f.txt", 3), b".in.f.txt.3");
        assert_eq!(hidden(&long, 0).len(), 4 + 32 + 1);
        assert_ne!(hidden(&long, 0), hidden(&long[1..], 0));
    }

    #[test]
    fn other_names_are_not() {
        for name in [&b".in"[..], b".in.", b".in..", b".in.f", b".in.f.x", b"in.f.", b".in.f.12", b"x.in.f.", b".1"] {
            assert!(!is_hidden(name), "{}", name.escape_ascii());
        }
        assert!(is_hidden(b".in.f.9") && is_hidden(b".in..1"));
    }
}
