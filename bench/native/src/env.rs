//! The host's functions as an [`Env`], as `src/bin/session/host.rs` has them through the contract.

use std::cell::{Cell, OnceCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::SystemTime;

use wasi_ftpd::env::{
    Abilities, Access, DataError, Denial, Env, Event, Gone, Grant, Received, StorageError, Times, TlsPolicy,
    TransferError,
};
use wasi_ftpd::proto::checksum::Algorithm;
use wasi_ftpd::proto::entry::{Attributes, Entry, Permissions, Time};
use wasi_ftpd::proto::path::VPath;
use wasi_ftpd::proto::secret::Secret;
use wasi_ftpd_host::native::SessionCtx;
use wasmtime::component::Resource;
use wasmtime_wasi_io::IoView;
use wasmtime_wasi_io::bindings::wasi::io::streams::{HostInputStream, HostOutputStream};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream, StreamError};

use crate::bindings::ftpd::server::accounts::{self, Host as _};
use crate::bindings::ftpd::server::charsets::Host as _;
use crate::bindings::ftpd::server::control::{Connection, HostConnection, HostHandshake};
use crate::bindings::ftpd::server::data::{
    self, DataConnection, DataPort, HostDataConnection, HostDataPort, HostTransfer,
};
use crate::bindings::ftpd::server::events::Host as _;
use crate::bindings::ftpd::server::storage::{
    self, Directory, File, HostDirectory, HostFile, HostVolume, HostWork, Volume,
};
use crate::convert;
use crate::unboxed::{Handle, Signal, Unboxed};

/// What the host gave this session. Fields are dropped in order.
pub(crate) struct Host {
    input: Reader,
    output: Writer,
    told: Cell<bool>,
    local: SocketAddr,
    remote: SocketAddr,
    connection: Handle<Connection>,
    host: Unboxed,
}

impl Host {
    pub(crate) fn new(host: &Unboxed, connection: Resource<Connection>) -> Self {
        let connection = host.handle(connection, HostConnection::drop);
        let of = || connection.borrow();
        Self {
            input: Reader::new(host, host.call(|ctx| HostConnection::input(ctx, of()))),
            output: Writer::new(host, host.call(|ctx| HostConnection::output(ctx, of()))),
            told: Cell::new(false),
            local: convert::address(host.call(|ctx| ctx.local_address(of()))),
            remote: convert::address(host.call(|ctx| ctx.remote_address(of()))),
            connection,
            host: host.clone(),
        }
    }

    /// Why the session must end, once.
    fn ending(&self) -> Option<Received> {
        if self.told.get() {
            return None;
        }
        let ending = self.call(|ctx| ctx.ending(self.connection.borrow()))?;
        self.told.set(true);
        Some(Received::Ending(convert::ending(ending)))
    }

    fn call<T>(&self, call: impl FnOnce(&mut SessionCtx) -> wasmtime::Result<T>) -> T {
        self.host.call(call)
    }

    /// Ask the storage.
    async fn storage<T: 'static>(
        &self,
        call: impl AsyncFnOnce(&mut SessionCtx) -> wasmtime::Result<Result<T, storage::Error>> + 'static,
    ) -> Result<T, StorageError> {
        self.host.wait_for(call).await.map_err(convert::storage_error)
    }

    fn port(&self, port: Result<Resource<DataPort>, data::Error>) -> Result<Port, DataError> {
        let port = self.host.handle(port.map_err(convert::data_error)?, HostDataPort::drop);
        Ok(Port { opened: OnceCell::new(), port })
    }

    fn transfer(&self, transfer: Resource<data::Transfer>) -> Transfer {
        Transfer { ended: OnceCell::new(), transfer: self.host.handle(transfer, HostTransfer::drop) }
    }

    fn work(&self, work: Resource<storage::Work>) -> Work {
        Work { ended: OnceCell::new(), work: self.host.handle(work, HostWork::drop) }
    }

    fn grant(&self, grant: accounts::Grant) -> Grant<Handle<Volume>> {
        let volume = self.host.handle(grant.volume, HostVolume::drop);
        Grant { volume, start: grant.start, message: grant.message, charset: grant.charset }
    }

    fn output<'a>(&self, data: &'a Data) -> &'a Writer {
        data.output.get_or_init(|| {
            Writer::new(&self.host, self.call(|ctx| HostDataConnection::output(ctx, data.connection.borrow())))
        })
    }

    /// Why a stream over a data connection is broken.
    fn error(&self, data: &Data) -> DataError {
        let finished = self.call(|ctx| HostDataConnection::finish(ctx, data.connection.borrow()));
        finished.map_or_else(convert::data_error, |()| DataError::Broken)
    }
}

