//! Open data connections, and files on their way over them.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use wasi_ftpd::env::{DataError, StorageError, TransferError};
use wasi_ftpd::wasi::stream::Broken;
use wasi_ftpd::wasi::wait::yield_now;

use crate::activity::{Activity, Busy};
use crate::clock::before;
use crate::connection::Connection;
use crate::storage::File;

/// An open data connection.
pub(crate) struct Data {
    connection: Connection,
    /// How long it may stand still.
    stall: Duration,
    /// When an octet last moved.
    moved: Cell<Instant>,
    activity: Rc<Activity>,
    _busy: Busy,
}

impl Data {
    pub(crate) fn new(connection: Connection, stall: Duration, activity: &Rc<Activity>) -> Self {
        let busy = Busy::new(activity);
        Self { connection, stall, moved: Cell::new(Instant::now()), activity: activity.clone(), _busy: busy }
    }

    /// Some octets of the client's; none at the end.
    pub(crate) async fn read(&self) -> Result<Vec<u8>, DataError> {
        self.in_time(self.connection.input.next(PIECE)).await
    }

    /// Send all of `octets`.
    pub(crate) async fn write(&self, mut octets: &[u8]) -> Result<(), DataError> {
        while !octets.is_empty() {
            let written = self.in_time(self.connection.output.write_some(octets)).await?;
            octets = octets.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// Close in good order, if the client has not gone.
    pub(crate) async fn finish(&self) -> Result<(), DataError> {
        self.in_time(self.connection.output.flush()).await?;
        // A connection that broke says so to whoever reads.
        self.connection.input.try_read(&mut Vec::new(), 1).map_err(|Broken| DataError::Broken)?;
        self.connection.end();
        Ok(())
    }

    /// Wait for octets to move.
    async fn in_time<T>(&self, moving: impl Future<Output = Result<T, Broken>>) -> Result<T, DataError> {
        let moved = before(self.moved.get() + self.stall, moving).await.ok_or(DataError::Timeout)?;
        self.moved.set(Instant::now());
        self.activity.touch();
        moved.map_err(|Broken| DataError::Broken)
    }
}

/// A file on its way. It moves while its session waits for it.
pub(crate) struct Transfer {
    data: Rc<Data>,
    file: File,
    /// What is sent: from an offset, so many octets at most. `None`: the file is received.
    part: Option<(u64, u64)>,
    moved: Cell<u64>,
}

impl Transfer {
    pub(crate) fn new(data: &Rc<Data>, file: &File, part: Option<(u64, u64)>) -> Self {
        Self { data: data.clone(), file: file.clone(), part, moved: Cell::new(0) }
    }

    /// Octets moved so far.
    pub(crate) fn moved(&self) -> u64 {
        self.moved.get()
    }

    /// Move all of it.
    pub(crate) async fn finish(&self) -> Result<u64, TransferError> {
        match self.part {
            Some((offset, length)) => self.send(offset, length).await?,
            None => self.receive().await?,
        }
        Ok(self.moved.get())
    }

    async fn send(&self, mut offset: u64, length: u64) -> Result<(), TransferError> {
        let end = self.file.size()?.min(offset.saturating_add(length));
        while offset < end {
            let octets = self.file.read(offset, (end - offset).min(PIECE))?;
            if octets.is_empty() {
                // It has become shorter: what was promised is no longer there.
                return Err(StorageError::Io.into());
            }
            self.data.write(&octets).await?;
            offset += octets.len() as u64;
            self.count(octets.len()).await;
        }
        Ok(())
    }

    async fn receive(&self) -> Result<(), TransferError> {
        loop {
            let octets = self.data.read().await?;
            if octets.is_empty() {
                return Ok(());
            }
            self.file.write(&octets)?;
            self.count(octets.len()).await;
        }
    }

    /// A piece has moved. Others have their turn every now and then.
    async fn count(&self, octets: usize) {
        let (before, after) = (self.moved.get(), self.moved.get() + octets as u64);
        self.moved.set(after);
        if before / TURN != after / TURN {
            yield_now().await;
        }
    }
}

/// Octets that are moved at once: what the runtime takes and gives.
const PIECE: u64 = 64 * 1024;

/// Octets after which others have their turn.
const TURN: u64 = 256 * 1024;
