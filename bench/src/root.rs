//! The files that are served.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::plan::Plan;

/// The directories that are served, with what is in them.
pub(crate) struct Root {
    memory: TempDir,
    disk: TempDir,
}

impl Root {
    /// Make them. The peers serve them as nobody, so that everybody may do everything there.
    pub(crate) fn new(plan: &Plan) -> Result<Self> {
        let new = |within: &Path| {
            let directory = tempfile::Builder::new().prefix("ftp-bench-").tempdir_in(within);
            directory.with_context(|| format!("no directory to serve in {}", within.display()))
        };
        let root = Self { memory: new(&plan.memory)?, disk: new(&plan.disk)? };
        // Not writable itself: vsftpd serves no such root.
        for served in [root.memory(), root.disk()] {
            fs::set_permissions(served, Permissions::from_mode(0o755))?;
        }
        root.fill(BIG, plan.sizes.big)?;
        let small = directory(root.memory(), "small")?;
        for number in 0..plan.sizes.small {
            fs::write(small.join(number.to_string()), content(SMALL))?;
        }
        for within in [root.memory(), root.disk()] {
            directory(within, "up")?;
        }
        for entries in plan.sizes.entries {
            let listed = directory(root.memory(), &format!("listed-{entries}"))?;
            for number in 0..entries {
                File::create(listed.join(format!("an-ordinary-name-{number:06}.dat")))?;
            }
        }
        Ok(root)
    }

    /// Served by every server.
    pub(crate) fn memory(&self) -> &Path {
        self.memory.path()
    }

    /// Served by a second instance of every server.
    pub(crate) fn disk(&self) -> &Path {
        self.disk.path()
    }

    fn fill(&self, name: &str, octets: u64) -> Result<()> {
        let mut file = File::create(self.memory.path().join(name))?;
        let piece = content(1 << 20);
        let mut left = octets;
        while left > 0 {
            let now = usize::try_from(left.min(1 << 20))?;
            file.write_all(piece.get(..now).unwrap_or_default())?;
            left -= now as u64;
        }
        Ok(())
    }
}

/// A new directory.
fn directory(within: &Path, name: &str) -> Result<PathBuf> {
    let path = within.join(name);
    fs::create_dir(&path)?;
    open(&path)?;
    Ok(path)
}

fn open(path: &Path) -> Result<()> {
    Ok(fs::set_permissions(path, Permissions::from_mode(0o777))?)
}

/// Octets that no two places of a page share.
pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// The name of the big file.
pub(crate) const BIG: &str = "big";

/// Octets of a small file.
pub(crate) const SMALL: usize = 1024;
