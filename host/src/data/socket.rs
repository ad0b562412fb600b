//! An open data connection: its socket, and the guest's streams over it.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use log::warn;
use tokio::time::{Instant, timeout_at};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::bytes::Bytes;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, OutputStream, StreamError, StreamResult};

use crate::bindings::ftpd::server::data::Error;
use crate::ending::Busy;
use crate::socket::Stream;
use crate::tls::{Layer, kernel};

/// The socket of a data connection.
pub(crate) struct Socket {
    pub(super) stream: Stream,
    /// Unless it is in clear, or the kernel's.
    tls: Option<Mutex<Layer>>,
    /// Octets that end without close_notify are cut short.
    close_notify: bool,
    /// The kernel protects what is sent; nothing can be received.
    kernel: bool,
    busy: Busy,
    /// How long it may stand still.
    stall: Duration,
    progress: Mutex<Progress>,
    /// Closed in good order.
    finished: AtomicBool,
    /// A task sends the end.
    ending: AtomicBool,
    _share: Arc<()>,
}

struct Progress {
    /// When an octet last moved.
    moved: Instant,
    /// Written by the guest and not taken by the socket yet; at most one permit.
    backlog: Vec<u8>,
    /// Something of that is left, here or in TLS.
    owes: bool,
    /// The client has sent all.
    ended: bool,
    /// The connection broke while it sent.
    lost: Option<io::ErrorKind>,
    failed: Option<Error>,
}

impl Socket {
    /// `protection`: TLS, after its handshake, and whether octets that end without close_notify are cut short.
    pub(super) fn new(
        stream: Stream,
        protection: Option<(Layer, bool)>,
        busy: Busy,
        stall: Duration,
        share: Arc<()>,
    ) -> Self {
        let progress = Mutex::new(Progress {
            moved: Instant::now(),
            backlog: Vec::new(),
            owes: false,
            ended: false,
            lost: None,
            failed: None,
        });
        let (finished, ending) = (AtomicBool::new(false), AtomicBool::new(false));
        let (layer, close_notify) = protection.unzip();
        let (tls, close_notify) = (layer.map(Mutex::new), close_notify.unwrap_or(false));
        Self { stream, tls, close_notify, kernel: false, busy, stall, progress, finished, ending, _share: share }
    }

    /// Let the kernel protect what is sent from now on, if it can, and so many octets are worth it.
    pub(super) fn hand_over(&mut self, length: impl FnOnce() -> u64) {
        let stream = &self.stream;
        let tls = self.tls.take_if(|tls| {
            let layer = tls.get_mut().unwrap_or_else(PoisonError::into_inner);
            // What comes before is still ours.
            layer.suits_kernel()
                && WORTH_KERNEL.contains(&length())
                && matches!(layer.flush(stream), Ok(true))
                && kernel::attach(stream).is_ok()
        });
        if let Some(tls) = tls {
            self.kernel = true;
            let handed = tls.into_inner().unwrap_or_else(PoisonError::into_inner).hand_over(stream);
            if let Err(error) = handed {
                warn!("the kernel, which can do TLS, does not for this connection: {error}");
                self.fail(Error::Broken);
            }
        }
    }

