//! Times and modes.

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT, chmodat, utimensat};
use rustix::io::Errno;
use std::os::fd::AsRawFd;

use super::Volume;
use crate::storage::path::Path;
use crate::storage::{Attributes, Error, Kind, Permissions, Time};

impl Volume {
    /// Set the times that are given. Links are followed inside the volume. Error `Unsupported` for the
    /// time of creation.
    pub fn set_times(&self, path: &[u8], modified: Option<Time>, created: Option<Time>) -> Result<(), Error> {
        self.permissions.allow(Permissions::SET_ATTRIBUTES)?;
        let path = Path::new(path)?;
        if created.is_some() {
            return Err(Error::Unsupported);
        }
        let target = self.resolve(path, OFlags::PATH | OFlags::CLOEXEC, ResolveFlags::empty())?;
        let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let times = Timestamps {
            last_access: omit,
            last_modification: modified.map_or(omit, |to| Timespec {
                tv_sec: to.seconds,
                // Two numbers beyond the last nanosecond mean "now" and "not at all" to the kernel.
                tv_nsec: to.nanoseconds.min(999_999_999).into(),
            }),
        };
        Ok(utimensat(target, "", &times, AtFlags::EMPTY_PATH)?)
    }

    /// Set the lower nine bits of the mode of a file or directory: `NotFile` for anything else. Links are
    /// followed inside the volume. Error `Unsupported` where /proc is missing.
    pub fn set_mode(&self, path: &[u8], mode: u32) -> Result<(), Error> {
        self.permissions.allow(Permissions::SET_ATTRIBUTES)?;
        let path = Path::new(path)?;
        // The root is the operator's: a user could lock everybody out.
        path.split().ok_or(Error::Denied)?;
        let target = self.resolve(path, OFlags::PATH | OFlags::CLOEXEC, ResolveFlags::empty())?;
        let attributes = Attributes::of(&target, b"", AtFlags::empty())?;
        if !matches!(attributes.kind, Kind::File | Kind::Directory) {
            return Err(Error::NotFile);
        }
        let mode = Mode::from_raw_mode(attributes.mode & 0o7000 | mode & 0o777);
        // A file that may not be opened can only be changed by its name, until Linux 6.6 brings fchmodat2:
        // and this is a name that cannot become somebody else's.
        match chmodat(CWD, format!("/proc/self/fd/{}", target.as_raw_fd()), mode, AtFlags::empty()) {
            Err(Errno::NOENT) => Err(Error::Unsupported),
            done => Ok(done?),
        }
    }
}
