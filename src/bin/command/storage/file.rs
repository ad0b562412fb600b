//! An open file.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use wasi::filesystem::types::Descriptor;
use wasi_ftpd::env::StorageError;

use super::error::error;
use super::lock::{Lock, Unique};
use super::upload::Upload;

/// An open regular file. Clones share it.
#[derive(Clone)]
pub(crate) struct File(Rc<Inner>);

struct Inner {
    descriptor: Descriptor,
    unique: Unique,
    /// `None`: it is open to read.
    writing: Option<Writing>,
}

/// How it is written.
pub(super) struct Writing {
    /// Where the next octets go.
    pub(super) at: Cell<u64>,
    /// What lies behind that has still to go.
    pub(super) cut: Cell<bool>,
    /// What is to be done at its end.
    pub(super) upload: Option<Upload>,
    /// Until it is finished.
    pub(super) lock: RefCell<Option<Lock>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(Writing { upload: Some(upload), .. }) = &self.writing {
            // Still locked.
            upload.abandon(&self.descriptor, self.unique);
        }
    }
}

type Result<T> = std::result::Result<T, StorageError>;

impl File {
    pub(super) fn reader(descriptor: Descriptor, unique: Unique) -> Self {
        Self(Rc::new(Inner { descriptor, unique, writing: None }))
    }

    pub(super) fn writer(descriptor: Descriptor, unique: Unique, writing: Writing) -> Self {
        Self(Rc::new(Inner { descriptor, unique, writing: Some(writing) }))
    }

    /// Its size now, in octets.
    pub(crate) fn size(&self) -> Result<u64> {
        self.0.descriptor.stat().map(|stat| stat.size).map_err(error)
    }

    /// Up to `length` octets from `offset` (the runtime may give fewer); none at the end. Error `Denied` if it is
    /// open to write.
    pub(crate) fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        if self.0.writing.is_some() {
            return Err(StorageError::Denied);
        }
        if length == 0 {
            return Ok(Vec::new());
        }
        self.0.descriptor.read(length, offset).map(|(octets, _)| octets).map_err(error)
    }

    /// Write all of `octets` behind those written before.
    pub(crate) fn write(&self, mut octets: &[u8]) -> Result<()> {
        let writing = self.writing()?;
        if !octets.is_empty() {
            self.cut(writing)?;
        }
        while !octets.is_empty() {
            let written = self.0.descriptor.write(octets, writing.at.get()).map_err(error)?;
            // A medium that takes none would be asked for ever.
            octets = usize::try_from(written)
                .ok()
                .filter(|&written| written > 0)
                .and_then(|written| octets.get(written..))
                .ok_or(StorageError::Io)?;
            writing.at.set(writing.at.get() + written);
        }
        Ok(())
    }

    /// What was written is of no use: without a finish, it is removed. A file that can be seen stays.
    pub(crate) fn discard(&self) {
        if let Some(Writing { upload: Some(upload), .. }) = &self.0.writing {
            upload.discarded.set(true);
        }
    }

    /// Everything is written, and has its name.
    pub(crate) fn finish(&self) -> Result<()> {
        let Some(writing) = &self.0.writing else { return Ok(()) };
        self.cut(writing)?;
        if let Some(upload) = &writing.upload {
            upload.publish(self.0.unique)?;
        }
        writing.lock.take();
        Ok(())
    }

    /// Whether copying `source` here would cut what is still to be read: they are one file.
    pub(super) fn would_cut(&self, source: &Self) -> bool {
        let appends = self.0.writing.as_ref().is_some_and(|writing| !writing.cut.get() && writing.at.get() > 0);
        self.0.unique == source.0.unique && !appends
    }

    fn writing(&self) -> Result<&Writing> {
        self.0.writing.as_ref().ok_or(StorageError::Denied)
    }

    fn cut(&self, writing: &Writing) -> Result<()> {
        if writing.cut.get() {
            self.0.descriptor.set_size(writing.at.get()).map_err(error)?;
            writing.cut.set(false);
        }
        Ok(())
    }
}
