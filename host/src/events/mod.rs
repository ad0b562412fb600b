//! What happens in sessions, for a program that wants to know.

mod feed;
mod host;

use std::net::SocketAddr;
use std::time::SystemTime;

use wasmtime_wasi_io::async_trait;

pub(crate) use feed::{Feed, Waiting, deliver};

/// Somebody who wants to know what happens.
#[async_trait]
pub trait Events: Send + Sync + 'static {
    /// Take note of it. One event is told after the other, in the order in which they happened in each session. As long
    /// as it takes, the next ones wait in a queue, and when that is full their sessions do too; after
    /// [`Limits::answer`](crate::config::Limits::answer) it is given up.
    async fn record(&self, event: Event);
}

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: SystemTime,
    /// The client.
    pub peer: SocketAddr,
    /// The user's name, after a log-in.
    pub user: Option<Vec<u8>>,
    /// What.
    pub what: What,
}

/// What can happen. Transfers, changes and refusals are as the session tells them, which is trusted with its own
/// files and no more: a client that has taken over its session can make them up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A client has connected.
    Connected,
    /// A user has logged in, the one of the event.
    LoggedIn {
        /// With a certificate, and no password.
        by_certificate: bool,
    },
    /// Somebody has not been let in.
    LogInFailed {
        /// The name that was given.
        name: Vec<u8>,
    },
    /// A transfer ended, well or not.
    Transfer(Transfer),
    /// Something was made, removed or changed, but for its contents.
    Changed {
        /// The verb that did it.
        verb: String,
        /// What.
        path: Vec<u8>,
    },
    /// Something has another name.
    Renamed {
        /// Its name before.
        from: Vec<u8>,
        /// Its name now.
        to: Vec<u8>,
    },
    /// A command was refused.
    Refused {
        /// The verb, if it is one.
        verb: String,
        /// The code of the reply.
        code: u16,
    },
    /// The session is over.
    Disconnected,
}

/// A transfer that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// What it did.
    pub direction: Direction,
    /// With what.
    pub path: Vec<u8>,
    /// Octets on the data connection.
    pub octets: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// What a transfer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// RETR.
    Retrieve,
    /// STOR, STOU.
    Store,
    /// APPE.
    Append,
    /// LIST, NLST, MLSD.
    Listing,
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was moved and, if it was stored, can be seen.
    Complete,
    /// By the client: ABOR, or it went away.
    Aborted,
    /// By the storage or the network.
    Failed,
}
