//! What a session needs from outside, and the plain data that crosses.
//!
//! [`Env`] is the only way out of a session. It is implemented by [`memory`] (tests, fuzzing), and by
//! the program roots under `src/bin/` over the interfaces of their worlds. An implementation
//! translates and never decides.

mod error;
pub mod memory;

use std::net::SocketAddr;

pub use error::{DataError, Denial, Ending, Gone, StorageError, TransferError};

use crate::proto::checksum::Algorithm;
use crate::proto::entry::{Attributes, Entry, Permissions, Time};
use crate::proto::path::VPath;
use crate::proto::secret::Secret;

/// The outside world of one session.
///
/// Sessions run on one thread, so futures need not be `Send`. Every method takes `&self`: a session
/// reads its control connection while a transfer runs. Cancel safety: only [`receive`](Env::receive) and
/// [`send`](Env::send) are ever dropped before they are done and called again; every other future is
/// either awaited to its end or dropped together with what it works on.
#[allow(async_fn_in_trait, reason = "one thread, no Send wanted")]
pub trait Env {
    /// One user's files.
    type Volume;
    /// An open file.
    type File;
    /// A directory being read.
    type Directory;
    /// Where the next data connection will come from.
    type Port;
    /// An open data connection; dropping it closes it abruptly.
    type Data;
    /// A file on its way through the host; dropping it stops it.
    type Transfer;
    /// Something the storage does that takes time; dropping it stops it.
    type Work;

    // The control connection.

    /// The server's end of the control connection.
    fn local_address(&self) -> SocketAddr;

    /// The client's end of the control connection. Never an IPv4-mapped IPv6 address.
    fn remote_address(&self) -> SocketAddr;

    /// Wait for octets from the client and append some (at most a few KiB) to `into`. Cancel safe:
    /// octets are taken only when the future is done.
    async fn receive(&self, into: &mut Vec<u8>) -> Received;

    /// What `receive` would say if it need not wait.
    fn try_receive(&self, into: &mut Vec<u8>) -> Option<Received>;

    /// Send `octets` to the client, removing from their front what has been taken. Cancel safe: what is
    /// left has not been sent.
    async fn send(&self, octets: &mut Vec<u8>) -> Result<(), Gone>;

    /// Whether TLS can be had, and must be.
    fn tls_policy(&self) -> TlsPolicy;

    /// What protects the control connection, for people.
    fn protection(&self) -> Option<String>;

    /// Protect the control connection: what does so, or nothing if the handshake failed.
    async fn start_tls(&self) -> Option<String>;

    /// Whether a user may stay logged in when commands are clear again.
    fn may_stop_tls(&self) -> bool;

    /// Protect the control connection no more.
    fn stop_tls(&self);

    /// The host that the client wants, by name; false if there is none of that name.
    fn select_host(&self, name: &str) -> bool;

    /// How long the client may say nothing, in seconds: now, and at most.
    fn idle_limit(&self) -> (u32, u32);

    /// Set how long; no longer than at most.
    fn set_idle_limit(&self, seconds: u32);

    /// Let whoever waits for the client look, before going on with work that never waits.
    async fn yield_now(&self);

    // Charsets, clock, accounts, events.

    /// Text in a charset, if there is one of that name and it can write the text.
    fn encode(&self, charset: &str, text: &str) -> Option<Vec<u8>>;

    /// The text that octets in a charset are, if they are any.
    fn decode(&self, charset: &str, octets: &[u8]) -> Option<String>;

    /// The time of day.
    fn now(&self) -> Time;

    /// Whether the client's certificate is that of this user.
    async fn authenticate_by_certificate(&self, name: &[u8]) -> Option<Grant<Self::Volume>>;

    /// Check a name and password (RFC 959 §4.1.1).
    async fn authenticate(&self, name: &[u8], password: &Secret) -> Result<Grant<Self::Volume>, Denial>;

