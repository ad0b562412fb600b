//! An environment without a network or a disk: sessions run in it natively, for tests and fuzzers.
//!
//! [`Memory`] is the session's side, [`Client`] the other end of its connections. Nothing here waits:
//! a future that cannot go on is pending until the client has done something and it is polled again, by
//! [`Client::run`].

mod client;
mod files;
mod net;
mod open_file;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;

pub use client::Client;
pub use files::Files;
pub use net::{Connection, Port, Transfer};
use net::{Pipe, PortState};
pub use open_file::OpenFile;

use super::{
    Abilities, Access, DataError, Denial, Ending, Env, Event, Gone, Grant, Outcome, Received, StorageError, Times,
    TlsPolicy, TransferError,
};
use crate::proto::charset;
use crate::proto::checksum::Algorithm;
use crate::proto::entry::{Attributes, Entry, Permissions, Time};
use crate::proto::path::VPath;
use crate::proto::secret::Secret;

/// The session's side.
#[derive(Clone)]
pub struct Memory(Rc<RefCell<World>>);

/// Everything there is.
struct World {
    local: SocketAddr,
    remote: SocketAddr,
    /// Octets that the client has sent, and whether it has closed the connection.
    input: Vec<u8>,
    closed: bool,
    output: Vec<u8>,
    ending: Option<Ending>,
    idle: u32,
    /// The session could go on.
    yielded: bool,
    accounts: Vec<Account>,
    files: Files,
    now: Time,
    /// The newest data port, the one that the client knows.
    port: Option<Rc<RefCell<PortState>>>,
    /// Whether the client listens where it says it does.
    listens: bool,
    next_port: u16,
    outcomes: Vec<Outcome>,
    charset: Option<String>,
    tls: TlsPolicy,
    protected: bool,
    /// What data connections were opened with.
    data_protected: Vec<bool>,
}

struct Account {
    name: Vec<u8>,
    password: Secret,
    permissions: Permissions,
}

impl Memory {
    /// A client at `remote` has connected to `local`. There are no accounts and no files yet.
    pub fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        Self(Rc::new(RefCell::new(World {
            local,
            remote,
            input: Vec::new(),
            closed: false,
            output: Vec::new(),
            ending: None,
            idle: IDLE,
            yielded: false,
            accounts: Vec::new(),
            files: Files::default(),
            now: Time { seconds: 1_767_225_600, nanoseconds: 0 },
            port: None,
            listens: false,
            next_port: FIRST_PORT,
            outcomes: Vec::new(),
            charset: None,
            tls: TlsPolicy::Off,
            protected: false,
            data_protected: Vec::new(),
        })))
    }

    /// Add a user.
    pub fn account(&self, name: &[u8], password: &[u8], permissions: Permissions) {
        let (name, password) = (name.to_vec(), Secret::new(password.to_vec()));
        self.0.borrow_mut().accounts.push(Account { name, password, permissions });
    }

    /// Use this charset for pathnames, unless a client asks for UTF-8.
    pub fn charset(&self, name: &str) {
        self.0.borrow_mut().charset = Some(name.to_owned());
    }

    /// Offer TLS by this policy, of which nothing is real but the order of things. The client's certificate is
    /// that of the user `certified`.
    pub fn tls(&self, policy: TlsPolicy) {
        self.0.borrow_mut().tls = policy;
    }

    /// Whether the data connections that were opened so far were to be protected.
    pub fn data_protected(&self) -> Vec<bool> {
        self.0.borrow().data_protected.clone()
    }

    /// Look at the files, or change them.
    pub fn files<T>(&self, look: impl FnOnce(&mut Files) -> T) -> T {
        look(&mut self.0.borrow_mut().files)
    }

    /// How the transfers ended that the session has reported.
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.0.borrow().outcomes.clone()
    }

    fn new_port(&self, active: Option<SocketAddr>) -> Port {
        let mut world = self.0.borrow_mut();
        let address = active.unwrap_or_else(|| {
            world.next_port = world.next_port.checked_add(1).unwrap_or(FIRST_PORT);
            SocketAddr::new(world.local.ip(), world.next_port)
        });
        let port = Rc::new(RefCell::new(PortState::new(address, active.is_some())));
        world.port = Some(port.clone());
        Port(port)
    }
}

