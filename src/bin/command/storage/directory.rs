//! A directory being read.

use wasi::filesystem::types::{Descriptor, DirectoryEntryStream, ErrorCode, PathFlags};
use wasi_ftpd::env::StorageError;
use wasi_ftpd::proto::entry::{Attributes, Entry, Kind};
use wasi_ftpd::proto::path::VPath;

use super::attributes;
use super::error::error;
use super::hidden::is_hidden;
use super::path::Path;
use super::volume::Volume;

/// A directory being read.
pub(crate) struct Directory {
    // Before the directory.
    entries: DirectoryEntryStream,
    directory: Descriptor,
    path: VPath,
    volume: Volume,
}

impl Directory {
    pub(super) fn new(volume: Volume, path: VPath, directory: Descriptor) -> Result<Self, StorageError> {
        Ok(Self { entries: directory.read_directory().map_err(error)?, directory, path, volume })
    }

    /// The next entries, without unfinished uploads; none at the end. Left out is what vanished meanwhile,
    /// and what has a name that WASI has no form for.
    pub(crate) fn next_entries(&self) -> Result<Vec<Entry>, StorageError> {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let name = match self.entries.read_directory_entry() {
                Ok(Some(entry)) => entry.name,
                Ok(None) => break,
                Err(ErrorCode::IllegalByteSequence) => {
                    log::debug!("left out of a listing: a name that is not UTF-8");
                    continue;
                }
                Err(ErrorCode::NoEntry) => continue,
                Err(code) => return Err(error(code)),
            };
            if is_hidden(&name) {
                continue;
            }
            match self.look(&name) {
                Ok(attributes) => batch.push(Entry { name: name.into_bytes(), attributes }),
                Err(StorageError::Denied) => return Err(StorageError::Denied),
                Err(error) => log::debug!("left out of a listing: {}: {error:?}", name.escape_debug()),
            }
        }
        Ok(batch)
    }

    fn look(&self, name: &str) -> Result<Attributes, StorageError> {
        let own = attributes::at(&self.directory, PathFlags::empty(), name).map_err(error)?;
        if own.kind != Kind::Link {
            return Ok(own);
        }
        // A link may lead out of the directory and stay in the volume, so it is followed from the root.
        let path = self.path.child(name.as_bytes()).map_err(|_| StorageError::BadName)?;
        self.volume.follow(Path::new(&path)?, own)
    }
}

/// Entries of one batch: other sessions have their turn in between.
const BATCH: usize = 128;
