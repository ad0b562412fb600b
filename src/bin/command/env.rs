//! A session's [`Env`]: one call each, to where it is done.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;

use wasi::clocks::wall_clock;
use wasi_ftpd::env::{
    Abilities, Access, DataError, Denial, Env, Event, Gone, Grant, Received, StorageError, Times, TlsPolicy,
    TransferError,
};
use wasi_ftpd::proto::charset;
use wasi_ftpd::proto::checksum::Algorithm;
use wasi_ftpd::proto::entry::{Attributes, Entry, Permissions, Time};
use wasi_ftpd::proto::path::VPath;
use wasi_ftpd::proto::secret::Secret;
use wasi_ftpd::wasi::stream::Broken;
use wasi_ftpd::wasi::wait::yield_now;

use crate::data::{Data, Transfer};
use crate::port::Port;
use crate::report;
use crate::session::Session;
use crate::storage::{Directory, File, Volume, Work, time};

impl Env for Session {
    type Volume = Volume;
    type File = File;
    type Directory = Directory;
    type Port = Port;
    type Data = Rc<Data>;
    type Transfer = Transfer;
    type Work = Work;

    fn local_address(&self) -> SocketAddr {
        self.control.local
    }

    fn remote_address(&self) -> SocketAddr {
        self.control.remote
    }

    async fn receive(&self, into: &mut Vec<u8>) -> Received {
        loop {
            if let Some(ending) = self.activity.ending()
                && !self.told.replace(true)
            {
                return Received::Ending(ending);
            }
            if let Some(received) = self.try_receive(into) {
                return received;
            }
            poll_fn(|_| {
                let ends = self.activity.ending().is_some() && !self.told.get();
                if ends || self.control.input.signal().take() {
                    return Poll::Ready(());
                }
                self.control.input.signal().wake();
                Poll::Pending
            })
            .await;
        }
    }

    fn try_receive(&self, into: &mut Vec<u8>) -> Option<Received> {
        match self.control.input.try_read(into, COMMAND_PIECE) {
            Ok(None) => None,
            Ok(Some(true)) => {
                self.activity.touch();
                Some(Received::Octets)
            }
            Ok(Some(false)) | Err(Broken) => Some(Received::Closed),
        }
    }

    async fn send(&self, octets: &mut Vec<u8>) -> Result<(), Gone> {
        self.hold_replies().await;
        while !octets.is_empty() {
            let sent = self.control.output.write_some(octets).await.map_err(|Broken| Gone)?;
            octets.drain(..sent);
        }
        Ok(())
    }

    // No TLS: the key would lie in the memory of the program that reads what strangers send.

    fn tls_policy(&self) -> TlsPolicy {
        TlsPolicy::Off
    }

    fn protection(&self) -> Option<String> {
        None
    }

    async fn start_tls(&self) -> Option<String> {
        None
    }

    fn may_stop_tls(&self) -> bool {
        false
    }

    fn stop_tls(&self) {}

    fn select_host(&self, _: &str) -> bool {
        true
    }

    fn idle_limit(&self) -> (u32, u32) {
        self.activity.idle_limit()
    }

    fn set_idle_limit(&self, seconds: u32) {
        self.activity.set_idle_limit(seconds);
    }

    async fn yield_now(&self) {
        // A session that works its way through a tree is not idle.
        self.activity.touch();
        yield_now().await;
    }

    fn encode(&self, charset: &str, text: &str) -> Option<Vec<u8>> {
        charset::encode(charset, text)
    }

    fn decode(&self, charset: &str, octets: &[u8]) -> Option<String> {
        charset::decode(charset, octets)
    }

    fn now(&self) -> Time {
        time(wall_clock::now())
    }

    async fn authenticate_by_certificate(&self, _: &[u8]) -> Option<Grant<Volume>> {
        None
    }

    async fn authenticate(&self, name: &[u8], password: &Secret) -> Result<Grant<Volume>, Denial> {
        self.log_in(name, password.reveal()).await
    }

    fn record(&self, event: Event<'_>) {
        report::event(self.user.borrow().as_deref().unwrap_or(b"-"), event);
    }

    fn passive(&self) -> Result<Port, DataError> {
        self.new_passive()
    }

    fn active(&self, to: SocketAddr) -> Result<Port, DataError> {
        self.new_active(to)
    }

    fn port_address(&self, port: &Port) -> SocketAddr {
        port.address
    }

    async fn open_data(&self, port: &Port, protected: bool) -> Result<Rc<Data>, DataError> {
        if protected {
            return Err(DataError::Tls);
        }
        self.open(port).await.map(Rc::new)
    }

