//! An open data connection: its socket, and the guest's streams over it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::bytes::Bytes;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, OutputStream, StreamError, StreamResult};

use crate::attempt;
use crate::bindings::ftpd::server::data::Error;
use crate::ending::Busy;

/// The socket of a data connection.
pub(crate) struct Socket {
    pub(super) stream: TcpStream,
    busy: Busy,
    /// How long it may stand still.
    stall: Duration,
    progress: Mutex<Progress>,
    /// Closed in good order.
    finished: AtomicBool,
    _share: Arc<()>,
}

struct Progress {
    /// When an octet last moved.
    moved: Instant,
    /// Written by the guest and not taken by the socket yet; at most one permit.
    backlog: Vec<u8>,
    failed: Option<Error>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, busy: Busy, stall: Duration, share: Arc<()>) -> Self {
        let progress = Progress { moved: Instant::now(), backlog: Vec::new(), failed: None };
        let finished = AtomicBool::new(false);
        Self { stream, busy, stall, progress: Mutex::new(progress), finished, _share: share }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Octets moved: neither the connection nor its session stands still.
    pub(super) fn touch(&self) {
        self.progress().moved = Instant::now();
        self.busy.touch();
    }

    fn fail(&self, error: Error) -> Error {
        *self.progress().failed.get_or_insert(error)
    }

    /// Wait for the client to take or give octets. Cancel safe.
    pub(super) async fn wait(&self, interest: tokio::io::Interest) -> Result<(), Error> {
        let due = self.progress().moved + self.stall;
        match timeout_at(due, self.stream.ready(interest)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(self.fail(Error::Broken)),
            Err(_) => Err(self.fail(Error::Timeout)),
        }
    }

    /// Send what the guest has written; false while something is left.
    fn relieve(&self) -> Result<bool, Error> {
        let mut progress = self.progress();
        if let Some(error) = progress.failed {
            return Err(error);
        }
        let before = progress.backlog.len();
        let relieved = attempt::relieve(&self.stream, &mut progress.backlog);
        if progress.backlog.len() < before {
            progress.moved = Instant::now();
            self.busy.touch();
        }
        relieved.map_err(|_| *progress.failed.get_or_insert(Error::Broken))
    }

    /// Close in good order: all was sent, and the client has not gone.
    pub(super) fn finish(&self) -> Result<(), Error> {
        if !self.relieve()? {
            return Err(Error::Pending);
        }
        let shut = rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Write);
        if shut.is_err() || !matches!(self.stream.take_error(), Ok(None)) {
            return Err(self.fail(Error::Broken));
        }
        self.finished.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if !self.finished.load(Ordering::Relaxed) {
            // Reset, so that the client does not take a part for the whole.
            let _ = rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO));
        }
    }
}

fn failed(error: Error) -> StreamError {
    StreamError::LastOperationFailed(wasmtime::format_err!("{error:?}"))
}

/// What the client sends, for the guest to convert.
pub(super) struct Input(pub(super) Arc<Socket>);

#[async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        // An error is found by the read that follows.
        let _ = self.0.wait(tokio::io::Interest::READABLE).await;
    }
}

#[async_trait]
impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if let Some(error) = self.0.progress().failed {
            return Err(failed(error));
        }
        let mut octets = Vec::with_capacity(size.min(MAX_READ));
        match attempt::receive(&self.0.stream, &mut octets) {
            Ok(0) if size > 0 => Err(StreamError::Closed),
            Ok(_) => {
                self.0.touch();
                Ok(octets.into())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Bytes::new()),
            Err(_) => Err(failed(self.0.fail(Error::Broken))),
        }
    }
}

/// What the guest makes for the client.
pub(super) struct Output(pub(super) Arc<Socket>);

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        while let Ok(false) = self.0.relieve() {
            if self.0.wait(tokio::io::Interest::WRITABLE).await.is_err() {
                return;
            }
        }
    }
}

#[async_trait]
impl OutputStream for Output {
    fn write(&mut self, octets: Bytes) -> StreamResult<()> {
        {
            let mut progress = self.0.progress();
            if octets.len() > PERMIT || !progress.backlog.is_empty() {
                return Err(StreamError::trap("more was written than was permitted"));
            }
            progress.backlog.extend_from_slice(&octets);
        }
        self.flush()
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.0.relieve().map(|_| ()).map_err(failed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.0.relieve().map(|empty| if empty { PERMIT } else { 0 }).map_err(failed)
    }
}

/// Octets that are read at once, whatever the guest asks for.
const MAX_READ: usize = 64 * 1024;

/// Octets that the guest may write at once.
const PERMIT: usize = 64 * 1024;