    /// Tell the operator what happened.
    fn record(&self, event: Event<'_>);

    // Data connections.

    /// A port to which the client connects.
    fn passive(&self) -> Result<Self::Port, DataError>;

    /// A port of the client's, to which we connect. Checked now; no packet before `open_data`.
    fn active(&self, to: SocketAddr) -> Result<Self::Port, DataError>;

    /// What to tell the client of a passive port; what was given for an active one.
    fn port_address(&self, port: &Self::Port) -> SocketAddr;

    /// Open the data connection, under TLS if it is to be protected.
    async fn open_data(&self, port: &Self::Port, protected: bool) -> Result<Self::Data, DataError>;

    /// Append some octets of the client's to `into`; false at the end.
    async fn read_data(&self, data: &Self::Data, into: &mut Vec<u8>) -> Result<bool, DataError>;

    /// Send all of `octets`. The last may leave with the end.
    async fn write_data(&self, data: &Self::Data, octets: &[u8]) -> Result<(), DataError>;

    /// Begin to send up to `length` octets of a file from `offset`.
    fn send_file(&self, data: &Self::Data, file: &Self::File, offset: u64, length: u64) -> Self::Transfer;

    /// Begin to write what the client sends into a file, from where `open` placed it.
    fn receive_file(&self, data: &Self::Data, file: &Self::File) -> Self::Transfer;

    /// Octets moved so far.
    fn transferred(&self, transfer: &Self::Transfer) -> u64;

    /// Wait for the end of a transfer.
    async fn end_of_transfer(&self, transfer: &Self::Transfer) -> Result<u64, TransferError>;

    /// Send what is left, and close in good order. Succeeds only if the client had not gone: 226 may be said after
    /// this and not before.
    async fn finish_data(&self, data: Self::Data) -> Result<(), DataError>;

    // Storage.

    /// What the storage can that not every one can.
    fn abilities(&self) -> Abilities;

    /// What the user may do.
    fn permissions(&self, volume: &Self::Volume) -> Permissions;

    /// The attributes of what `path` names. Links are followed.
    async fn stat(&self, volume: &Self::Volume, path: &VPath) -> Result<Attributes, StorageError>;

    /// Begin to read a directory.
    async fn list(&self, volume: &Self::Volume, path: &VPath) -> Result<Self::Directory, StorageError>;

    /// The next entries of a directory, in no particular order; none at the end.
    async fn next_entries(&self, directory: &Self::Directory) -> Result<Vec<Entry>, StorageError>;

    /// Their names alone, which may cost less.
    async fn next_names(&self, directory: &Self::Directory) -> Result<Vec<Vec<u8>>, StorageError> {
        Ok(self.next_entries(directory).await?.into_iter().map(|entry| entry.name).collect())
    }

    /// Octets of a file of that name that were written and not finished, and can be gone on with, whether or
    /// not there is a finished file as well. Error `NotFound` if there are none.
    async fn unfinished(&self, volume: &Self::Volume, path: &VPath) -> Result<u64, StorageError>;

    /// Open a file. Nothing is truncated by it.
    async fn open(&self, volume: &Self::Volume, path: &VPath, access: Access) -> Result<Self::File, StorageError>;

    /// The size of an open file, in octets.
    async fn size(&self, file: &Self::File) -> Result<u64, StorageError>;

    /// Up to `length` octets from `offset`; none at the end.
    async fn read(&self, file: &Self::File, offset: u64, length: u32) -> Result<Vec<u8>, StorageError>;

    /// Write all of `octets` behind those written before.
    async fn write(&self, file: &Self::File, octets: &[u8]) -> Result<(), StorageError>;

    /// Keep room for `length` more octets, where the storage can.
    async fn reserve(&self, file: &Self::File, length: u64) -> Result<(), StorageError>;

    /// Begin to write all of `source` behind what was written into `file` before.
    fn copy(&self, file: &Self::File, source: &Self::File) -> Self::Work;

    /// Begin to compute the checksum of up to `length` octets from `offset`.
    fn checksum(&self, file: &Self::File, algorithm: Algorithm, offset: u64, length: u64) -> Self::Work;

    /// Wait for the end of a work: the checksum, or nothing.
    async fn end_of_work(&self, work: &Self::Work) -> Result<Vec<u8>, StorageError>;

    /// What was written is of no use: if it is not finished, it is not kept to be gone on with.
    fn discard(&self, file: &Self::File);

    /// Everything is written, and can be seen now.
    async fn finish_file(&self, file: &Self::File) -> Result<(), StorageError>;

    /// Remove anything but a directory.
    async fn remove_file(&self, volume: &Self::Volume, path: &VPath) -> Result<(), StorageError>;

    /// Make a directory.
    async fn make_directory(&self, volume: &Self::Volume, path: &VPath) -> Result<(), StorageError>;

    /// Remove an empty directory.
    async fn remove_directory(&self, volume: &Self::Volume, path: &VPath) -> Result<(), StorageError>;

    /// Rename. A file at `to` is replaced, a directory is not.
    async fn rename(&self, volume: &Self::Volume, from: &VPath, to: &VPath) -> Result<(), StorageError>;

    /// Make a symbolic link at `path` that leads to `target`, which need not exist.
    async fn make_link(&self, volume: &Self::Volume, path: &VPath, target: &VPath) -> Result<(), StorageError>;

    /// Set the times that are given.
    async fn set_times(&self, volume: &Self::Volume, path: &VPath, times: Times) -> Result<(), StorageError>;

    /// Set the lower nine bits of the mode.
    async fn set_mode(&self, volume: &Self::Volume, path: &VPath, mode: u32) -> Result<(), StorageError>;

    /// The bits that the mode of something new does not get.
    fn umask(&self, volume: &Self::Volume) -> u32;

    /// Set these, the lower nine bits.
    fn set_umask(&self, volume: &Self::Volume, mask: u32);

    /// Octets that may still be written.
    async fn space(&self, volume: &Self::Volume) -> Result<u64, StorageError>;
}

/// Whether TLS can be had, and must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsPolicy {
    /// There is none.
    #[default]
    Off,
    /// Who wants it has it.
    Allowed,
    /// Nobody logs in without it.
    Required,
    /// Nor is a data connection opened that is not protected.
    RequiredForData,
}