    /// Whether it is protected here.
    pub(super) fn protected(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether the kernel protects what is sent.
    pub(super) fn is_kernels(&self) -> bool {
        self.kernel
    }

    fn layer(&self) -> Option<MutexGuard<'_, Layer>> {
        self.tls.as_ref().map(|layer| layer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Append what has come to the spare capacity of `octets`; 0 at the end.
    pub(super) fn receive(&self, octets: &mut Vec<u8>) -> io::Result<usize> {
        if self.kernel {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let room = octets.len() < octets.capacity();
        let received = match self.layer() {
            None => self.stream.receive(octets),
            Some(mut layer) => match layer.receive(&self.stream, octets) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !self.close_notify => {
                    if layer.excuse_end() { Ok(0) } else { Err(error) }
                }
                received => received,
            },
        };
        match received {
            // The system tells once that a connection broke, and from then on that it has ended.
            Ok(0) if room => {
                let mut progress = self.progress();
                progress.ended = progress.lost.is_none();
                progress.lost.map_or(Ok(0), |kind| Err(kind.into()))
            }
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                self.progress().lost.get_or_insert(error.kind());
                Err(error)
            }
            received => received,
        }
    }

    /// Protect octets, and send what the socket takes. Only if it is protected, and nothing is left.
    pub(super) fn protect(&self, octets: &[u8]) -> Result<(), Error> {
        let Some(mut layer) = self.layer() else { return Ok(()) };
        let sent = layer.write(octets).and_then(|()| layer.flush(&self.stream));
        drop(layer);
        self.touch();
        sent.map(|_| ()).map_err(|_| self.fail(Error::Broken))
    }

    /// Take the last octets, to send them with the end. Only if nothing is left of those before.
    pub(super) fn keep(&self, octets: &[u8]) {
        let mut progress = self.progress();
        progress.owes = true;
        match self.layer() {
            None => progress.backlog.extend_from_slice(octets),
            // It takes all; a connection that is broken is found when they are sent.
            Some(mut layer) => drop(layer.write(octets)),
        }
    }

    /// Why nothing more can be received.
    pub(super) fn blame(&self, error: &io::Error) -> Error {
        let truncated = self.protected() && error.kind() == io::ErrorKind::UnexpectedEof;
        self.fail(if truncated { Error::Truncated } else { Error::Broken })
    }

    /// The client says nothing for now: give memory back.
    pub(super) fn rest(&self) {
        if let Some(mut layer) = self.layer() {
            layer.shrink();
        }
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
        if let Some(mut layer) = self.layer() {
            let has_input = interest.is_readable() && layer.has_input();
            drop(layer);
            // Records of TLS with nothing in them are no progress, however many.
            if Instant::now() >= due {
                return Err(self.fail(Error::Timeout));
            }
            if has_input {
                return Ok(());
            }
        }
        match timeout_at(due, self.stream.ready(interest)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(self.fail(Error::Broken)),
            Err(_) => Err(self.fail(Error::Timeout)),
        }
    }

    /// Send what was written; false while something is left.
    pub(super) fn relieve(&self) -> Result<bool, Error> {
        let mut progress = self.progress();
        if let Some(error) = progress.failed {
            return Err(error);
        }
        let (relieved, moved) = match self.layer() {
            None => {
                let before = progress.backlog.len();
                let relieved = self.stream.relieve(&mut progress.backlog);
                (relieved, progress.backlog.len() < before)
            }
            Some(mut layer) => {
                let before = layer.sent();
                let relieved = layer.flush(&self.stream);
                (relieved, layer.sent() > before)
            }
        };
        if moved {
            progress.moved = Instant::now();
            self.busy.touch();
        }
        if let Ok(true) = relieved {
            progress.owes = false;
        }
        relieved.map_err(|_| *progress.failed.get_or_insert(Error::Broken))
    }

    /// Close in good order: all was sent, and the client has not gone.
    pub(super) fn finish(self: &Arc<Self>) -> Result<(), Error> {
        // An upload whose end was seen is whole, whatever happens now.
        let received = match self.layer() {
            None => {
                let progress = self.progress();
                progress.ended && !progress.owes && !self.kernel
            }
            Some(layer) => layer.closed() && !layer.wrote(),
        };
        // Not for the kernel: a record that waits for more is in the way of the last.
        let again = !self.kernel && self.stream.end_follows();
        if !received {
            // What was kept for the end goes with TLS's own.
            if self.progress().owes
                && let Some(mut layer) = self.layer()
            {
                layer.close();
            }
            if !self.relieve()? {
                return Err(Error::Pending);
            }
        }
        match self.layer() {
            None if received => {}
            None if self.kernel => {
                // As below: who has had all may have closed.
                if self.is_broken() {
                    return Err(self.fail(Error::Broken));
                }
                match kernel::close(&self.stream) {
                    Ok(true) => drop(rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Write)),
                    Ok(false) => {
                        self.end_later();
                        return Ok(());
                    }
                    Err(_) => return Err(self.fail(Error::Broken)),
                }
            }
            None => {
                let shut = rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Write);
                if shut.is_err() || self.is_broken() {
                    return Err(self.fail(Error::Broken));
                }
            }
            Some(mut layer) => {
                // A client that has had TLS's last word meanwhile has had all, and may have closed.
                if !received && !again && self.is_broken() {
                    drop(layer);
                    return Err(self.fail(Error::Broken));
                }
                layer.close();
                // What says that these were all goes, if it has not, and may be lost: clients that know by themselves
                // (MODE B, C and Z) may have closed, and reset it.
                if let Ok(false) = layer.flush(&self.stream) {
                    drop(layer);
                    self.end_later();
                    return Ok(());
                }
                let _ = rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Write);
            }
        }
        self.finished.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Whether it was closed in good order.
    pub(super) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Relaxed)
    }

    /// Whether the client has reset it.
    fn is_broken(&self) -> bool {
        !matches!(self.stream.take_error(), Ok(None))
    }

    /// Let one task send the end, however often a guest asks for it.
    fn end_later(self: &Arc<Self>) {
        if !self.ending.swap(true, Ordering::Relaxed) {
            tokio::spawn(self.clone().end());
        }
    }

    /// Send the end, however slow the client is.
    async fn end(self: Arc<Self>) {
        let ended =
            || if self.kernel { kernel::close(&self.stream).map_err(|_| Error::Broken) } else { self.relieve() };
        loop {
            match ended() {
                Ok(true) => break,
                Ok(false) if self.wait(tokio::io::Interest::WRITABLE).await.is_ok() => {}
                // Reset, when this is dropped.
                Ok(false) | Err(_) => return,
            }
        }
        let shut = rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Write);
        self.finished.store(shut.is_ok(), Ordering::Relaxed);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if !self.is_finished() {
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
        match self.0.receive(&mut octets) {
            Ok(0) if size > 0 => Err(StreamError::Closed),
            Ok(_) => {
                self.0.touch();
                Ok(octets.into())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Bytes::new()),
            Err(error) => Err(failed(self.0.blame(&error))),
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
        if octets.len() > PERMIT || self.0.progress().owes {
            return Err(StreamError::trap("more was written than was permitted"));
        }
        self.0.keep(&octets);
        // A little may be the last.
        if octets.len() < LITTLE { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.0.relieve().map(|_| ()).map_err(failed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.0.relieve().map(|empty| if empty { PERMIT } else { 0 }).map_err(failed)
    }
}

/// Octets that wait for more, for the end, or for the guest to ask what became of them: less than a piece of a listing,
/// and little to copy beside the cost of a segment of their own.
pub(super) const LITTLE: usize = 16 * 1024;

/// Octets that the kernel encrypts: enough to pay for what it sets up, and less than one key may protect (RFC 8446 §5.5:
/// 2^24.5 records).
const WORTH_KERNEL: Range<u64> = 1 << 20..1 << 37;

/// Octets that are read at once, whatever the guest asks for.
const MAX_READ: usize = 64 * 1024;

/// Octets that the guest may write at once.
pub(super) const PERMIT: usize = 64 * 1024;
