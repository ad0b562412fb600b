//! The host's interfaces as an [`Env`].

use std::cell::{Cell, OnceCell};
use std::net::SocketAddr;
use std::rc::Rc;

use wasi::clocks::wall_clock;
use wasi_ftpd::env::{
    Abilities, Access, DataError, Denial, Env, Event, Gone, Grant, Received, StorageError, Times, TlsPolicy,
    TransferError,
};
use wasi_ftpd::proto::checksum::Algorithm;
use wasi_ftpd::proto::entry::{Attributes, Entry, Permissions, Time};
use wasi_ftpd::proto::path::VPath;
use wasi_ftpd::proto::secret::Secret;
use wasi_ftpd::wasi::stream::{Broken, Reader, Writer};
use wasi_ftpd::wasi::wait::{Signal, until, yield_now};

use crate::bindings::ftpd::server::control::{Connection, get_connection};
use crate::bindings::ftpd::server::storage::{self, Directory, File, Volume};
use crate::bindings::ftpd::server::{accounts, charsets, data, events};
use crate::convert;

/// What the host gave this instance. Fields are dropped in order: pollables and streams before what
/// they belong to.
pub(crate) struct Host {
    input: Reader,
    output: Writer,
    /// The session knows that it must end.
    told: Cell<bool>,
    /// Once somebody has asked.
    local: OnceCell<SocketAddr>,
    remote: OnceCell<SocketAddr>,
    connection: Connection,
}

impl Host {
    pub(crate) fn new() -> Self {
        let connection = get_connection();
        Self {
            input: Reader::new(connection.input()),
            output: Writer::new(connection.output()),
            told: Cell::new(false),
            local: OnceCell::new(),
            remote: OnceCell::new(),
            connection,
        }
    }

    /// Why the session must end, once.
    fn ending(&self) -> Option<Received> {
        if self.told.get() {
            return None;
        }
        let ending = self.connection.ending()?;
        self.told.set(true);
        Some(Received::Ending(convert::ending(ending)))
    }
}

/// A data port, and what says that its connection is open.
pub(crate) struct Port {
    opened: OnceCell<Rc<Signal>>,
    port: data::DataPort,
}

impl Port {
    fn new(port: data::DataPort) -> Self {
        Self { opened: OnceCell::new(), port }
    }
}

/// An open data connection and its streams, if they are used.
pub(crate) struct Data {
    input: OnceCell<Reader>,
    output: OnceCell<Writer>,
    connection: data::DataConnection,
}

impl Data {
    fn output(&self) -> &Writer {
        self.output.get_or_init(|| Writer::new(self.connection.output()))
    }

    /// Why a stream over it is broken.
    fn error(&self) -> DataError {
        self.connection.finish().map_or_else(convert::data_error, |()| DataError::Broken)
    }
}

/// A transfer, and what says that it has ended.
pub(crate) struct Transfer {
    ended: OnceCell<Rc<Signal>>,
    transfer: data::Transfer,
}

impl Transfer {
    fn new(transfer: data::Transfer) -> Self {
        Self { ended: OnceCell::new(), transfer }
    }
}

/// A work of the storage, and what says that it is done.
pub(crate) struct Work {
    ended: OnceCell<Rc<Signal>>,
    work: storage::Work,
}

impl Work {
    fn new(work: storage::Work) -> Self {
        Self { ended: OnceCell::new(), work }
    }
}

impl Env for Host {
    type Volume = Volume;
    type File = File;
    type Directory = Directory;
    type Port = Port;
    type Data = Data;
    type Transfer = Transfer;
    type Work = Work;

    fn local_address(&self) -> SocketAddr {
        *self.local.get_or_init(|| convert::address(self.connection.local_address()))
    }

    fn remote_address(&self) -> SocketAddr {
        *self.remote.get_or_init(|| convert::address(self.connection.remote_address()))
    }

    async fn receive(&self, into: &mut Vec<u8>) -> Received {
        // A quick client has answered by now.
        if let Some(received) = self.try_receive(into) {
            return received;
        }
        // What was found ready before this is no news.
        self.input.signal().take();
        loop {
            until(self.input.signal()).await;
            if let Some(received) = self.try_receive(into).or_else(|| self.ending()) {
                return received;
            }
        }
    }

    fn try_receive(&self, into: &mut Vec<u8>) -> Option<Received> {
        match self.input.try_read(into, COMMAND_PIECE) {
            Ok(None) => None,
            Ok(Some(true)) => Some(Received::Octets),
            Ok(Some(false)) | Err(Broken) => Some(Received::Closed),
        }
    }

    async fn send(&self, octets: &mut Vec<u8>) -> Result<(), Gone> {
        while !octets.is_empty() {
            let sent = self.output.write_some(octets).await.map_err(|Broken| Gone)?;
            octets.drain(..sent);
        }
        Ok(())
    }

