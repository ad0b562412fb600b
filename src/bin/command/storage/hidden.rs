//! The names that uploads have until they are finished: those of `wasi-ftpd`, so that either goes on with what
//! the other left. No client sees such a name or can say it.

use sha2::{Digest, Sha256};
use wasi_ftpd::proto::checksum::hex;

/// Whether a part of a path is such a name, of whichever upload. True of some that none would have: the rule is
/// kept simple, since it also hides what other servers left (ProFTPD's `HiddenStores`).
pub(super) fn is_hidden(part: &str) -> bool {
    let ending = matches!(part.as_bytes(), [.., b'.'] | [.., b'.', b'0'..=b'9']);
    part.len() > PREFIX.len() + 1 && part.starts_with(PREFIX) && ending
}

/// The name under which `name` is written. Number 0 is the one that can be gone on with; the others are for
/// those who write the same name at the same time.
pub(super) fn hidden(name: &str, number: u8) -> String {
    let number = if number == 0 { String::new() } else { number.to_string() };
    if name.len() > LONGEST {
        let digest = hex(&Sha256::digest(name));
        format!("{PREFIX}{}.{number}", digest.get(..32).unwrap_or(&digest))
    } else {
        format!("{PREFIX}{name}.{number}")
    }
}

/// Numbers of names beside 0: so many may write one name at once.
pub(super) const NUMBERS: u8 = 8;

const PREFIX: &str = ".in.";

/// Octets of a name that fit between prefix and number, with some to spare; a longer one is written by its
/// digest.
const LONGEST: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hidden_and_short_enough() {
        let long = "n".repeat(255);
        for name in ["a", "f.txt", ".", "a b\u{fc}", &long[..240], &long[..241], &long] {
            for number in 0..=NUMBERS {
                let hidden = hidden(name, number);
                assert!(is_hidden(&hidden) && hidden.len() <= 255, "{hidden}");
            }
        }
        assert_eq!(hidden("f.txt", 0), ".in.f.txt.");
        assert_eq!(hidden("f.txt", 3), ".in.f.txt.3");
        assert_eq!(hidden(&long, 0).len(), 4 + 32 + 1);
    }

    #[test]
    fn other_names_are_not() {
        for name in [".in", ".in.", ".in..", ".in.f", ".in.f.x", "in.f.", ".in.f.12", "x.in.f.", ".1"] {
            assert!(!is_hidden(name), "{name}");
        }
        assert!(is_hidden(".in.f.9") && is_hidden(".in..1"));
    }
}
