//! From the socket to the file.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::socket::Socket;
use super::transfer::wit_error;
use crate::bindings::ftpd::server::data::TransferError;
use crate::storage::{self, File, pace};

thread_local! {
    /// Lent to whichever session has received something, until that is written.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// From the socket to the file.
pub(super) struct Receiving {
    writing: Option<JoinHandle<Written>>,
}

/// The buffer, and whether what was in it is in the file.
type Written = (Vec<u8>, Result<(), storage::Error>);

impl Receiving {
    pub(super) fn new() -> Self {
        Self { writing: None }
    }

    /// Whether a piece is on its way to the disk.
    #[cfg(test)]
    pub(super) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Receive a piece: its octets, and whether there may be more. Cancel safe.
    pub(super) async fn piece(
        &mut self,
        socket: &Arc<Socket>,
        file: &File,
        disk: &Arc<Mutex<()>>,
    ) -> Result<(u64, bool), TransferError> {
        if let Some(work) = &mut self.writing {
            let (buffer, result) = work.await.unwrap_or_else(|_| (Vec::new(), Err(storage::Error::Io)));
            self.writing = None;
            give_back(buffer);
            result.map_err(wit_error)?;
        }
        // The file is at the disk only after a transfer that was stopped.
        let alone = disk.clone().lock_owned().await;
        let mut buffer = BUFFER.take();
        buffer.clear();
        buffer.reserve_exact(LENGTH);
        let end = loop {
            match socket.receive(&mut buffer) {
                Ok(0) => break true,
                Ok(_) if buffer.len() == buffer.capacity() => break false,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break false,
                Err(error) if buffer.is_empty() => {
                    give_back(buffer);
                    return Err(TransferError::Connection(socket.blame(&error)));
                }
                // What came before is written first; the error is found again by the next read.
                Err(_) => break false,
            }
        };
        let octets = buffer.len() as u64;
        if octets == 0 {
            give_back(buffer);
            drop(alone);
            if end {
                return Ok((0, false));
            }
            let arrival = socket.wait(Interest::READABLE);
            if !socket.protected() {
                // Without a timer that is due soon: each of those makes the runtime take another turn.
                arrival.await.map_err(TransferError::Connection)?;
            } else {
                match timeout(PAUSE, arrival).await {
                    Ok(arrived) => arrived.map_err(TransferError::Connection)?,
                    Err(_) => socket.rest(),
                }
            }
        } else if pace::is_quick() {
            let written = pace::timed(|| file.write(&buffer));
            give_back(buffer);
            written.map_err(wit_error)?;
            return Ok((octets, !end));
        } else {
            let file = file.clone();
            self.writing = Some(spawn_blocking(move || {
                let _alone = alone;
                // Dropped before that: what a stopped upload leaves is gone when the next one looks.
                let file = file;
                let result = file.write(&buffer);
                (buffer, result)
            }));
        }
        Ok((octets, true))
    }
}

/// For the next piece, whosoever it is.
fn give_back(buffer: Vec<u8>) {
    BUFFER.replace(buffer);
}

/// Octets that are received before they are written: as large as Pure-FTPd's, for few wake-ups.
const LENGTH: usize = 512 * 1024;

/// How long a client may pause before what TLS keeps for it is given back.
const PAUSE: Duration = Duration::from_secs(1);
