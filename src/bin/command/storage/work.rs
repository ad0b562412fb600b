//! Something that takes time: a checksum, a copy.

use wasi_ftpd::env::StorageError;
use wasi_ftpd::proto::checksum::{Algorithm, Checksum};
use wasi_ftpd::wasi::wait::yield_now;

use super::File;

/// Something that takes time. It goes on while its session waits for it, piece by piece.
pub(crate) enum Work {
    /// The checksum of up to `length` octets from `offset`.
    Checksum { file: File, algorithm: Algorithm, offset: u64, length: u64 },
    /// All that `source` has, behind what was written into `target`.
    Copy { source: File, target: File },
}

impl Work {
    /// Do it: the checksum, or nothing. `touch` is called after each piece.
    pub(crate) async fn finish(&self, touch: impl Fn()) -> Result<Vec<u8>, StorageError> {
        match self {
            Self::Checksum { file, algorithm, offset, length } => {
                let mut checksum = Checksum::new(*algorithm);
                let (mut at, end) = (*offset, offset.saturating_add(*length).min(i64::MAX as u64));
                loop {
                    let octets = file.read(at, end.saturating_sub(at).min(PIECE))?;
                    if octets.is_empty() {
                        return Ok(checksum.finish());
                    }
                    at += octets.len() as u64;
                    checksum.update(&octets);
                    touch();
                    yield_now().await;
                }
            }
            Self::Copy { source, target } => {
                if target.would_cut(source) {
                    return Err(StorageError::BadName);
                }
                // A file that is appended to itself grows while it is read.
                let (mut at, end) = (0, source.size()?);
                target.write(b"")?;
                while at < end {
                    let octets = source.read(at, (end - at).min(PIECE))?;
                    if octets.is_empty() {
                        return Err(StorageError::Io);
                    }
                    at += octets.len() as u64;
                    target.write(&octets)?;
                    touch();
                    yield_now().await;
                }
                Ok(Vec::new())
            }
        }
    }
}

/// Octets of a piece: what the runtime reads at once.
const PIECE: u64 = 64 * 1024;
