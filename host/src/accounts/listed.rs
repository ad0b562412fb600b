//! Users of a list as the accounts of a server: those that were given, and those of a file that may change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use log::{info, warn};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use wasmtime_wasi_io::async_trait;

use super::{Account, Accounts, Denial, Identity, LogIn, Password, Proof, User, Users, is_anonymous};
use crate::storage::{Permissions, Root};
use crate::watch;

/// A file with a line for each user: `NAME:HASH`, and maybe `:ro` or `:rw` behind it. Empty lines and those that begin
/// with `#` say nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsersFile {
    /// Where it is.
    pub path: PathBuf,
    /// What those may do whose line does not say it.
    pub permissions: Permissions,
}

/// Users as the accounts of a server. All of them share one root.
#[derive(Clone)]
pub struct Listed(Arc<Inner>);

struct Inner {
    given: Users,
    file: Option<UsersFile>,
    root: Root,
    /// All of them, as the file was when it was read last.
    current: Mutex<Arc<Users>>,
    /// Slow hashes that may be computed at once.
    hashing: Arc<Semaphore>,
}

impl Listed {
    /// These users, and those of the file, which is read now. Errors name the file and the line.
    pub fn new(given: Users, file: Option<UsersFile>, root: impl Into<Root>) -> Result<Self> {
        let current = Mutex::new(Arc::new(all(&given, file.as_ref())?));
        // Whatever they cost, transfers have the rest of the processors.
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let hashing = Arc::new(Semaphore::new(processors.div_ceil(2)));
        Ok(Self(Arc::new(Inner { given, file, root: root.into(), current, hashing })))
    }

    /// The users, as they are now.
    pub fn users(&self) -> Arc<Users> {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Read the file again, for log-ins to come. It is logged if that fails, and then nothing changes. Blocks.
    pub fn reload(&self) {
        let Some(file) = &self.0.file else { return };
        match all(&self.0.given, Some(file)) {
            Ok(users) => {
                *self.0.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(users);
                info!("{} is read again", file.path.display());
            }
            Err(error) => warn!("the users stay who they were: {error:#}"),
        }
    }

    /// Reload the file when it has changed. Never ends.
    pub async fn watch(self) {
        let files: Vec<_> = self.0.file.iter().map(|file| file.path.clone()).collect();
        watch::watch(move || files.clone(), move || self.reload()).await;
    }
}

#[async_trait]
impl Accounts for Listed {
    async fn authenticate(&self, log_in: LogIn) -> Result<Account, Denial> {
        let users = self.users();
        let found = match log_in.proof {
            Proof::Certificate => users.named(&log_in.name),
            Proof::Password(password) if users.are_slow(&log_in.name) => {
                let turn = self.0.hashing.clone().acquire_owned().await.map_err(|_| Denial::Unavailable)?;
                let check = move || {
                    // To the end, whether or not somebody still waits for it.
                    let _turn = turn;
                    users.check(&log_in.name, &password)
                };
                spawn_blocking(check).await.map_err(|_| Denial::Unavailable)?
            }
            Proof::Password(password) => users.check(&log_in.name, &password),
        };
        let Identity { name, permissions } = found.ok_or(Denial::Denied)?;
        Ok(Account::new(name, self.0.root.clone(), permissions))
    }
}

fn all(given: &Users, file: Option<&UsersFile>) -> Result<Users> {
    let mut users = given.users().to_vec();
    if let Some(UsersFile { path, permissions }) = file {
        read(path, *permissions, &mut users).with_context(|| format!("cannot use {}", path.display()))?;
    }
    Ok(Users::new(users, given.anonymous()))
}

fn read(path: &Path, permissions: Permissions, users: &mut Vec<User>) -> Result<()> {
    for (number, line) in std::fs::read_to_string(path)?.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let user = user(line, permissions).with_context(|| format!("line {}", number + 1))?;
        let double = users.iter().any(|other| other.name == user.name);
        ensure!(!double, "line {}: that name is there already; leave one out", number + 1);
        users.push(user);
    }
    Ok(())
}

