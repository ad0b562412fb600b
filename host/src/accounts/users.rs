//! Users with passwords, and anonymous, that are known when the server starts.

use std::fmt;
use std::hint::black_box;

use sha2::{Digest, Sha256};

use super::crypt::Crypt;
use crate::storage::Permissions;

/// Everybody who may log in, known when the server starts.
#[derive(Clone, Debug, Default)]
pub struct Users {
    users: Vec<User>,
    anonymous: bool,
    /// What is hashed in the place of the password of somebody who has none of that kind, if anybody has.
    decoy: Option<Crypt>,
}

/// One who logs in with a password.
#[derive(Clone, Debug)]
pub struct User {
    /// Compared octet by octet.
    pub name: Vec<u8>,
    /// What the user must know.
    pub password: Password,
    /// What the user may do.
    pub permissions: Permissions,
}

/// A password, of which only a hash is kept.
#[derive(Clone)]
pub struct Password(Hash);

#[derive(Clone)]
enum Hash {
    /// SHA-256: enough to hold in memory, and quick; not enough to write down.
    Quick([u8; 32]),
    /// Slow, so that whoever finds it learns little from it.
    Slow(Crypt),
}

/// Who has logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user's name; `anonymous` for all who came without one.
    pub name: Vec<u8>,
    /// What the user may do.
    pub permissions: Permissions,
}

impl Users {
    /// These users and, if so wished, everybody else as anonymous, who may only look and take.
    pub fn new(users: Vec<User>, anonymous: bool) -> Self {
        let decoy = users.iter().find_map(|user| match &user.password.0 {
            Hash::Quick(_) => None,
            Hash::Slow(crypt) => Some(crypt.decoy()),
        });
        Self { users, anonymous, decoy }
    }

    /// Whether it takes milliseconds to check a password of that name.
    pub(super) fn are_slow(&self, name: &[u8]) -> bool {
        self.decoy.is_some() && !self.lets_in(name)
    }

    /// Whether whoever says that name is let in.
    fn lets_in(&self, name: &[u8]) -> bool {
        self.anonymous && is_anonymous(name)
    }

    /// Whether anonymous is let in.
    pub fn anonymous(&self) -> bool {
        self.anonymous
    }

    /// The users with passwords.
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// The user of that name, who has shown by other means than a password to be it. Not anonymous.
    pub fn named(&self, name: &[u8]) -> Option<Identity> {
        let user = self.users.iter().find(|user| user.name == name)?;
        Some(Identity { name: user.name.clone(), permissions: user.permissions })
    }

    /// Whoever has that name and password. Takes as long for an unknown name as for a wrong password, so
    /// that names cannot be found out.
    pub fn check(&self, name: &[u8], password: &[u8]) -> Option<Identity> {
        if self.lets_in(name) {
            let name = ANONYMOUS.as_bytes().to_vec();
            return Some(Identity { name, permissions: Permissions::READ_ONLY });
        }
        let given = Sha256::digest(password).into();
        let (mut found, mut decoy) = (None, self.decoy.as_ref());
        for user in &self.users {
            let named = user.name == name;
            let right = match &user.password.0 {
                Hash::Quick(digest) => equal(digest, &given),
                Hash::Slow(crypt) if named => {
                    decoy = None;
                    crypt.is(password)
                }
                Hash::Slow(_) => false,
            };
            // Not `&&`: both are looked at for every user.
            if right & named {
                found = Some(user);
            }
        }
        if let Some(decoy) = decoy {
            black_box(decoy.is(password));
        }
        let user = found.filter(|_| !password.is_empty())?;
        Some(Identity { name: user.name.clone(), permissions: user.permissions })
    }
}

impl Password {
    /// `None` for an empty password, which is none.
    pub fn new(password: &[u8]) -> Option<Self> {
        (!password.is_empty()).then(|| Self(Hash::Quick(Sha256::digest(password).into())))
    }

    /// One of which there is a hash by SHA-512-crypt: `$6$…` of crypt(3), of at most a million rounds.
    pub fn parse(hash: &str) -> Option<Self> {
        Crypt::parse(hash).map(|crypt| Self(Hash::Slow(crypt)))
    }
}

/// In a time that does not tell where they differ.
fn equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let difference = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    black_box(difference) == 0
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Whether that name is one of those by which nobody in particular logs in (RFC 1635), in any case.
pub fn is_anonymous(name: &[u8]) -> bool {
    [ANONYMOUS, "ftp"].iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// A password that can be read out and typed. Fails if the system has no randomness to give.
pub fn generate_password() -> Result<String, getrandom::Error> {
    let mut random = [0; PASSWORD_LENGTH];
    getrandom::fill(&mut random)?;
    // 256 is a multiple of 32: no letter is likelier than another.
    let letter = |octet: u8| ALPHABET.get(usize::from(octet) % ALPHABET.len()).copied();
    Ok(random.into_iter().filter_map(letter).map(char::from).collect())
}

const ANONYMOUS: &str = "anonymous";

/// Nothing that could be taken for something else: no 0 and o, no 1 and l.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Letters of a generated password: 80 bits, beyond guessing even without a delay.
const PASSWORD_LENGTH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn users(anonymous: bool) -> Users {
        let user = |name: &str, password: &str, permissions| User {
            name: name.into(),
            password: Password::new(password.as_bytes()).unwrap(),
            permissions,
        };
        Users::new(vec![user("anna", "one", Permissions::ALL), user("bert", "two", Permissions::READ_ONLY)], anonymous)
    }

    #[test]
    fn name_and_password_belong_together() {
        let users = users(false);
        let anna = users.check(b"anna", b"one").unwrap();
        assert_eq!(anna, Identity { name: b"anna".into(), permissions: Permissions::ALL });
        assert_eq!(users.check(b"bert", b"two").unwrap().permissions, Permissions::READ_ONLY);
        let wrong: [(&[u8], &[u8]); 7] = [
            (b"anna", b"two"),
            (b"Anna", b"one"),
            (b"anna", b""),
            (b"anna", b"one "),
            (b"", b"one"),
            (b"carl", b"one"),
            (b"anonymous", b"one"),
        ];
        for (name, password) in wrong {
            assert_eq!(users.check(name, password), None);
        }
        assert_eq!(users.named(b"anna"), Some(anna));
        assert_eq!(users.named(b"Anna"), None);
    }

    #[test]
    fn anonymous_may_read_whatever_the_password() {
        let users = users(true);
        for (name, password) in [("anonymous", ""), ("FTP", "me@example.com"), ("Anonymous", "one")] {
            let identity = users.check(name.as_bytes(), password.as_bytes()).unwrap();
            assert_eq!(identity.name, b"anonymous");
            assert_eq!(identity.permissions, Permissions::READ_ONLY);
        }
        assert_eq!(users.check(b"ftpd", b""), None);
        assert_eq!(Users::default().check(b"ftp", b""), None);
    }

    #[test]
    fn bug_15_passwords_are_not_empty_and_not_shown() {
        assert!(Password::new(b"").is_none());
        assert_eq!(format!("{:?}", Password::new(b"one").unwrap()), "Password(…)");
    }

    #[test]
    fn generated_passwords_differ() {
        let password = generate_password().unwrap();
        assert_eq!(password.len(), PASSWORD_LENGTH);
        assert!(password.bytes().all(|letter| ALPHABET.contains(&letter)));
        assert_ne!(password, generate_password().unwrap());
    }
}
