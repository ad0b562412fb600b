//! Who may log in, and to what. [`Users`] are those of a list; [`Accounts`] is for everything else.

mod crypt;
mod host;
mod listed;
mod users;

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;

use wasmtime_wasi_io::async_trait;

use crate::storage::{Permissions, Root};

pub use listed::{Listed, UsersFile};
pub use users::{Identity, Password, User, Users, generate_password, is_anonymous};

/// Who may log in, and to what.
///
/// The host sees to it that wrong answers take time and end a session at last, that not too many log-ins are checked at
/// once, and that TLS is there where it is required. A call may be given up where it waits, after
/// [`Limits::answer`](crate::config::Limits::answer): then the client is told to come back later. What computes for long,
/// such as a hash of a password, belongs on a thread of its own (`tokio::task::spawn_blocking`).
///
/// A closure from a [`LogIn`] to such a future is one too.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// Check who it is. Nobody should learn, from the time it takes, whether there is somebody of that name.
    async fn authenticate(&self, log_in: LogIn) -> Result<Account, Denial>;
}

#[async_trait]
impl<F, A> Accounts for F
where
    F: Fn(LogIn) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Account, Denial>> + Send,
{
    async fn authenticate(&self, log_in: LogIn) -> Result<Account, Denial> {
        self(log_in).await
    }
}

/// Somebody wants to log in.
#[derive(Clone, Debug)]
pub struct LogIn {
    /// The name that the client has given (USER), as it came.
    pub name: Vec<u8>,
    /// What is to show that the client may use it.
    pub proof: Proof,
    /// The client.
    pub peer: SocketAddr,
    /// Where it has connected.
    pub local: SocketAddr,
    /// Whether the control connection is protected.
    pub tls: bool,
    /// The host that it has asked for by name (HOST, RFC 7151).
    pub host: Option<String>,
}

/// What shows that a client may use a name.
#[derive(Clone)]
pub enum Proof {
    /// The password that it has given (PASS), as it came; to be checked.
    Password(Vec<u8>),
    /// A certificate, which the host has checked and which is for that name. A denial makes the host ask for a
    /// password.
    Certificate,
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password(…)",
            Self::Certificate => "Certificate",
        })
    }
}

/// What somebody who has logged in is given.
#[derive(Clone, Debug)]
pub struct Account {
    /// The name under which logs and events have it.
    pub name: Vec<u8>,
    /// Where the files are.
    pub root: Root,
    /// The directory to start in: absolute and normalised.
    pub start: Vec<u8>,
    /// What may be done.
    pub permissions: Permissions,
    /// Text for the reply, for people, of several lines maybe.
    pub message: Option<String>,
}

impl Account {
    /// Starts in the root, without a message.
    pub fn new(name: impl Into<Vec<u8>>, root: impl Into<Root>, permissions: Permissions) -> Self {
        Self { name: name.into(), root: root.into(), start: b"/".to_vec(), permissions, message: None }
    }
}

/// Why somebody is not let in. Clients are never told which half was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Wrong name or password, or not allowed from there.
    Denied,
    /// Not as long as the connection is not protected.
    Unprotected,
    /// The accounts cannot be asked at the moment.
    Unavailable,
}
