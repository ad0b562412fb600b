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

/// The buffer; and how many octets were received and written after those in it, unless a write failed.
type Written = (Vec<u8>, Result<u64, storage::Error>);

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
            return Ok((result.map_err(wit_error)?, true));
        }
        // The file is at the disk only after a transfer that was stopped.
        let alone = disk.clone().lock_owned().await;
        let mut buffer = BUFFER.take();
        let end = match fill(&mut buffer, socket) {
            Ok(end) => end,
            Err(error) => {
                give_back(buffer);
                return Err(TransferError::Connection(socket.blame(&error)));
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
        } else if pace::is_quick() && !file.cuts_slowly() {
            let written = pace::timed(|| file.write(&buffer));
            give_back(buffer);
            written.map_err(wit_error)?;
            return Ok((octets, !end));
        } else {
            let (socket, file) = (socket.clone(), file.clone());
            self.writing = Some(spawn_blocking(move || {
                let _alone = alone;
                // Dropped before that: what a stopped upload leaves is gone when the next one looks.
                let file = file;
                let result = write_on(&mut buffer, &socket, &file);
                (buffer, result)
            }));
        }
        Ok((octets, true))
    }
}

/// Receive what has come, as much as the buffer takes; whether nothing more will.
fn fill(buffer: &mut Vec<u8>, socket: &Socket) -> io::Result<bool> {
    buffer.clear();
    buffer.reserve_exact(LENGTH);
    loop {
        match socket.receive(buffer) {
            Ok(0) => return Ok(true),
            Ok(_) if buffer.len() == buffer.capacity() => return Ok(false),
            Ok(_) => {}
            // What came before an error is written first; the error is found again by the next read.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock || !buffer.is_empty() => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// Write what is in the buffer, and what comes meanwhile, here where it is still in the processor's cache: how many octets
/// those were. That the client has ended, or why it has, is found again by the next read.
fn write_on(buffer: &mut Vec<u8>, socket: &Socket, file: &File) -> Result<u64, storage::Error> {
    let mut more = 0;
    loop {
        file.write(buffer)?;
        if more >= TURN || fill(buffer, socket).is_err() || buffer.is_empty() {
            return Ok(more);
        }
        more += buffer.len() as u64;
    }
}

/// For the next piece, whosoever it is.
fn give_back(buffer: Vec<u8>) {
    BUFFER.replace(buffer);
}

/// Octets that are received before they are written: as large as Pure-FTPd's, for few wake-ups.
const LENGTH: usize = 512 * 1024;

/// Octets after which a thread that may wait says how far it is, and hears that the transfer was stopped.
const TURN: u64 = 8 * 1024 * 1024;

/// How long a client may pause before what TLS keeps for it is given back.
const PAUSE: Duration = Duration::from_secs(1);
