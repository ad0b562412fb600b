//! From the file to the socket, inside the kernel.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};

use super::cache;
use super::extent::{Extent, read};
use super::socket::{LITTLE, Socket};
use super::transfer::wit_error;
use crate::bindings::ftpd::server::data::{Error, TransferError};
use crate::storage::{self, File};

thread_local! {
    /// Held by each large file that this thread sends.
    static LARGE: Arc<()> = Arc::default();
}

/// The large files that are sent by all threads.
static ALL_LARGE: AtomicUsize = AtomicUsize::new(0);

/// Counts a large file for as long as it is sent.
pub(super) struct Large(Arc<()>);

impl Large {
    pub(super) fn new() -> Self {
        ALL_LARGE.fetch_add(1, Ordering::Relaxed);
        Self(LARGE.with(Arc::clone))
    }

    /// How many this thread sends.
    fn here(&self) -> usize {
        // The thread holds one itself.
        Arc::strong_count(&self.0) - 1
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        ALL_LARGE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// From the file to the socket.
pub(super) struct Sending {
    extent: Extent,
    /// A thread that may wait is at it.
    elsewhere: Option<JoinHandle<io::Result<usize>>>,
    /// It waits for the client as well.
    patient: bool,
    /// It is a large one.
    large: Option<Large>,
    /// The client does not keep up with a thread of its own.
    slow: bool,
    /// The socket sends full segments only.
    corked: bool,
}

impl Sending {
    pub(super) fn new(extent: Extent) -> Self {
        Self { extent, elsewhere: None, patient: false, large: None, slow: false, corked: false }
    }

    /// Whether another thread is at it.
    #[cfg(test)]
    pub(super) fn is_elsewhere(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// Send a piece: its octets, and whether there may be more. Cancel safe.
    pub(super) async fn piece(
        &mut self,
        socket: &Arc<Socket>,
        file: &File,
        disk: &Arc<Mutex<()>>,
    ) -> Result<(u64, bool), TransferError> {
        let sent = match &mut self.elsewhere {
            Some(work) => {
                let sent = work.await.unwrap_or_else(|error| Err(io::Error::other(error)));
                self.elsewhere = None;
                self.slow |= self.patient && sent.as_ref().map_or(0, |&sent| sent as u64) < PIECE;
                sent
            }
            None => {
                let (offset, rest) = (self.extent.offset, self.extent.next(file, LONG_PIECE)?);
                if rest == 0 {
                    return Ok((0, false));
                }
                // What was written before goes first.
                if !socket.relieve().map_err(TransferError::Connection)? {
                    socket.wait(Interest::WRITABLE).await.map_err(TransferError::Connection)?;
                    return Ok((0, true));
                }
                let length = rest.min(if socket.is_kernels() { ENCRYPTED_PIECE } else { PIECE });
                let has_company = self.has_company(rest);
                self.cork(socket);
                let cached = cache::holds(file.as_fd(), offset, length);
                if !cached || has_company {
                    self.patient = cached;
                    let (length, patience) = if cached { (rest, PATIENCE) } else { (length, Duration::ZERO) };
                    let alone = disk.clone().lock_owned().await;
                    let (socket, file) = (socket.clone(), file.clone());
                    self.elsewhere = Some(spawn_blocking(move || {
                        let _alone = alone;
                        send_on(&socket, &file, offset, length, patience)
                    }));
                    return Ok((0, true));
                }
                if length < LITTLE as u64 && self.extent.ends_with(length) {
                    let (octets, read) = read(file, offset, length, Vec::new());
                    // Fewer: the file has become shorter.
                    if read.is_err() || (octets.len() as u64) < length {
                        return Err(wit_error(storage::Error::Io));
                    }
                    socket.keep(&octets);
                    return Ok((length, false));
                }
                sendfile(socket, file, offset, length)
            }
        };
        match sent {
            Ok(sent) => {
                self.extent.offset += sent as u64;
                // None: the file has become shorter, which the next piece finds.
                Ok((sent as u64, sent == 0 || !self.extent.done()))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                socket.wait(Interest::WRITABLE).await.map_err(TransferError::Connection)?;
                Ok((0, true))
            }
            Err(error) => Err(blame(&error)),
        }
    }

    /// Whether this is one of several large files that the thread sends at once, to clients that keep up: they would take
    /// turns of an epoll_wait(2) each. `rest`: octets that are left, up to a long piece.
    fn has_company(&mut self, rest: u64) -> bool {
        if rest < LONG_PIECE || self.slow {
            self.large = None;
            return false;
        }
        (2..=COMPANY).contains(&self.large.get_or_insert_with(Large::new).here())
    }

    /// Have full segments sent if this is the only large file: that is half as fast again, while several keep every
    /// processor at work, and are better taken from its cache piece by piece. Not of the kernel's TLS, whose records
    /// must not wait.
    fn cork(&mut self, socket: &Socket) {
        let is_large = self.large.is_some();
        let alone = ALL_LARGE.load(Ordering::Relaxed) == usize::from(is_large);
        // Its end is no large file, and goes like the rest.
        let corked = alone && (is_large || self.corked) && !socket.is_kernels();
        if corked != self.corked {
            self.corked = corked;
            socket.stream.cork(corked);
        }
    }
}

/// Send on, for a while, on a thread that may wait: for the disk, and for `patience` until the socket takes more.
fn send_on(socket: &Socket, file: &File, offset: u64, length: u64, patience: Duration) -> io::Result<usize> {
    let (mut sent, due) = (0, Instant::now() + TURN);
    loop {
        match sendfile(socket, file, offset + sent as u64, length - sent as u64) {
            Ok(0) => return Ok(sent),
            Ok(more) => sent += more,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && is_writable(socket, patience) => {}
            Err(error) if sent == 0 => return Err(error),
            // An error is found again by the next piece.
            Err(_) => return Ok(sent),
        }
        if sent as u64 >= length || Instant::now() >= due {
            return Ok(sent);
        }
    }
}

/// Wait until the socket takes more, or for that long.
fn is_writable(socket: &Socket, patience: Duration) -> bool {
    let mut polled = [PollFd::new(&socket.stream, PollFlags::OUT)];
    let patience = Timespec::try_from(patience).unwrap_or_default();
    matches!(poll(&mut polled, Some(&patience)), Ok(1..))
}

/// Hand octets from the file to the socket inside the kernel; the socket does not block.
fn sendfile(socket: &Socket, file: &File, offset: u64, length: u64) -> io::Result<usize> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    socket.stream.attempt(Interest::WRITABLE, || {
        let mut offset = offset;
        Ok(rustix::fs::sendfile(&socket.stream, file, Some(&mut offset), length)?)
    })
}

/// sendfile(2) fails for the socket's sake with these, and for the file's with others.
fn blame(error: &io::Error) -> TransferError {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, TimedOut};
    match error.kind() {
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | TimedOut => {
            TransferError::Connection(Error::Broken)
        }
        _ => wit_error(storage::Error::Io),
    }
}

/// Octets that are handed over at once: little beside the cost of a system call, and not so much that a
/// cold disk keeps a thread for long.
pub(super) const PIECE: u64 = 2 * 1024 * 1024;

/// The same of octets that the kernel encrypts, which takes ten times as long.
const ENCRYPTED_PIECE: u64 = 256 * 1024;

/// Octets for a thread that may wait: much beside the cost of the way to it and back.
pub(super) const LONG_PIECE: u64 = 16 * 1024 * 1024;

/// Large files of one thread that have threads of their own: more would have little of a processor each.
const COMPANY: usize = 32;

/// How long such a thread goes on before it says how far it is, and hears that the transfer was stopped.
const TURN: Duration = Duration::from_millis(50);

/// How long it waits for a client.
const PATIENCE: Duration = Duration::from_millis(20);
