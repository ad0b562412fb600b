//! `wasi:io` streams as something to await.

use std::cell::OnceCell;
use std::rc::Rc;

use wasi::io::streams::{InputStream, OutputStream, StreamError};

use super::wait::{Signal, until, wait};

/// The other end broke; what has been sent or received may not be all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// An input stream.
#[derive(Debug)]
pub struct Reader {
    // Before the stream: a pollable is dropped before what it looks at.
    signal: Rc<Signal>,
    stream: InputStream,
}

impl Reader {
    /// Read from `stream`.
    pub fn new(stream: InputStream) -> Self {
        Self { signal: Signal::new(stream.subscribe()), stream }
    }

    /// Ready when there is something to read, or nothing more will come.
    pub fn signal(&self) -> &Rc<Signal> {
        &self.signal
    }

    /// Append what is there, up to `length` octets. `None`: nothing now. `Some(false)`: the end.
    pub fn try_read(&self, into: &mut Vec<u8>, length: u64) -> Result<Option<bool>, Broken> {
        Ok(self.take(length)?.map(|octets| {
            into.extend_from_slice(&octets);
            !octets.is_empty()
        }))
    }

    /// Wait for something and append it; false at the end. Cancel safe.
    pub async fn read(&self, into: &mut Vec<u8>, length: u64) -> Result<bool, Broken> {
        let octets = self.next(length).await?;
        into.extend_from_slice(&octets);
        Ok(!octets.is_empty())
    }

    /// Wait for something, up to `length` octets; none at the end. Cancel safe.
    pub async fn next(&self, length: u64) -> Result<Vec<u8>, Broken> {
        loop {
            if let Some(octets) = self.take(length)? {
                return Ok(octets);
            }
            until(&self.signal).await;
        }
    }

    /// What is there, and nothing at the end. `None`: nothing now.
    fn take(&self, length: u64) -> Result<Option<Vec<u8>>, Broken> {
        match self.stream.read(length) {
            Ok(octets) if octets.is_empty() => Ok(None),
            Ok(octets) => Ok(Some(octets)),
            Err(StreamError::Closed) => Ok(Some(Vec::new())),
            Err(StreamError::LastOperationFailed(_)) => Err(Broken),
        }
    }
}

/// An output stream.
#[derive(Debug)]
pub struct Writer {
    signal: OnceCell<Rc<Signal>>,
    stream: OutputStream,
}

impl Writer {
    /// Write to `stream`.
    pub fn new(stream: OutputStream) -> Self {
        Self { signal: OnceCell::new(), stream }
    }

    /// Write some of `octets`: how many. Cancel safe: what was not written is not lost.
    pub async fn write_some(&self, octets: &[u8]) -> Result<usize, Broken> {
        let permitted = usize::try_from(self.writable().await?).unwrap_or(usize::MAX);
        let (now, _) = octets.split_at(permitted.min(octets.len()));
        self.stream.write(now).map_err(|_| Broken)?;
        Ok(now.len())
    }

    /// Wait until everything written has left.
    pub async fn flush(&self) -> Result<(), Broken> {
        self.stream.flush().map_err(|_| Broken)?;
        self.writable().await.map(|_| ())
    }

    /// Whether everything written has left, or never will.
    pub fn is_idle(&self) -> bool {
        !matches!(self.stream.check_write(), Ok(0))
    }

    /// Block the instance until something can be written.
    pub fn block(&self) {
        wait(&[Signal::new(self.stream.subscribe())]);
    }

    async fn writable(&self) -> Result<u64, Broken> {
        loop {
            match self.stream.check_write() {
                Ok(0) => until(self.signal.get_or_init(|| Signal::new(self.stream.subscribe()))).await,
                Ok(permitted) => return Ok(permitted),
                Err(_) => return Err(Broken),
            }
        }
    }
}
