//! Hashes of passwords that may be written down: SHA-512-crypt, `$6$` of crypt(3).

use std::fmt;
use std::hint::black_box;

use sha_crypt::{Sha512Params, sha512_crypt_b64};

/// A hash, as `openssl passwd -6` and mkpasswd(1) print it: `$6$salt$hash` or `$6$rounds=N$salt$hash`.
#[derive(Clone)]
pub(super) struct Crypt {
    rounds: usize,
    salt: String,
    hash: String,
}

impl Crypt {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("$6$")?;
        let (rounds, rest) = match rest.strip_prefix("rounds=").and_then(|rest| rest.split_once('$')) {
            Some((rounds, rest)) => (rounds.parse().ok()?, rest),
            None => (ROUNDS, rest),
        };
        let (salt, hash) = rest.split_once('$')?;
        let good = (MIN_ROUNDS..=MAX_ROUNDS).contains(&rounds) && salt.len() <= MAX_SALT && hash.len() == HASH;
        good.then(|| Self { rounds, salt: salt.to_owned(), hash: hash.to_owned() })
    }

    /// One that takes as long as this, and that no password has.
    pub(super) fn decoy(&self) -> Self {
        Self { rounds: self.rounds, salt: "decoy".to_owned(), hash: String::new() }
    }

    /// Takes milliseconds, and as long wherever they differ.
    pub(super) fn is(&self, password: &[u8]) -> bool {
        // The time that hashing takes grows with the length.
        let cut = password.get(..MAX_PASSWORD).unwrap_or(password);
        let given = Sha512Params::new(self.rounds)
            .and_then(|params| sha512_crypt_b64(cut, self.salt.as_bytes(), &params))
            .unwrap_or_default();
        let difference = given.bytes().zip(self.hash.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        black_box(difference) == 0 && given.len() == self.hash.len() && cut.len() == password.len()
    }
}

impl fmt::Debug for Crypt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Crypt(…)")
    }
}

/// Of SHA-512-crypt, unless a hash says otherwise.
const ROUNDS: usize = 5000;
const MIN_ROUNDS: usize = 1000;

/// About a second.
const MAX_ROUNDS: usize = 1_000_000;

/// Octets of a salt, and of a hash.
const MAX_SALT: usize = 16;
const HASH: usize = 86;

/// Octets of a password.
const MAX_PASSWORD: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_others_make_them() {
        // `openssl passwd -6 -salt saltsalt secret`
        let text = "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1";
        let hash = Crypt::parse(text).unwrap();
        assert!(hash.is(b"secret"));
        for wrong in [&b""[..], b"Secret", b"secret ", &[b'x'; 9000]] {
            assert!(!hash.is(wrong) && !hash.decoy().is(wrong));
        }
        let many = text.replace("$6$", "$6$rounds=1000001$");
        for bad in ["", "secret", "$5$salt$hash", "$6$salt$short", "$6$rounds=5000", &many] {
            assert!(Crypt::parse(bad).is_none(), "{bad}");
        }
    }
}