    fn tls_policy(&self) -> TlsPolicy {
        convert::tls_policy(self.connection.tls_policy())
    }

    fn protection(&self) -> Option<String> {
        self.connection.protection().map(|protection| protection.description)
    }

    async fn start_tls(&self) -> Option<String> {
        let handshake = self.connection.start_tls();
        let over = Signal::new(handshake.subscribe());
        loop {
            if let Some(protection) = handshake.finish() {
                return protection.map(|protection| protection.description);
            }
            until(&over).await;
        }
    }

    fn may_stop_tls(&self) -> bool {
        self.connection.may_stop_tls()
    }

    fn stop_tls(&self) {
        self.connection.stop_tls();
    }

    fn select_host(&self, name: &str) -> bool {
        self.connection.select_host(name)
    }

    fn idle_limit(&self) -> (u32, u32) {
        self.connection.idle_limit()
    }

    fn set_idle_limit(&self, seconds: u32) {
        self.connection.set_idle_limit(seconds);
    }

    async fn yield_now(&self) {
        yield_now().await;
    }

    fn encode(&self, charset: &str, text: &str) -> Option<Vec<u8>> {
        charsets::encode(charset, text)
    }

    fn decode(&self, charset: &str, octets: &[u8]) -> Option<String> {
        charsets::decode(charset, octets)
    }

    fn now(&self) -> Time {
        let now = wall_clock::now();
        Time { seconds: i64::try_from(now.seconds).unwrap_or(i64::MAX), nanoseconds: now.nanoseconds }
    }

    async fn authenticate_by_certificate(&self, name: &[u8]) -> Option<Grant<Volume>> {
        accounts::authenticate_by_certificate(name).map(grant)
    }

    async fn authenticate(&self, name: &[u8], password: &Secret) -> Result<Grant<Volume>, Denial> {
        accounts::authenticate(name, password.reveal()).map(grant).map_err(convert::denial)
    }

    fn record(&self, event: Event<'_>) {
        events::record_event(&convert::event(event));
    }

    fn passive(&self) -> Result<Port, DataError> {
        data::DataPort::passive().map(Port::new).map_err(convert::data_error)
    }

    fn active(&self, to: SocketAddr) -> Result<Port, DataError> {
        data::DataPort::active(convert::to_address(to)).map(Port::new).map_err(convert::data_error)
    }

    fn port_address(&self, port: &Port) -> SocketAddr {
        convert::address(port.port.address())
    }

    async fn open_data(&self, port: &Port, protected: bool) -> Result<Data, DataError> {
        port.port.open(protected);
        loop {
            match port.port.finish() {
                Ok(connection) => return Ok(Data { input: OnceCell::new(), output: OnceCell::new(), connection }),
                Err(data::Error::Pending) => {
                    until(port.opened.get_or_init(|| Signal::new(port.port.subscribe()))).await;
                }
                Err(error) => return Err(convert::data_error(error)),
            }
        }
    }

    async fn read_data(&self, data: &Data, into: &mut Vec<u8>) -> Result<bool, DataError> {
        let input = data.input.get_or_init(|| Reader::new(data.connection.input()));
        input.read(into, DATA_PIECE).await.map_err(|Broken| data.error())
    }

