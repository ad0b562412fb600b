//! Which files are being written, in this instance: WASI has no locks that others would see.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

/// What tells two files apart: see `Attributes::unique`.
pub(super) type Unique = (u64, u64);

/// The files that are being written.
#[derive(Clone, Default)]
pub(crate) struct Locks(Rc<RefCell<BTreeSet<Unique>>>);

/// Keeps other writers from a file.
pub(super) struct Lock {
    locks: Locks,
    file: Unique,
}

impl Locks {
    /// Keep other writers from a file; `None` if there is one.
    pub(super) fn lock(&self, file: Unique) -> Option<Lock> {
        self.0.borrow_mut().insert(file).then(|| Lock { locks: self.clone(), file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.locks.0.borrow_mut().remove(&self.file);
    }
}