    async fn read_data(&self, data: &Rc<Data>, into: &mut Vec<u8>) -> Result<bool, DataError> {
        let octets = data.read().await?;
        into.extend_from_slice(&octets);
        Ok(!octets.is_empty())
    }

    async fn write_data(&self, data: &Rc<Data>, octets: &[u8]) -> Result<(), DataError> {
        data.write(octets).await
    }

    fn send_file(&self, data: &Rc<Data>, file: &File, offset: u64, length: u64) -> Transfer {
        Transfer::new(data, file, Some((offset, length)))
    }

    fn receive_file(&self, data: &Rc<Data>, file: &File) -> Transfer {
        Transfer::new(data, file, None)
    }

    fn transferred(&self, transfer: &Transfer) -> u64 {
        transfer.moved()
    }

    async fn end_of_transfer(&self, transfer: &Transfer) -> Result<u64, TransferError> {
        transfer.finish().await
    }

    async fn finish_data(&self, data: Rc<Data>) -> Result<(), DataError> {
        data.finish().await
    }

    fn abilities(&self) -> Abilities {
        // wasi:filesystem has no words for them.
        Abilities { modes: false, space: false }
    }

    fn permissions(&self, volume: &Volume) -> Permissions {
        volume.permissions()
    }

    async fn stat(&self, volume: &Volume, path: &VPath) -> Result<Attributes, StorageError> {
        volume.stat(path)
    }

    async fn list(&self, volume: &Volume, path: &VPath) -> Result<Directory, StorageError> {
        volume.list(path)
    }

    async fn next_entries(&self, directory: &Directory) -> Result<Vec<Entry>, StorageError> {
        directory.next_entries()
    }

    async fn unfinished(&self, volume: &Volume, path: &VPath) -> Result<u64, StorageError> {
        volume.unfinished(path)
    }

    async fn open(&self, volume: &Volume, path: &VPath, access: Access) -> Result<File, StorageError> {
        volume.open(path, access)
    }

    async fn size(&self, file: &File) -> Result<u64, StorageError> {
        file.size()
    }

    async fn read(&self, file: &File, offset: u64, length: u32) -> Result<Vec<u8>, StorageError> {
        file.read(offset, length.into())
    }

    async fn write(&self, file: &File, octets: &[u8]) -> Result<(), StorageError> {
        file.write(octets)
    }

    async fn reserve(&self, _file: &File, _length: u64) -> Result<(), StorageError> {
        // wasi:filesystem has nothing of the kind.
        Ok(())
    }

    fn copy(&self, file: &File, source: &File) -> Work {
        Work::Copy { source: source.clone(), target: file.clone() }
    }

    fn checksum(&self, file: &File, algorithm: Algorithm, offset: u64, length: u64) -> Work {
        Work::Checksum { file: file.clone(), algorithm, offset, length }
    }

    async fn end_of_work(&self, work: &Work) -> Result<Vec<u8>, StorageError> {
        work.finish(|| self.activity.touch()).await
    }

    fn discard(&self, file: &File) {
        file.discard();
    }

    async fn finish_file(&self, file: &File) -> Result<(), StorageError> {
        file.finish()
    }

    async fn remove_file(&self, volume: &Volume, path: &VPath) -> Result<(), StorageError> {
        volume.remove_file(path)
    }

    async fn make_directory(&self, volume: &Volume, path: &VPath) -> Result<(), StorageError> {
        volume.make_directory(path)
    }

    async fn remove_directory(&self, volume: &Volume, path: &VPath) -> Result<(), StorageError> {
        volume.remove_directory(path)
    }

    async fn rename(&self, volume: &Volume, from: &VPath, to: &VPath) -> Result<(), StorageError> {
        volume.rename(from, to)
    }

    async fn make_link(&self, volume: &Volume, path: &VPath, target: &VPath) -> Result<(), StorageError> {
        volume.make_link(path, target)
    }

    async fn set_times(&self, volume: &Volume, path: &VPath, times: Times) -> Result<(), StorageError> {
        volume.set_times(path, times)
    }

    async fn set_mode(&self, _: &Volume, _: &VPath, _: u32) -> Result<(), StorageError> {
        Err(StorageError::Unsupported)
    }

    fn umask(&self, _: &Volume) -> u32 {
        0
    }

    fn set_umask(&self, _: &Volume, _: u32) {}

    async fn space(&self, _: &Volume) -> Result<u64, StorageError> {
        Err(StorageError::Unsupported)
    }
}

/// Octets of the control connection that are taken at once.
const COMMAND_PIECE: u64 = 4 * 1024;