    async fn write_data(&self, data: &Data, mut octets: &[u8]) -> Result<(), DataError> {
        let output = data.output();
        while !octets.is_empty() {
            let written = output.write_some(octets).await.map_err(|Broken| data.error())?;
            octets = octets.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    fn send_file(&self, data: &Data, file: &File, offset: u64, length: u64) -> Transfer {
        Transfer::new(data.connection.send_file(file, offset, length))
    }

    fn receive_file(&self, data: &Data, file: &File) -> Transfer {
        Transfer::new(data.connection.receive_file(file))
    }

    fn transferred(&self, transfer: &Transfer) -> u64 {
        transfer.transfer.count()
    }

    async fn end_of_transfer(&self, transfer: &Transfer) -> Result<u64, TransferError> {
        loop {
            match transfer.transfer.finish() {
                Err(data::TransferError::Connection(data::Error::Pending)) => {
                    until(transfer.ended.get_or_init(|| Signal::new(transfer.transfer.subscribe()))).await;
                }
                result => return result.map_err(convert::transfer_error),
            }
        }
    }

    async fn finish_data(&self, data: Data) -> Result<(), DataError> {
        loop {
            match data.connection.finish() {
                Err(data::Error::Pending) => data.output().flush().await.map_err(|Broken| data.error())?,
                result => return result.map_err(convert::data_error),
            }
        }
    }

    fn abilities(&self) -> Abilities {
        Abilities::ALL
    }

    fn permissions(&self, volume: &Volume) -> Permissions {
        convert::permissions(volume.permissions())
    }

    async fn stat(&self, volume: &Volume, path: &VPath) -> Result<Attributes, StorageError> {
        volume.stat(path.as_bytes()).map(convert::attributes).map_err(convert::storage_error)
    }

    async fn list(&self, volume: &Volume, path: &VPath) -> Result<Directory, StorageError> {
        volume.list(path.as_bytes()).map_err(convert::storage_error)
    }

    async fn next_entries(&self, directory: &Directory) -> Result<Vec<Entry>, StorageError> {
        let entries = directory.next().map_err(convert::storage_error)?;
        Ok(entries.into_iter().map(convert::entry).collect())
    }

    async fn next_names(&self, directory: &Directory) -> Result<Vec<Vec<u8>>, StorageError> {
        directory.next_names().map_err(convert::storage_error)
    }

    async fn unfinished(&self, volume: &Volume, path: &VPath) -> Result<u64, StorageError> {
        volume.unfinished(path.as_bytes()).map_err(convert::storage_error)
    }

    async fn open(&self, volume: &Volume, path: &VPath, access: Access) -> Result<File, StorageError> {
        volume.open(path.as_bytes(), convert::access(access)).map_err(convert::storage_error)
    }

    async fn size(&self, file: &File) -> Result<u64, StorageError> {
        file.size().map_err(convert::storage_error)
    }

    async fn read(&self, file: &File, offset: u64, length: u32) -> Result<Vec<u8>, StorageError> {
        file.read(offset, length).map_err(convert::storage_error)
    }

    async fn write(&self, file: &File, octets: &[u8]) -> Result<(), StorageError> {
        file.write(octets).map_err(convert::storage_error)
    }

    async fn reserve(&self, file: &File, length: u64) -> Result<(), StorageError> {
        file.reserve(length).map_err(convert::storage_error)
    }

    fn copy(&self, file: &File, source: &File) -> Work {
        Work::new(file.copy_from(source))
    }

    fn checksum(&self, file: &File, algorithm: Algorithm, offset: u64, length: u64) -> Work {
        Work::new(file.checksum(convert::algorithm(algorithm), offset, length))
    }

    async fn end_of_work(&self, work: &Work) -> Result<Vec<u8>, StorageError> {
        loop {
            if let Some(result) = work.work.finish() {
                return result.map_err(convert::storage_error);
            }
            until(work.ended.get_or_init(|| Signal::new(work.work.subscribe()))).await;
        }
    }

    fn discard(&self, file: &File) {
        file.discard();
    }

    async fn finish_file(&self, file: &File) -> Result<(), StorageError> {
        file.finish().map_err(convert::storage_error)
    }

    async fn remove_file(&self, volume: &Volume, path: &VPath) -> Result<(), StorageError> {
        volume.remove_file(path.as_bytes()).map_err(convert::storage_error)
    }

    async fn make_directory(&self, volume: &Volume, path: &VPath) -> Result<(), StorageError> {
        volume.make_directory(path.as_bytes()).map_err(convert::storage_error)
    }

    async fn remove_directory(&self, volume: &Volume, path: &VPath) -> Result<(), StorageError> {
        volume.remove_directory(path.as_bytes()).map_err(convert::storage_error)
    }

    async fn rename(&self, volume: &Volume, from: &VPath, to: &VPath) -> Result<(), StorageError> {
        volume.rename(from.as_bytes(), to.as_bytes()).map_err(convert::storage_error)
    }

    async fn make_link(&self, volume: &Volume, path: &VPath, target: &VPath) -> Result<(), StorageError> {
        volume.make_link(path.as_bytes(), target.as_bytes()).map_err(convert::storage_error)
    }

    async fn set_times(&self, volume: &Volume, path: &VPath, times: Times) -> Result<(), StorageError> {
        let (modified, created) = (times.modified.map(convert::to_time), times.created.map(convert::to_time));
        volume.set_times(path.as_bytes(), modified, created).map_err(convert::storage_error)
    }

    async fn set_mode(&self, volume: &Volume, path: &VPath, mode: u32) -> Result<(), StorageError> {
        volume.set_mode(path.as_bytes(), mode).map_err(convert::storage_error)
    }

    fn umask(&self, volume: &Volume) -> u32 {
        volume.umask()
    }

    fn set_umask(&self, volume: &Volume, mask: u32) {
        volume.set_umask(mask);
    }

    async fn space(&self, volume: &Volume) -> Result<u64, StorageError> {
        volume.space().map_err(convert::storage_error)
    }
}

fn grant(grant: accounts::Grant) -> Grant<Volume> {
    Grant { volume: grant.volume, start: grant.start, message: grant.message, charset: grant.charset }
}

/// Octets of the control connection that are taken at once: many commands, and little memory.
const COMMAND_PIECE: u64 = 1024;

/// Octets of a data connection that are taken at once for conversion.
const DATA_PIECE: u64 = 64 * 1024;
