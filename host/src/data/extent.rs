//! The part of a file that is to be sent.

use std::io;

use rustix::buffer::spare_capacity;
use rustix::io::{pread, retry_on_intr};

use super::transfer::wit_error;
use crate::bindings::ftpd::server::data::TransferError;
use crate::storage::{self, File};

/// What is still to send: from `offset` to `end`, if the file reaches that far.
pub(super) struct Extent {
    pub(super) offset: u64,
    end: u64,
    /// The size of the file when it was first looked at.
    size: Option<u64>,
}

impl Extent {
    pub(super) fn new(offset: u64, end: u64) -> Self {
        Self { offset, end, size: None }
    }

    /// The length of the next piece, at most `most`; 0 at the end. An error if the file has become shorter: what was
    /// promised is no longer there.
    pub(super) fn next(&mut self, file: &File, most: u64) -> Result<u64, TransferError> {
        let size = file.size().map_err(wit_error)?;
        if size < *self.size.get_or_insert(size) {
            return Err(TransferError::Storage(storage::Error::Io.into()));
        }
        Ok(size.min(self.end).saturating_sub(self.offset).min(most))
    }

    /// Whether a piece of `length` octets is the last, as far as is known without another look at the file.
    pub(super) fn ends_with(&self, length: u64) -> bool {
        let end = self.offset + length;
        end == self.end || self.size == Some(end)
    }

    /// Whether all is sent, as far as is known without another look at the file.
    pub(super) fn done(&self) -> bool {
        self.ends_with(0)
    }
}

/// The buffer, and whether it has octets of the file.
pub(super) type Read = (Vec<u8>, io::Result<()>);

/// Fill `buffer` with up to `length` octets from `offset`.
pub(super) fn read(file: &File, offset: u64, length: u64, mut buffer: Vec<u8>) -> Read {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    buffer.clear();
    buffer.reserve_exact(length);
    let read = retry_on_intr(|| pread(file, spare_capacity(&mut buffer), offset));
    buffer.truncate(length);
    (buffer, read.map(|_| ()).map_err(io::Error::from))
}