struct Reader {
    signal: Rc<Signal>,
    stream: Handle<DynInputStream>,
}

impl Reader {
    fn new(host: &Unboxed, stream: Resource<DynInputStream>) -> Self {
        let stream = host.handle(stream, |ctx, stream| drop_stream(ctx, &stream));
        Self { signal: host.signal(|ctx| HostInputStream::subscribe(ctx.table(), stream.borrow())), stream }
    }

    /// What is there; false at its end. `None`: nothing now.
    fn try_read(&self, host: &Unboxed, into: &mut Vec<u8>, length: u64) -> Option<Result<bool, Broken>> {
        host.call(|ctx| match HostInputStream::read(ctx.table(), self.stream.borrow(), length) {
            Ok(octets) if octets.is_empty() => Ok(None),
            Ok(octets) => {
                into.extend_from_slice(&octets);
                Ok(Some(Ok(true)))
            }
            Err(StreamError::Closed) => Ok(Some(Ok(false))),
            Err(StreamError::LastOperationFailed(_)) => Ok(Some(Err(Broken))),
            Err(StreamError::Trap(trap)) => Err(trap),
        })
    }
}

struct Writer {
    signal: OnceCell<Rc<Signal>>,
    stream: Handle<DynOutputStream>,
}

/// The other end broke.
struct Broken;

impl Writer {
    fn new(host: &Unboxed, stream: Resource<DynOutputStream>) -> Self {
        Self { signal: OnceCell::new(), stream: host.handle(stream, |ctx, stream| drop_stream(ctx, &stream)) }
    }

    async fn write_some(&self, host: &Unboxed, octets: &[u8]) -> Result<usize, Broken> {
        let permitted = usize::try_from(self.writable(host).await?).unwrap_or(usize::MAX);
        let (now, _) = octets.split_at(permitted.min(octets.len()));
        done(host, |ctx| HostOutputStream::write(ctx.table(), self.stream.borrow(), now.to_vec()))?;
        Ok(now.len())
    }

    async fn flush(&self, host: &Unboxed) -> Result<(), Broken> {
        done(host, |ctx| HostOutputStream::flush(ctx.table(), self.stream.borrow()))?;
        self.writable(host).await.map(|_| ())
    }

    async fn writable(&self, host: &Unboxed) -> Result<u64, Broken> {
        loop {
            match done(host, |ctx| HostOutputStream::check_write(ctx.table(), self.stream.borrow()))? {
                0 => {
                    let subscribe =
                        |ctx: &mut SessionCtx| HostOutputStream::subscribe(ctx.table(), self.stream.borrow());
                    host.until(self.signal.get_or_init(|| host.signal(subscribe))).await;
                }
                permitted => return Ok(permitted),
            }
        }
    }
}

fn done<T>(
    host: &Unboxed,
    call: impl FnOnce(&mut SessionCtx) -> wasmtime_wasi_io::streams::StreamResult<T>,
) -> Result<T, Broken> {
    host.call(|ctx| match call(ctx) {
        Ok(done) => Ok(Ok(done)),
        Err(StreamError::Trap(trap)) => Err(trap),
        Err(_) => Ok(Err(Broken)),
    })
}

/// Streams of the host's have nothing to wait for when they go.
fn drop_stream<T: Send + 'static>(ctx: &mut SessionCtx, stream: &Resource<T>) -> wasmtime::Result<()> {
    ctx.table().delete(Resource::<T>::new_own(stream.rep()))?;
    Ok(())
}

pub(crate) struct Port {
    opened: OnceCell<Rc<Signal>>,
    port: Handle<DataPort>,
}