/// What a line says. Errors do not repeat it: it may be a password.
fn user(line: &str, permissions: Permissions) -> Result<User> {
    let mut fields = line.split(':');
    let (Some(name), Some(hash), rights, None) = (fields.next(), fields.next(), fields.next(), fields.next()) else {
        bail!("write NAME:HASH, NAME:HASH:ro or NAME:HASH:rw");
    };
    ensure!(!name.is_empty(), "the name is missing");
    ensure!(!name.contains(char::is_control), "no client can send control characters; leave them out");
    ensure!(!is_anonymous(name.as_bytes()), "that name needs no password: it is --anonymous");
    let password = Password::parse(hash).context(
        "that is no hash of at most 1000000 rounds; make one with `openssl passwd -6` or `mkpasswd -m sha-512`",
    )?;
    let permissions = match rights {
        None => permissions,
        Some("rw") => Permissions::ALL,
        Some("ro") => Permissions::READ_ONLY,
        Some(_) => bail!("rights are ro (to read) or rw (to read and write)"),
    };
    Ok(User { name: name.into(), password, permissions })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::scratch;

    /// Of `secret`.
    const HASH: &str =
        "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1";

    fn listed(text: &str) -> (tempfile::TempDir, Result<Listed>) {
        let (root, volume) = scratch();
        let path = root.path().join("users");
        std::fs::write(&path, text).unwrap();
        let carl = User {
            name: b"carl".into(),
            password: Password::new(b"typed").unwrap(),
            permissions: Permissions::READ_ONLY,
        };
        let file = UsersFile { path, permissions: Permissions::READ_ONLY };
        (root, Listed::new(Users::new(vec![carl], true), Some(file), volume))
    }

    #[test]
    fn those_of_the_file_and_those_that_were_given() {
        let (root, listed) = listed(&format!("# who may\n\nanna:{HASH}:rw\nbert:{HASH}\n"));
        let listed = listed.unwrap();
        let users = listed.users();
        assert_eq!(users.check(b"anna", b"secret").unwrap().permissions, Permissions::ALL);
        assert_eq!(users.check(b"bert", b"secret").unwrap().permissions, Permissions::READ_ONLY);
        assert!(users.check(b"carl", b"typed").is_some() && users.check(b"ftp", b"").is_some());
        for (name, password) in [("anna", "typed"), ("anna", ""), ("carl", "secret"), ("dora", "secret")] {
            assert_eq!(users.check(name.as_bytes(), password.as_bytes()), None);
        }

        std::fs::write(root.path().join("users"), "anna:secret").unwrap();
        listed.reload();
        assert!(listed.users().check(b"bert", b"secret").is_some(), "a file that is wrong changes nothing");
        std::fs::write(root.path().join("users"), format!("dora:{HASH}")).unwrap();
        listed.reload();
        assert!(listed.users().check(b"bert", b"secret").is_none());
        assert!(listed.users().check(b"dora", b"secret").is_some());
    }

    #[test]
    fn mistakes_are_named_and_not_repeated() {
        for (line, wanted) in [
            ("anna".to_owned(), "NAME:HASH"),
            ("anna:secret".to_owned(), "no hash"),
            (format!(":{HASH}"), "name is missing"),
            (format!("anna:{HASH}:x"), "rights are"),
            (format!("anna:{HASH}:ro:x"), "NAME:HASH"),
            (format!("FTP:{HASH}"), "--anonymous"),
            (format!("carl:{HASH}"), "there already"),
        ] {
            let (root, listed) = listed(&format!("\n{line}\n"));
            let error = format!("{:#}", listed.err().unwrap());
            let path = root.path().join("users");
            assert!(error.starts_with(&format!("cannot use {}: line 2", path.display())), "{error}");
            assert!(error.contains(wanted) && !error.contains("secret"), "{error}");
        }
    }
}
