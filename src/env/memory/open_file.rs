//! A file that is open.

use std::cell::Cell;
use std::rc::Rc;

use super::files::Content;
use crate::env::StorageError;
use crate::proto::checksum::{Algorithm, Checksum};
use crate::proto::entry::Time;

/// An open file.
#[derive(Clone, Debug)]
pub struct OpenFile {
    pub(super) path: Vec<u8>,
    pub(super) place: Place,
    pub(super) content: Content,
    /// When it was opened.
    pub(super) now: Time,
    /// Where the next octets are written, which is then the end; `None`: behind the end.
    pub(super) position: Rc<Cell<Option<usize>>>,
    pub(super) fault: Rc<Cell<Option<StorageError>>>,
}

/// Where its octets go.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Nowhere: it is open to read.
    Read,
    /// Into the file that is seen.
    Seen { modified: Rc<Cell<Time>>, _lock: Rc<()> },
    /// Into one that will take the path.
    Any,
    /// Into one that will take the path if it is still free.
    New,
}

impl OpenFile {
    pub(super) fn size(&self) -> u64 {
        self.content.borrow().len() as u64
    }

    pub(super) fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, StorageError> {
        if let Some(error) = self.fault.get() {
            return Err(error);
        }
        let content = self.content.borrow();
        let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..)).unwrap_or_default();
        Ok(rest.get(..length).unwrap_or(rest).to_vec())
    }

    pub(super) fn reserve(&self) -> Result<(), StorageError> {
        self.fault.get().map_or(Ok(()), Err)
    }

    pub(super) fn write(&self, octets: &[u8]) -> Result<(), StorageError> {
        if let Some(error) = self.fault.get() {
            return Err(error);
        }
        let mut content = self.content.borrow_mut();
        if let Some(position) = self.position.take() {
            content.truncate(position);
        }
        content.extend_from_slice(octets);
        if let Place::Seen { modified, .. } = &self.place {
            modified.set(self.now);
        }
        Ok(())
    }

    pub(super) fn copy(&self, source: &Self) -> Result<Vec<u8>, StorageError> {
        self.write(&source.read(0, usize::MAX)?)?;
        Ok(Vec::new())
    }

    pub(super) fn checksum(&self, algorithm: Algorithm, offset: u64, length: u64) -> Result<Vec<u8>, StorageError> {
        let mut checksum = Checksum::new(algorithm);
        checksum.update(&self.read(offset, usize::try_from(length).unwrap_or(usize::MAX))?);
        Ok(checksum.finish())
    }
}