pub(crate) struct Data {
    input: OnceCell<Reader>,
    output: OnceCell<Writer>,
    connection: Handle<DataConnection>,
}

pub(crate) struct Transfer {
    ended: OnceCell<Rc<Signal>>,
    transfer: Handle<data::Transfer>,
}

pub(crate) struct Work {
    ended: OnceCell<Rc<Signal>>,
    work: Handle<storage::Work>,
}

impl Env for Host {
    type Volume = Handle<Volume>;
    type File = Handle<File>;
    type Directory = Handle<Directory>;
    type Port = Port;
    type Data = Data;
    type Transfer = Transfer;
    type Work = Work;

    fn local_address(&self) -> SocketAddr {
        self.local
    }

    fn remote_address(&self) -> SocketAddr {
        self.remote
    }

    async fn receive(&self, into: &mut Vec<u8>) -> Received {
        self.host.turn().await;
        if let Some(received) = self.try_receive(into) {
            return received;
        }
        self.input.signal.take();
        loop {
            self.host.until(&self.input.signal).await;
            if let Some(received) = self.try_receive(into).or_else(|| self.ending()) {
                return received;
            }
        }
    }

    fn try_receive(&self, into: &mut Vec<u8>) -> Option<Received> {
        match self.input.try_read(&self.host, into, COMMAND_PIECE)? {
            Ok(true) => Some(Received::Octets),
            Ok(false) | Err(Broken) => Some(Received::Closed),
        }
    }

    async fn send(&self, octets: &mut Vec<u8>) -> Result<(), Gone> {
        while !octets.is_empty() {
            self.host.turn().await;
            let sent = self.output.write_some(&self.host, octets).await.map_err(|Broken| Gone)?;
            octets.drain(..sent);
        }
        Ok(())
    }

    fn tls_policy(&self) -> TlsPolicy {
        convert::tls_policy(self.call(|ctx| ctx.tls_policy(self.connection.borrow())))
    }

    fn protection(&self) -> Option<String> {
        self.call(|ctx| ctx.protection(self.connection.borrow())).map(|protection| protection.description)
    }

    async fn start_tls(&self) -> Option<String> {
        let handshake = self.call(|ctx| ctx.start_tls(self.connection.borrow()));
        let handshake = self.host.handle(handshake, HostHandshake::drop);
        let over = self.host.signal(|ctx| HostHandshake::subscribe(ctx, handshake.borrow()));
        loop {
            if let Some(protection) = self.call(|ctx| HostHandshake::finish(ctx, handshake.borrow())) {
                return protection.map(|protection| protection.description);
            }
            self.host.until(&over).await;
        }
    }

    fn may_stop_tls(&self) -> bool {
        self.call(|ctx| ctx.may_stop_tls(self.connection.borrow()))
    }

    fn stop_tls(&self) {
        self.call(|ctx| ctx.stop_tls(self.connection.borrow()));
    }

    fn select_host(&self, name: &str) -> bool {
        self.call(|ctx| ctx.select_host(self.connection.borrow(), name.to_owned()))
    }

    fn idle_limit(&self) -> (u32, u32) {
        self.call(|ctx| ctx.idle_limit(self.connection.borrow()))
    }

    fn set_idle_limit(&self, seconds: u32) {
        self.call(|ctx| ctx.set_idle_limit(self.connection.borrow(), seconds));
    }

    async fn yield_now(&self) {
        self.host.yield_now().await;
    }

    fn encode(&self, charset: &str, text: &str) -> Option<Vec<u8>> {
        self.call(|ctx| ctx.encode(charset.to_owned(), text.to_owned()))
    }

    fn decode(&self, charset: &str, octets: &[u8]) -> Option<String> {
        self.call(|ctx| ctx.decode(charset.to_owned(), octets.to_vec()))
    }