/// What came of waiting for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Octets were appended.
    Octets,
    /// The client closed the control connection, or it broke.
    Closed,
    /// The session must end. Said once; a session that has something to finish may go on receiving.
    Ending(Ending),
}

/// What a user who logged in is given.
#[derive(Debug)]
pub struct Grant<V> {
    /// The user's files.
    pub volume: V,
    /// The directory to start in.
    pub start: Vec<u8>,
    /// Text for the reply to PASS.
    pub message: Option<String>,
    /// The charset of pathnames for clients that do not ask for UTF-8, by its WHATWG name.
    pub charset: Option<String>,
}

/// What not every storage can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Files have Unix modes, which can be set.
    pub modes: bool,
    /// It is known how much may still be written.
    pub space: bool,
}

impl Abilities {
    /// Everything.
    pub const ALL: Self = Self { modes: true, space: true };
}

/// Times to be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Of the last change.
    pub modified: Option<Time>,
    /// Of creation.
    pub created: Option<Time>,
}

/// How a file is opened. Nothing is truncated by opening: a transfer that never begins must not cost a
/// file its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To read.
    Read,
    /// To write all of it anew, unseen until `finish_file` puts it in the place of what was there.
    Replace,
    /// To go on from an offset in what `Replace` left unfinished or, if there is nothing, in the file
    /// itself. What lay after the offset goes when the first octets are written, or the transfer ends.
    Resume(u64),
    /// To write behind the end of the file, or of what was left unfinished; made if missing.
    Append,
    /// As `Replace`, for a name that nobody has or is writing.
    Create,
}

/// What the operator is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A transfer ended, well or not.
    Transfer {
        /// What it did.
        direction: Direction,
        /// Of which file or directory.
        path: &'a VPath,
        /// Octets on the data connection.
        octets: u64,
        /// How it ended.
        outcome: Outcome,
    },
    /// Something was made, removed or changed, but for its contents: the verb and the path.
    Changed(&'static str, &'a VPath),
    /// Renamed, from and to.
    Renamed(&'a VPath, &'a VPath),
    /// A command was refused: the verb, if it is one, and the reply code.
    Refused(&'static str, u16),
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
    /// Well.
    Complete,
    /// By the client: ABOR, or it went away.
    Aborted,
    /// By the storage or the network.
    Failed,
}