impl World {
    fn grant(&self, permissions: Permissions) -> Grant<Volume> {
        let volume = Volume { permissions, umask: Rc::new(Cell::new(UMASK)) };
        Grant { volume, start: b"/".to_vec(), message: None, charset: self.charset.clone() }
    }
}

/// A volume: what may be done with the files.
#[derive(Debug)]
pub struct Volume {
    permissions: Permissions,
    umask: Rc<Cell<u32>>,
}

impl Volume {
    fn allow(&self, permitted: impl Fn(&Permissions) -> bool) -> Result<(), StorageError> {
        if permitted(&self.permissions) { Ok(()) } else { Err(StorageError::Denied) }
    }
}

impl Env for Memory {
    type Volume = Volume;
    type File = (OpenFile, Rc<Cell<u32>>);
    type Directory = RefCell<Vec<Entry>>;
    type Port = Port;
    type Data = Connection;
    type Transfer = Transfer;
    type Work = Result<Vec<u8>, StorageError>;

    fn local_address(&self) -> SocketAddr {
        self.0.borrow().local
    }

    fn remote_address(&self) -> SocketAddr {
        self.0.borrow().remote
    }

    async fn receive(&self, into: &mut Vec<u8>) -> Received {
        poll_fn(|_| {
            let ending = self.0.borrow_mut().ending.take().map(Received::Ending);
            ending.or_else(|| self.try_receive(into)).map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    fn try_receive(&self, into: &mut Vec<u8>) -> Option<Received> {
        let mut world = self.0.borrow_mut();
        if world.input.is_empty() {
            return world.closed.then_some(Received::Closed);
        }
        into.append(&mut world.input);
        Some(Received::Octets)
    }

    async fn send(&self, octets: &mut Vec<u8>) -> Result<(), Gone> {
        let mut world = self.0.borrow_mut();
        if world.closed {
            return Err(Gone);
        }
        world.output.append(octets);
        Ok(())
    }

    fn tls_policy(&self) -> TlsPolicy {
        self.0.borrow().tls
    }

    fn protection(&self) -> Option<String> {
        self.0.borrow().protected.then(|| "nothing real".to_owned())
    }

    async fn start_tls(&self) -> Option<String> {
        self.0.borrow_mut().protected = true;
        self.protection()
    }

    fn may_stop_tls(&self) -> bool {
        self.0.borrow().tls == TlsPolicy::Allowed
    }

    fn stop_tls(&self) {
        self.0.borrow_mut().protected = false;
    }

    fn select_host(&self, name: &str) -> bool {
        !name.ends_with(".invalid")
    }

    fn idle_limit(&self) -> (u32, u32) {
        (self.0.borrow().idle, IDLE)
    }

    fn set_idle_limit(&self, seconds: u32) {
        self.0.borrow_mut().idle = seconds.min(IDLE);
    }

    async fn yield_now(&self) {
        let mut yielded = false;
        poll_fn(|_| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            self.0.borrow_mut().yielded = true;
            Poll::Pending
        })
        .await;
    }

    fn encode(&self, charset: &str, text: &str) -> Option<Vec<u8>> {
        charset::encode(charset, text)
    }

    fn decode(&self, charset: &str, octets: &[u8]) -> Option<String> {
        charset::decode(charset, octets)
    }

    fn now(&self) -> Time {
        self.0.borrow().now
    }

    async fn authenticate_by_certificate(&self, name: &[u8]) -> Option<Grant<Volume>> {
        let world = self.0.borrow();
        (world.protected && name == b"certified").then(|| world.grant(Permissions::ALL))
    }

    async fn authenticate(&self, name: &[u8], password: &Secret) -> Result<Grant<Volume>, Denial> {
        let world = self.0.borrow();
        let permissions = if name.eq_ignore_ascii_case(b"anonymous") {
            Some(Permissions::READ_ONLY)
        } else {
            let matches = |account: &&Account| account.name == name && account.password == *password;
            world.accounts.iter().find(matches).map(|account| account.permissions)
        };
        Ok(world.grant(permissions.ok_or(Denial::Denied)?))
    }

    fn record(&self, event: Event<'_>) {
        if let Event::Transfer { outcome, .. } = event {
            self.0.borrow_mut().outcomes.push(outcome);
        }
    }

    fn passive(&self) -> Result<Port, DataError> {
        Ok(self.new_port(None))
    }

    fn active(&self, to: SocketAddr) -> Result<Port, DataError> {
        if to.ip().to_canonical() != self.remote_address().ip() || to.port() < 1024 {
            return Err(DataError::Refused);
        }
        Ok(self.new_port(Some(to)))
    }

    fn port_address(&self, port: &Port) -> SocketAddr {
        port.0.borrow().address
    }

    async fn open_data(&self, port: &Port, protected: bool) -> Result<Connection, DataError> {
        self.0.borrow_mut().data_protected.push(protected);
        poll_fn(|_| {
            let mut state = port.0.borrow_mut();
            if state.active && state.pipe.is_none() {
                if !self.0.borrow().listens {
                    return Poll::Ready(Err(DataError::Unreachable));
                }
                state.pipe = Some(Pipe::new());
            }
            state.pipe.clone().map_or(Poll::Pending, |pipe| Poll::Ready(Ok(Connection::new(pipe))))
        })
        .await
    }

    async fn read_data(&self, data: &Connection, into: &mut Vec<u8>) -> Result<bool, DataError> {
        poll_fn(|_| data.read(into)).await
    }

    async fn write_data(&self, data: &Connection, mut octets: &[u8]) -> Result<(), DataError> {
        poll_fn(|_| data.write(&mut octets)).await
    }

    fn send_file(&self, data: &Connection, (file, _): &Self::File, offset: u64, length: u64) -> Transfer {
        Transfer::send(data, file.clone(), offset, length)
    }

    fn receive_file(&self, data: &Connection, (file, _): &Self::File) -> Transfer {
        Transfer::receive(data, file.clone())
    }

    fn transferred(&self, transfer: &Transfer) -> u64 {
        transfer.moved()
    }

    async fn end_of_transfer(&self, transfer: &Transfer) -> Result<u64, TransferError> {
        poll_fn(|_| transfer.step()).await
    }

    async fn finish_data(&self, data: Connection) -> Result<(), DataError> {
        data.finish()
    }

    fn abilities(&self) -> Abilities {
        Abilities::ALL
    }

    fn permissions(&self, volume: &Volume) -> Permissions {
        volume.permissions
    }

    async fn stat(&self, volume: &Volume, path: &VPath) -> Result<Attributes, StorageError> {
        volume.allow(|may| may.list)?;
        self.files(|files| files.stat(path.as_bytes()))
    }

    async fn list(&self, volume: &Volume, path: &VPath) -> Result<RefCell<Vec<Entry>>, StorageError> {
        volume.allow(|may| may.list)?;
        Ok(RefCell::new(self.files(|files| files.list(path.as_bytes()))?))
    }

    async fn next_entries(&self, directory: &RefCell<Vec<Entry>>) -> Result<Vec<Entry>, StorageError> {
        let mut left = directory.borrow_mut();
        let batch = left.len().min(BATCH);
        Ok(left.drain(..batch).collect())
    }

    async fn unfinished(&self, volume: &Volume, path: &VPath) -> Result<u64, StorageError> {
        volume.allow(|may| may.write)?;
        self.files(|files| files.unfinished(path.as_bytes()))
    }

    async fn open(&self, volume: &Volume, path: &VPath, access: Access) -> Result<Self::File, StorageError> {
        volume.allow(|may| if access == Access::Read { may.read } else { may.write })?;
        let now = self.now();
        let file = self.files(|files| files.open(path.as_bytes(), access, now))?;
        Ok((file, volume.umask.clone()))
    }

    async fn size(&self, (file, _): &Self::File) -> Result<u64, StorageError> {
        Ok(file.size())
    }

    async fn read(&self, (file, _): &Self::File, offset: u64, length: u32) -> Result<Vec<u8>, StorageError> {
        file.read(offset, length as usize)
    }

    async fn write(&self, (file, _): &Self::File, octets: &[u8]) -> Result<(), StorageError> {
        file.write(octets)
    }

    async fn reserve(&self, (file, _): &Self::File, _length: u64) -> Result<(), StorageError> {
        file.reserve()
    }

    fn copy(&self, (file, _): &Self::File, (source, _): &Self::File) -> Self::Work {
        file.copy(source)
    }

    fn checksum(&self, (file, _): &Self::File, algorithm: Algorithm, offset: u64, length: u64) -> Self::Work {
        file.checksum(algorithm, offset, length)
    }

    async fn end_of_work(&self, work: &Self::Work) -> Result<Vec<u8>, StorageError> {
        work.clone()
    }

    fn discard(&self, (file, _): &Self::File) {
        self.files(|files| files.discard(file));
    }

    async fn finish_file(&self, (file, umask): &Self::File) -> Result<(), StorageError> {
        file.write(b"")?;
        self.files(|files| files.publish(file, umask.get()))
    }

    async fn remove_file(&self, volume: &Volume, path: &VPath) -> Result<(), StorageError> {
        volume.allow(|may| may.delete)?;
        self.files(|files| files.remove_file(path.as_bytes()))
    }

    async fn make_directory(&self, volume: &Volume, path: &VPath) -> Result<(), StorageError> {
        volume.allow(|may| may.make_directory)?;
        let now = self.now();
        self.files(|files| files.make_directory(path.as_bytes(), now, volume.umask.get()))
    }

    async fn remove_directory(&self, volume: &Volume, path: &VPath) -> Result<(), StorageError> {
        volume.allow(|may| may.remove_directory)?;
        self.files(|files| files.remove_directory(path.as_bytes()))
    }

    async fn rename(&self, volume: &Volume, from: &VPath, to: &VPath) -> Result<(), StorageError> {
        volume.allow(|may| may.rename)?;
        self.files(|files| files.rename(from.as_bytes(), to.as_bytes()))
    }

    async fn make_link(&self, volume: &Volume, path: &VPath, _target: &VPath) -> Result<(), StorageError> {
        volume.allow(|may| may.write)?;
        let now = self.now();
        self.files(|files| files.make_link(path.as_bytes(), now))
    }

    async fn set_times(&self, volume: &Volume, path: &VPath, times: Times) -> Result<(), StorageError> {
        volume.allow(|may| {
            (times.modified.is_none() || may.set_attributes) && (times.created.is_none() || may.set_created)
        })?;
        self.files(|files| files.set_times(path.as_bytes(), times))
    }

    async fn set_mode(&self, volume: &Volume, path: &VPath, mode: u32) -> Result<(), StorageError> {
        volume.allow(|may| may.set_attributes)?;
        self.files(|files| files.set_mode(path.as_bytes(), mode))
    }

    fn umask(&self, volume: &Volume) -> u32 {
        volume.umask.get()
    }

    fn set_umask(&self, volume: &Volume, mask: u32) {
        volume.umask.set(mask & 0o777);
    }

    async fn space(&self, volume: &Volume) -> Result<u64, StorageError> {
        volume.allow(|may| may.write)?;
        Ok(SPACE)
    }
}

/// Below the first passive port.
const FIRST_PORT: u16 = 50_000;

/// Entries of a directory that are given at once: few, so that tests see batches.
const BATCH: usize = 2;

/// Seconds: how long a client may say nothing.
const IDLE: u32 = 300;

/// The usual one.
const UMASK: u32 = 0o022;

/// Octets of free space, as far as ALLO is told.
const SPACE: u64 = 1 << 40;