    fn now(&self) -> Time {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Time { seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX), nanoseconds: now.subsec_nanos() }
    }

    async fn authenticate_by_certificate(&self, name: &[u8]) -> Option<Grant<Handle<Volume>>> {
        let name = name.to_vec();
        let grant = self.host.wait_for(async move |ctx: &mut SessionCtx| ctx.authenticate_by_certificate(name).await);
        grant.await.map(|grant| self.grant(grant))
    }

    async fn authenticate(&self, name: &[u8], password: &Secret) -> Result<Grant<Handle<Volume>>, Denial> {
        let (name, password) = (name.to_vec(), password.reveal().to_vec());
        let grant = self.host.wait_for(async move |ctx: &mut SessionCtx| ctx.authenticate(name, password).await);
        grant.await.map(|grant| self.grant(grant)).map_err(convert::denial)
    }

    fn record(&self, event: Event<'_>) {
        let event = convert::event(event);
        // Nobody listens, so that nothing waits.
        let recorded = self.host.wait_for(async move |ctx: &mut SessionCtx| ctx.record_event(event).await);
        let _ = std::pin::pin!(recorded).poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    }

    fn passive(&self) -> Result<Port, DataError> {
        self.port(self.call(|ctx| ctx.passive()))
    }

    fn active(&self, to: SocketAddr) -> Result<Port, DataError> {
        self.port(self.call(|ctx| ctx.active(convert::to_address(to))))
    }

    fn port_address(&self, port: &Port) -> SocketAddr {
        convert::address(self.call(|ctx| HostDataPort::address(ctx, port.port.borrow())))
    }

    async fn open_data(&self, port: &Port, protected: bool) -> Result<Data, DataError> {
        let (host, of) = (&self.host, || port.port.borrow());
        host.call(|ctx| HostDataPort::open(ctx, of(), protected));
        loop {
            match host.call(|ctx| HostDataPort::finish(ctx, of())) {
                Ok(connection) => {
                    let connection = host.handle(connection, HostDataConnection::drop);
                    return Ok(Data { input: OnceCell::new(), output: OnceCell::new(), connection });
                }
                Err(data::Error::Pending) => {
                    let subscribe = |ctx: &mut SessionCtx| HostDataPort::subscribe(ctx, of());
                    host.until(port.opened.get_or_init(|| host.signal(subscribe))).await;
                }
                Err(error) => return Err(convert::data_error(error)),
            }
        }
    }

    async fn read_data(&self, data: &Data, into: &mut Vec<u8>) -> Result<bool, DataError> {
        let input = data.input.get_or_init(|| {
            Reader::new(&self.host, self.call(|ctx| HostDataConnection::input(ctx, data.connection.borrow())))
        });
        loop {
            if let Some(read) = input.try_read(&self.host, into, DATA_PIECE) {
                return read.map_err(|Broken| self.error(data));
            }
            self.host.until(&input.signal).await;
        }
    }

    async fn write_data(&self, data: &Data, mut octets: &[u8]) -> Result<(), DataError> {
        let output = self.output(data);
        while !octets.is_empty() {
            let written = output.write_some(&self.host, octets).await.map_err(|Broken| self.error(data))?;
            octets = octets.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    fn send_file(&self, data: &Data, file: &Handle<File>, offset: u64, length: u64) -> Transfer {
        self.transfer(self.call(|ctx| ctx.send_file(data.connection.borrow(), file.borrow(), offset, length)))
    }

    fn receive_file(&self, data: &Data, file: &Handle<File>) -> Transfer {
        self.transfer(self.call(|ctx| ctx.receive_file(data.connection.borrow(), file.borrow())))
    }

    fn transferred(&self, transfer: &Transfer) -> u64 {
        self.call(|ctx| HostTransfer::count(ctx, transfer.transfer.borrow()))
    }

    async fn end_of_transfer(&self, transfer: &Transfer) -> Result<u64, TransferError> {
        let (host, of) = (&self.host, || transfer.transfer.borrow());
        loop {
            match host.call(|ctx| HostTransfer::finish(ctx, of())) {
                Err(data::TransferError::Connection(data::Error::Pending)) => {
                    let subscribe = |ctx: &mut SessionCtx| HostTransfer::subscribe(ctx, of());
                    host.until(transfer.ended.get_or_init(|| host.signal(subscribe))).await;
                }
                result => return result.map_err(convert::transfer_error),
            }
        }
    }

    async fn finish_data(&self, data: Data) -> Result<(), DataError> {
        loop {
            match self.call(|ctx| HostDataConnection::finish(ctx, data.connection.borrow())) {
                Err(data::Error::Pending) => {
                    self.output(&data).flush(&self.host).await.map_err(|Broken| self.error(&data))?;
                }
                result => return result.map_err(convert::data_error),
            }
        }
    }

    fn abilities(&self) -> Abilities {
        Abilities::ALL
    }

    fn permissions(&self, volume: &Handle<Volume>) -> Permissions {
        convert::permissions(self.call(|ctx| HostVolume::permissions(ctx, volume.borrow())))
    }

    async fn stat(&self, volume: &Handle<Volume>, path: &VPath) -> Result<Attributes, StorageError> {
        let (volume, path) = (volume.borrow(), path.as_bytes().to_vec());
        let stat = self.storage(async move |ctx: &mut SessionCtx| HostVolume::stat(ctx, volume, path).await);
        stat.await.map(convert::attributes)
    }

    async fn list(&self, volume: &Handle<Volume>, path: &VPath) -> Result<Handle<Directory>, StorageError> {
        let (volume, path) = (volume.borrow(), path.as_bytes().to_vec());
        let directory = self.storage(async move |ctx: &mut SessionCtx| HostVolume::list(ctx, volume, path).await);
        Ok(self.host.handle(directory.await?, HostDirectory::drop))
    }

    async fn next_entries(&self, directory: &Handle<Directory>) -> Result<Vec<Entry>, StorageError> {
        let directory = directory.borrow();
        let entries = self.storage(async move |ctx: &mut SessionCtx| HostDirectory::next(ctx, directory).await);
        Ok(entries.await?.into_iter().map(convert::entry).collect())
    }

    async fn next_names(&self, directory: &Handle<Directory>) -> Result<Vec<Vec<u8>>, StorageError> {
        let directory = directory.borrow();
        self.storage(async move |ctx: &mut SessionCtx| HostDirectory::next_names(ctx, directory).await).await
    }

    async fn unfinished(&self, volume: &Handle<Volume>, path: &VPath) -> Result<u64, StorageError> {
        let (volume, path) = (volume.borrow(), path.as_bytes().to_vec());
        self.storage(async move |ctx: &mut SessionCtx| HostVolume::unfinished(ctx, volume, path).await).await
    }

    async fn open(&self, volume: &Handle<Volume>, path: &VPath, access: Access) -> Result<Handle<File>, StorageError> {
        let (volume, path, access) = (volume.borrow(), path.as_bytes().to_vec(), convert::access(access));
        let file = self.storage(async move |ctx: &mut SessionCtx| HostVolume::open(ctx, volume, path, access).await);
        Ok(self.host.handle(file.await?, HostFile::drop))
    }

    async fn size(&self, file: &Handle<File>) -> Result<u64, StorageError> {
        let file = file.borrow();
        self.storage(async move |ctx: &mut SessionCtx| HostFile::size(ctx, file).await).await
    }

    async fn read(&self, file: &Handle<File>, offset: u64, length: u32) -> Result<Vec<u8>, StorageError> {
        let file = file.borrow();
        self.storage(async move |ctx: &mut SessionCtx| HostFile::read(ctx, file, offset, length).await).await
    }

    async fn write(&self, file: &Handle<File>, octets: &[u8]) -> Result<(), StorageError> {
        let (file, octets) = (file.borrow(), octets.to_vec());
        self.storage(async move |ctx: &mut SessionCtx| HostFile::write(ctx, file, octets).await).await
    }

    async fn reserve(&self, file: &Handle<File>, length: u64) -> Result<(), StorageError> {
        let file = file.borrow();
        self.storage(async move |ctx: &mut SessionCtx| HostFile::reserve(ctx, file, length).await).await
    }

    fn copy(&self, file: &Handle<File>, source: &Handle<File>) -> Work {
        self.work(self.call(|ctx| ctx.copy_from(file.borrow(), source.borrow())))
    }

    fn checksum(&self, file: &Handle<File>, algorithm: Algorithm, offset: u64, length: u64) -> Work {
        let algorithm = convert::algorithm(algorithm);
        self.work(self.call(|ctx| ctx.checksum(file.borrow(), algorithm, offset, length)))
    }

    async fn end_of_work(&self, work: &Work) -> Result<Vec<u8>, StorageError> {
        let (host, of) = (&self.host, || work.work.borrow());
        loop {
            if let Some(result) = host.call(|ctx| HostWork::finish(ctx, of())) {
                return result.map_err(convert::storage_error);
            }
            let subscribe = |ctx: &mut SessionCtx| HostWork::subscribe(ctx, of());
            host.until(work.ended.get_or_init(|| host.signal(subscribe))).await;
        }
    }

    fn discard(&self, file: &Handle<File>) {
        self.call(|ctx| HostFile::discard(ctx, file.borrow()));
    }

    async fn finish_file(&self, file: &Handle<File>) -> Result<(), StorageError> {
        let file = file.borrow();
        self.storage(async move |ctx: &mut SessionCtx| HostFile::finish(ctx, file).await).await
    }

    async fn remove_file(&self, volume: &Handle<Volume>, path: &VPath) -> Result<(), StorageError> {
        let (volume, path) = (volume.borrow(), path.as_bytes().to_vec());
        self.storage(async move |ctx: &mut SessionCtx| HostVolume::remove_file(ctx, volume, path).await).await
    }

    async fn make_directory(&self, volume: &Handle<Volume>, path: &VPath) -> Result<(), StorageError> {
        let (volume, path) = (volume.borrow(), path.as_bytes().to_vec());
        self.storage(async move |ctx: &mut SessionCtx| HostVolume::make_directory(ctx, volume, path).await).await
    }

    async fn remove_directory(&self, volume: &Handle<Volume>, path: &VPath) -> Result<(), StorageError> {
        let (volume, path) = (volume.borrow(), path.as_bytes().to_vec());
        self.storage(async move |ctx: &mut SessionCtx| HostVolume::remove_directory(ctx, volume, path).await).await
    }

    async fn rename(&self, volume: &Handle<Volume>, from: &VPath, to: &VPath) -> Result<(), StorageError> {
        let (volume, from, to) = (volume.borrow(), from.as_bytes().to_vec(), to.as_bytes().to_vec());
        self.storage(async move |ctx: &mut SessionCtx| HostVolume::rename(ctx, volume, from, to).await).await
    }

    async fn make_link(&self, volume: &Handle<Volume>, path: &VPath, target: &VPath) -> Result<(), StorageError> {
        let (volume, path, target) = (volume.borrow(), path.as_bytes().to_vec(), target.as_bytes().to_vec());
        self.storage(async move |ctx: &mut SessionCtx| HostVolume::make_link(ctx, volume, path, target).await).await
    }

    async fn set_times(&self, volume: &Handle<Volume>, path: &VPath, times: Times) -> Result<(), StorageError> {
        let (volume, path) = (volume.borrow(), path.as_bytes().to_vec());
        let (modified, created) = (times.modified.map(convert::to_time), times.created.map(convert::to_time));
        let set = async move |ctx: &mut SessionCtx| HostVolume::set_times(ctx, volume, path, modified, created).await;
        self.storage(set).await
    }

    async fn set_mode(&self, volume: &Handle<Volume>, path: &VPath, mode: u32) -> Result<(), StorageError> {
        let (volume, path) = (volume.borrow(), path.as_bytes().to_vec());
        self.storage(async move |ctx: &mut SessionCtx| HostVolume::set_mode(ctx, volume, path, mode).await).await
    }

    fn umask(&self, volume: &Handle<Volume>) -> u32 {
        self.call(|ctx| HostVolume::umask(ctx, volume.borrow()))
    }

    fn set_umask(&self, volume: &Handle<Volume>, mask: u32) {
        self.call(|ctx| HostVolume::set_umask(ctx, volume.borrow(), mask));
    }

    async fn space(&self, volume: &Handle<Volume>) -> Result<u64, StorageError> {
        let volume = volume.borrow();
        self.storage(async move |ctx: &mut SessionCtx| HostVolume::space(ctx, volume).await).await
    }
}

const COMMAND_PIECE: u64 = 4 * 1024;
const DATA_PIECE: u64 = 64 * 1024;
