//! Connections that are vectors.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;

use super::open_file::OpenFile;
use crate::env::{DataError, TransferError};

/// A data port of the session's.
#[derive(Debug)]
pub struct Port(pub(super) Rc<RefCell<PortState>>);

#[derive(Debug)]
pub(super) struct PortState {
    pub(super) address: SocketAddr,
    pub(super) active: bool,
    /// Once client and session are connected.
    pub(super) pipe: Option<Rc<RefCell<Pipe>>>,
}

impl PortState {
    pub(super) fn new(address: SocketAddr, active: bool) -> Self {
        Self { address, active, pipe: None }
    }
}

/// Both directions of a data connection.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) to_client: Vec<u8>,
    pub(super) from_client: Vec<u8>,
    /// The client will send no more.
    pub(super) client_ended: bool,
    /// The client is gone.
    pub(super) reset: bool,
    /// How the session closed it: in good order, or not.
    pub(super) closed: Option<bool>,
}

impl Pipe {
    pub(super) fn new() -> Rc<RefCell<Self>> {
        Rc::default()
    }

    fn room(&self) -> usize {
        CAPACITY.saturating_sub(self.to_client.len())
    }
}

/// The session's end of a data connection.
#[derive(Debug)]
pub struct Connection(Rc<RefCell<Pipe>>);

impl Connection {
    pub(super) fn new(pipe: Rc<RefCell<Pipe>>) -> Self {
        Self(pipe)
    }

    pub(super) fn read(&self, into: &mut Vec<u8>) -> Poll<Result<bool, DataError>> {
        let mut pipe = self.0.borrow_mut();
        if !pipe.from_client.is_empty() {
            into.append(&mut pipe.from_client);
            return Poll::Ready(Ok(true));
        }
        match (pipe.reset, pipe.client_ended) {
            (true, _) => Poll::Ready(Err(DataError::Broken)),
            (false, true) => Poll::Ready(Ok(false)),
            (false, false) => Poll::Pending,
        }
    }

    pub(super) fn write(&self, octets: &mut &[u8]) -> Poll<Result<(), DataError>> {
        let mut pipe = self.0.borrow_mut();
        if pipe.reset {
            return Poll::Ready(Err(DataError::Broken));
        }
        let (now, later) = octets.split_at(pipe.room().min(octets.len()));
        pipe.to_client.extend_from_slice(now);
        *octets = later;
        if octets.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    pub(super) fn finish(self) -> Result<(), DataError> {
        let mut pipe = self.0.borrow_mut();
        if pipe.reset {
            return Err(DataError::Broken);
        }
        pipe.closed = Some(true);
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.borrow_mut().closed.get_or_insert(false);
    }
}

/// A file on its way.
#[derive(Debug)]
pub struct Transfer {
    pipe: Rc<RefCell<Pipe>>,
    file: OpenFile,
    /// Where a file to be sent is read next, and where that ends.
    range: Option<(Cell<u64>, u64)>,
    moved: Cell<u64>,
}

impl Transfer {
    pub(super) fn send(data: &Connection, file: OpenFile, offset: u64, length: u64) -> Self {
        let range = Some((Cell::new(offset), offset.saturating_add(length)));
        Self { pipe: data.0.clone(), file, range, moved: Cell::new(0) }
    }

    pub(super) fn receive(data: &Connection, file: OpenFile) -> Self {
        Self { pipe: data.0.clone(), file, range: None, moved: Cell::new(0) }
    }

    pub(super) fn moved(&self) -> u64 {
        self.moved.get()
    }

    /// Move what can be moved now.
    pub(super) fn step(&self) -> Poll<Result<u64, TransferError>> {
        let done = match &self.range {
            Some((offset, end)) => self.send_some(offset, *end),
            None => self.receive_some(),
        };
        match done {
            Ok(true) => Poll::Ready(Ok(self.moved())),
            Ok(false) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn send_some(&self, offset: &Cell<u64>, end: u64) -> Result<bool, TransferError> {
        let mut pipe = self.pipe.borrow_mut();
        if pipe.reset {
            return Err(DataError::Broken.into());
        }
        let end = end.min(self.file.size());
        let left = usize::try_from(end.saturating_sub(offset.get())).unwrap_or(usize::MAX);
        let octets = self.file.read(offset.get(), pipe.room().min(left))?;
        pipe.to_client.extend_from_slice(&octets);
        offset.set(offset.get() + octets.len() as u64);
        self.moved.set(self.moved.get() + octets.len() as u64);
        Ok(offset.get() >= end)
    }

    fn receive_some(&self) -> Result<bool, TransferError> {
        let mut pipe = self.pipe.borrow_mut();
        if !pipe.from_client.is_empty() {
            self.file.write(&pipe.from_client)?;
            self.moved.set(self.moved.get() + pipe.from_client.len() as u64);
            pipe.from_client.clear();
        }
        if pipe.reset { Err(DataError::Broken.into()) } else { Ok(pipe.client_ended) }
    }
}

/// Octets that are on their way to a client that does not take them; then a transfer waits.
const CAPACITY: usize = 64 * 1024;
