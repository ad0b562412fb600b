//! Who may log in.

use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use sha_crypt::{Sha512Params, sha512_crypt_b64};
use wasi_ftpd::env::Denial;
use wasi_ftpd::proto::entry::Permissions;

use crate::clock::sleep_until;

/// Everybody who may log in.
pub(crate) struct Accounts {
    users: Vec<User>,
    /// What is checked in place of the password of somebody unknown.
    decoy: Password,
    /// Whether everybody else may, to look and take.
    pub(crate) anonymous: bool,
    /// When the next password may be hashed.
    free: Cell<Instant>,
    /// How long hashing took last.
    cost: Cell<Duration>,
}

/// One who logs in with a password.
#[derive(Debug)]
pub(crate) struct User {
    /// Compared octet by octet.
    pub(crate) name: Vec<u8>,
    pub(crate) password: Password,
    pub(crate) permissions: Permissions,
}

/// A password, of which only a hash is kept: SHA-512-crypt, `$6$` of crypt(3).
#[derive(Debug)]
pub(crate) struct Password {
    rounds: usize,
    salt: String,
    hash: String,
}

/// Who has logged in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) name: Vec<u8>,
    pub(crate) permissions: Permissions,
}

impl Accounts {
    pub(crate) fn new(users: Vec<User>, anonymous: bool) -> Self {
        let rounds = users.first().map_or(ROUNDS, |user| user.password.rounds);
        let decoy = Password { rounds, salt: "decoy".to_owned(), hash: String::new() };
        Self { users, decoy, anonymous, free: Cell::new(Instant::now()), cost: Cell::default() }
    }

    pub(crate) fn users(&self) -> &[User] {
        &self.users
    }

    /// Whoever has that name and password. Takes as long for an unknown name as for a wrong password, so that names
    /// cannot be found out.
    pub(crate) async fn check(&self, name: &[u8], password: &[u8]) -> Result<Identity, Denial> {
        if self.anonymous && is_anonymous(name) {
            return Ok(Identity { name: ANONYMOUS.into(), permissions: Permissions::READ_ONLY });
        }
        self.turn().await?;
        let user = self.users.iter().find(|user| user.name == name);
        let started = Instant::now();
        let right = user.map_or(&self.decoy, |user| &user.password).is(password);
        self.cost.set(started.elapsed());
        match user {
            Some(user) if right => Ok(Identity { name: user.name.clone(), permissions: user.permissions }),
            _ => Err(Denial::Denied),
        }
    }

    /// Wait in line: hashing takes half of the time at most, so that no flood of log-ins keeps the others waiting.
    async fn turn(&self) -> Result<(), Denial> {
        let now = Instant::now();
        let start = self.free.get().max(now);
        if start > now + LONGEST_LINE {
            return Err(Denial::Unavailable);
        }
        self.free.set(start + 2 * self.cost.get());
        sleep_until(start).await;
        Ok(())
    }
}

impl Password {
    /// A hash of a password that is not empty.
    pub(crate) fn hash(password: &[u8], salt: String) -> Option<Self> {
        let hash = crypt(password, &salt, ROUNDS)?;
        (!password.is_empty()).then_some(Self { rounds: ROUNDS, salt, hash })
    }

    /// `$6$salt$hash` or `$6$rounds=N$salt$hash`, as `openssl passwd -6` and mkpasswd(1) print it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("$6$")?;
        let (rounds, rest) = match rest.strip_prefix("rounds=").and_then(|rest| rest.split_once('$')) {
            Some((rounds, rest)) => (rounds.parse().ok()?, rest),
            None => (ROUNDS, rest),
        };
        let (salt, hash) = rest.split_once('$')?;
        let good = (MIN_ROUNDS..=MAX_ROUNDS).contains(&rounds) && salt.len() <= MAX_SALT && hash.len() == HASH;
        good.then(|| Self { rounds, salt: salt.to_owned(), hash: hash.to_owned() })
    }

    /// In a time that does not tell where they differ.
    fn is(&self, password: &[u8]) -> bool {
        let given = crypt(password, &self.salt, self.rounds).unwrap_or_default();
        let difference = given.bytes().zip(self.hash.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        black_box(difference) == 0 && given.len() == self.hash.len()
    }
}

/// `None` if it is too long to be one of ours.
fn crypt(password: &[u8], salt: &str, rounds: usize) -> Option<String> {
    let password = password.get(..MAX_PASSWORD + 1).unwrap_or(password);
    let hash = sha512_crypt_b64(password, salt.as_bytes(), &Sha512Params::new(rounds).ok()?).ok()?;
    (password.len() <= MAX_PASSWORD).then_some(hash)
}

/// Whether that name is one of those by which nobody in particular logs in (RFC 1635), in any case.
pub(crate) fn is_anonymous(name: &[u8]) -> bool {
    [ANONYMOUS, "ftp"].iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// So many letters that can be read out and typed, made of random octets.
pub(crate) fn letters(random: &[u8]) -> String {
    // 256 is a multiple of 32: no letter is likelier than another.
    let letter = |octet: &u8| ALPHABET.get(usize::from(*octet) % ALPHABET.len()).copied();
    random.iter().filter_map(letter).map(char::from).collect()
}

const ANONYMOUS: &str = "anonymous";

/// Nothing that could be taken for something else: no 0 and o, no 1 and l.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Of SHA-512-crypt, unless a hash says otherwise.
const ROUNDS: usize = 5000;
const MIN_ROUNDS: usize = 1000;

/// Some hundred milliseconds, in which nobody else is served.
const MAX_ROUNDS: usize = 100_000;

/// Octets of a salt, and of a hash.
const MAX_SALT: usize = 16;
const HASH: usize = 86;

/// Octets of a password: the time that hashing takes grows with them.
const MAX_PASSWORD: usize = 256;

/// How long a client waits for its password to be hashed.
const LONGEST_LINE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    /// What `openssl passwd -6 -salt saltsalt secret` prints.
    const OF_SECRET: &str =
        "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1";

    #[test]
    fn hashes_as_others_make_them() {
        let password = Password::parse(OF_SECRET).unwrap();
        assert!(password.is(b"secret") && !password.is(b"Secret") && !password.is(b"") && !password.is(&[b'x'; 9000]));
        let made = Password::hash(b"secret", "saltsalt".to_owned()).unwrap();
        assert_eq!(format!("$6${}${}", made.salt, made.hash), OF_SECRET);
        for bad in ["", "secret", "$5$salt$hash", "$6$salt$short", "$6$rounds=999999999$salt$hash", "$6$rounds=5000"] {
            assert!(Password::parse(bad).is_none(), "{bad}");
        }
        let rounds = OF_SECRET.replace("$6$", "$6$rounds=100001$");
        assert!(Password::parse(&rounds).is_none());
        assert!(Password::hash(b"", "salt".to_owned()).is_none() && Password::hash(&[1; 257], "salt".into()).is_none());
    }

    #[test]
    fn bug_15_nobody_has_the_password_of_nobody() {
        let accounts = Accounts::new(Vec::new(), false);
        assert!(!accounts.decoy.is(b"") && !accounts.decoy.is(b"decoy"));
        assert!(is_anonymous(b"FTP") && !is_anonymous(b"ftpd"));
    }
}
