//! An open file of a storage.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wasmtime_wasi_io::bytes::Bytes;

use super::mount::within;
use super::{Reader, Writer};
use crate::storage::Error;

/// An open file of a storage, shared by its session and a transfer.
pub(crate) struct OwnFile {
    side: Side,
    size: AtomicU64,
    patience: Duration,
}

/// Who does something with it takes it out and puts it back. If that is given up halfway, nobody knows what was
/// done: it is gone.
enum Side {
    Read(Mutex<Option<Box<dyn Reader>>>),
    Write(Mutex<Option<Box<dyn Writer>>>),
}

impl OwnFile {
    pub(crate) fn reader(reader: Box<dyn Reader>, patience: Duration) -> Self {
        let size = reader.size().into();
        Self { side: Side::Read(Mutex::new(Some(reader))), size, patience }
    }

    /// `start`: octets that lie before those that will be written.
    pub(super) fn writer(writer: Box<dyn Writer>, start: u64, patience: Duration) -> Self {
        Self { side: Side::Write(Mutex::new(Some(writer))), size: start.into(), patience }
    }

    /// Its size in octets: when it was opened, and what was written since.
    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    /// Up to `length` octets from `offset`; none at the end. Error `Denied` unless it is open to read.
    pub(crate) async fn read(&self, offset: u64, length: usize) -> Result<Bytes, Error> {
        let Side::Read(place) = &self.side else { return Err(Error::Denied) };
        let mut reader = take(place)?;
        let mut octets = within(self.patience, reader.read(offset, length)).await?;
        put(place, reader);
        octets.truncate(length);
        Ok(octets)
    }

    /// Write all of `octets`. Error `Denied` unless it is open to write.
    pub(crate) async fn write(&self, octets: &[u8]) -> Result<(), Error> {
        let Side::Write(place) = &self.side else { return Err(Error::Denied) };
        let mut writer = take(place)?;
        within(self.patience, writer.write(octets)).await?;
        put(place, writer);
        self.size.fetch_add(octets.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Everything is written. Nothing to do if it is open to read.
    pub(crate) async fn finish(&self) -> Result<(), Error> {
        match &self.side {
            Side::Read(_) => Ok(()),
            Side::Write(place) => within(self.patience, take(place)?.finish()).await,
        }
    }
}

fn take<T: ?Sized>(place: &Mutex<Option<Box<T>>>) -> Result<Box<T>, Error> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or(Error::Io)
}

fn put<T: ?Sized>(place: &Mutex<Option<Box<T>>>, what: Box<T>) {
    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
}

/// A part of a file, piece by piece.
pub(crate) struct Pieces {
    file: Arc<OwnFile>,
    at: u64,
    end: u64,
}

impl Pieces {
    /// Up to `length` octets from `offset`.
    pub(crate) fn new(file: Arc<OwnFile>, offset: u64, length: u64) -> Self {
        let end = offset.saturating_add(length).min(file.size());
        Self { file, at: offset, end }
    }

    /// The next piece, while there is one. Error `Io` if the file ends before its size.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.at >= self.end {
            return Ok(None);
        }
        let most = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(PIECE);
        let octets = self.file.read(self.at, most).await?;
        if octets.is_empty() {
            return Err(Error::Io);
        }
        self.at += octets.len() as u64;
        Ok(Some(octets))
    }
}

/// Octets that are asked for at once: few calls for each MiB, little memory for each session.
const PIECE: usize = 256 * 1024;
