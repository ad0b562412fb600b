//! Files of other storages on their way: octets go between storage and socket inside this process, never through
//! the guest.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::Interest;
use tokio::task::coop;
use tokio::time::timeout;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::OutputStream;

use super::socket::{Output, PERMIT, Socket};
use super::transfer::wit_error;
use crate::bindings::ftpd::server::data::{Error, TransferError};
use crate::now::now;
use crate::storage::custom::{OwnFile, Pieces};

/// A file of another storage on its way. It moves only while its session waits for it, and keeps its place when
/// that is given up.
pub struct Pump {
    moving: Pin<Box<dyn Future<Output = Result<(), TransferError>> + Send>>,
    moved: Arc<AtomicU64>,
    result: Option<Result<u64, TransferError>>,
}

impl Pump {
    /// Send up to `length` octets from `offset`.
    pub(super) fn send(socket: Arc<Socket>, file: Arc<OwnFile>, offset: u64, length: u64) -> Self {
        let pieces = Pieces::new(file, offset, length);
        Self::new(|moved| Box::pin(async move { send(&socket, pieces, &moved).await }))
    }

    pub(super) fn receive(socket: Arc<Socket>, file: Arc<OwnFile>) -> Self {
        Self::new(|moved| Box::pin(async move { receive(&socket, &file, &moved).await }))
    }

    fn new(
        moving: impl FnOnce(Arc<AtomicU64>) -> Pin<Box<dyn Future<Output = Result<(), TransferError>> + Send>>,
    ) -> Self {
        let moved = Arc::<AtomicU64>::default();
        Self { moving: moving(moved.clone()), moved, result: None }
    }

    pub(super) fn count(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    pub(super) fn finish(&mut self) -> Result<u64, TransferError> {
        now(self.ready());
        self.result.unwrap_or(Err(TransferError::Connection(Error::Pending)))
    }
}

#[async_trait]
impl Pollable for Pump {
    async fn ready(&mut self) {
        if self.result.is_none() {
            let moved = self.moving.as_mut().await;
            self.result = Some(moved.map(|()| self.count()));
        }
    }
}

async fn send(socket: &Arc<Socket>, mut pieces: Pieces, moved: &AtomicU64) -> Result<(), TransferError> {
    let mut output = Output(socket.clone());
    // What was written before goes first.
    relieved(socket).await.map_err(TransferError::Connection)?;
    while let Some(octets) = pieces.next().await.map_err(wit_error)? {
        let mut rest = octets;
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(PERMIT));
            let count = piece.len() as u64;
            let written = output.write(piece);
            // It knows better what failed.
            relieved(socket).await.map_err(TransferError::Connection)?;
            written.map_err(|_| TransferError::Connection(Error::Broken))?;
            moved.fetch_add(count, Ordering::Relaxed);
            socket.touch();
            // Other sessions have their turn, and so has this one's control connection.
            coop::consume_budget().await;
        }
    }
    Ok(())
}

/// Wait until the client, or the system, has all that was written.
async fn relieved(socket: &Socket) -> Result<(), Error> {
    while !socket.relieve()? {
        socket.wait(Interest::WRITABLE).await?;
    }
    Ok(())
}

async fn receive(socket: &Socket, file: &OwnFile, moved: &AtomicU64) -> Result<(), TransferError> {
    let mut buffer = Vec::new();
    loop {
        if buffer.capacity() == 0 {
            buffer.reserve_exact(BUFFER);
        }
        let end = loop {
            match socket.receive(&mut buffer) {
                Ok(0) => break true,
                Ok(_) if buffer.len() < buffer.capacity() => {}
                Ok(_) => break false,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break false,
                Err(error) if buffer.is_empty() => return Err(TransferError::Connection(socket.blame(&error))),
                // What came before is written first; the error is found again by the next read.
                Err(_) => break false,
            }
        };
        if buffer.is_empty() && end {
            return Ok(());
        }
        if buffer.is_empty() {
            match timeout(KEEP_BUFFER, socket.wait(Interest::READABLE)).await {
                Ok(arrived) => arrived.map_err(TransferError::Connection)?,
                Err(_) => {
                    buffer = Vec::new();
                    socket.rest();
                }
            }
            continue;
        }
        socket.touch();
        file.write(&buffer).await.map_err(wit_error)?;
        moved.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        // Time that the storage took is none of the client's.
        socket.touch();
        buffer.clear();
        coop::consume_budget().await;
    }
}

/// Octets that are received before they are written.
const BUFFER: usize = 256 * 1024;

/// How long a client may pause before the buffer for it is given back.
const KEEP_BUFFER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use wasmtime_wasi_io::bytes::Bytes;

    use super::*;
    use crate::data::transfer::tests::{all, connection};

    #[tokio::test]
    async fn what_was_written_before_goes_first() {
        let (socket, mut client) = connection().await;
        Output(socket.clone()).write("before, ".into()).unwrap();
        let file = OwnFile::reader(Box::new(Bytes::from_static(b"the file")), Duration::from_secs(10));
        let mut pump = Pump::send(socket.clone(), Arc::new(file), 0, u64::MAX);
        pump.ready().await;
        assert_eq!(pump.finish().unwrap(), 8);
        socket.finish().unwrap();
        assert_eq!(all(&mut client).await, b"before, the file");
    }
}
