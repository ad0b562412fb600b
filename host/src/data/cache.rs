//! Whether a file's octets can be had without waiting for a disk.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether all of `length` octets from `offset` are in the page cache. A kernel that cannot tell (before
/// Linux 6.5) makes it false.
pub(super) fn holds(file: BorrowedFd<'_>, offset: u64, length: u64) -> bool {
    if length == 0 {
        return true;
    }
    let pages = (offset + length).div_ceil(PAGE) - offset / PAGE;
    look(file, offset, length).is_some_and(|found| found.cached >= pages)
}

/// Pages that are not at the disk yet.
#[cfg(test)]
pub(crate) fn unwritten(file: BorrowedFd<'_>) -> Option<u64> {
    look(file, 0, 0).map(|found| found.dirty + found.writeback)
}

/// What the page cache has of `length` octets from `offset`, or of all behind it if that is 0.
fn look(file: BorrowedFd<'_>, offset: u64, length: u64) -> Option<Cachestat> {
    if UNKNOWN.load(Ordering::Relaxed) {
        return None;
    }
    let range = Range { offset, length };
    let mut found = Cachestat::default();
    // SAFETY: cachestat(2) reads `range` and writes `found`, both of the layout it defines and alive for
    // the call; `file` is open.
    let result = unsafe { libc::syscall(CACHESTAT, file.as_raw_fd(), &raw const range, &raw mut found, 0) };
    if result != 0 {
        // Other errors concern this file alone.
        let missing = io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS);
        UNKNOWN.fetch_or(missing, Ordering::Relaxed);
        return None;
    }
    Some(found)
}

/// The system call is missing.
static UNKNOWN: AtomicBool = AtomicBool::new(false);

/// `struct cachestat_range` of linux/mman.h.
#[repr(C)]
struct Range {
    offset: u64,
    length: u64,
}

/// `struct cachestat` of linux/mman.h.
#[repr(C)]
#[derive(Default)]
struct Cachestat {
    cached: u64,
    dirty: u64,
    writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// The number of cachestat(2), the same on every architecture.
const CACHESTAT: libc::c_long = 451;

/// Octets of a page. Larger ones only make us more careful.
const PAGE: u64 = 4096;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_file_just_written_is_cached_and_a_hole_is_not() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![1; 100_000]).unwrap();
        file.set_len(10_000_000).unwrap();
        let known = holds(file.as_fd(), 0, 1);
        assert_eq!(holds(file.as_fd(), 0, 100_000), known);
        assert_eq!(holds(file.as_fd(), 99_999, 1), known);
        assert!(!holds(file.as_fd(), 1_000_000, 1_000_000));
    }
}
