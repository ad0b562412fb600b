//! RETR (RFC 959 §4.1.3).

use super::Session;
use super::state::Start;
use super::transfer::{Failure, Progress, Task};
use crate::env::{Access, Direction, Env, StorageError};
use crate::proto::reply::{Code, Reply};
use crate::proto::wire::{Encoder, Format};

impl<E: Env> Session<'_, E> {
    pub(super) async fn retrieve(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let (port, start) = self.take_transfer_parameters()?;
        let (env, user, path) = (self.env, self.user()?, self.path(name)?);
        let file = env.open(&user.volume, &path, Access::Read).await?;
        let size = env.size(&file).await?;
        let (format, level) = (self.parameters.format, self.parameters.level);
        let part = Part::of(format, start, size)?;
        let opening = if format.is_plain() {
            // curl and wget read the size here.
            format!("Opening data connection ({} bytes)", part.length.min(size.saturating_sub(part.offset)))
        } else {
            "Opening data connection".to_owned()
        };
        let progress = Progress::new();
        let work = async |data| {
            if format.is_plain() {
                progress.transfer(env, env.send_file(&data, &file, part.offset, part.length)).await?;
            } else {
                let encoder = Encoder::new(format, level, part.skip);
                send_encoded(env, &data, &file, part.offset, encoder, &progress).await?;
            }
            Ok(env.finish_data(data).await?)
        };
        let task = Task { direction: Direction::Retrieve, path: &path, port, stored: None };
        self.attend(task, opening, work, &progress).await
    }
}

/// The part of a file that is sent.
struct Part {
    /// Octets of the file that are not read.
    offset: u64,
    /// Octets of the file that are.
    length: u64,
    /// Octets of the wire that are made and dropped (RFC 3659 §5.1).
    skip: u64,
}

impl Part {
    fn of(format: Format, start: Start, size: u64) -> Result<Self, Reply> {
        let whole = Self { offset: 0, length: u64::MAX, skip: 0 };
        match start {
            Start::Whole => Ok(whole),
            Start::At(offset) if format.counts_stored() && offset > size => Err(StorageError::BadOffset.into()),
            Start::At(offset) if format.counts_stored() => Ok(Self { offset, ..whole }),
            Start::At(skip) => Ok(Self { skip, ..whole }),
            // draft-bryan-ftp-range §4.3: nothing of what lies beyond the end.
            Start::Range(first, last) if format.is_plain() => {
                Ok(Self { offset: first.min(size), length: (last - first).saturating_add(1), skip: 0 })
            }
            Start::Range(..) => Err(Reply::new(Code::NotForThatParameter, "RANG is for TYPE I, STRU F and MODE S")),
        }
    }
}

/// Send a file whose octets change on their way.
async fn send_encoded<E: Env>(
    env: &E,
    data: &E::Data,
    file: &E::File,
    mut offset: u64,
    mut encoder: Encoder,
    progress: &Progress<E>,
) -> Result<(), Failure> {
    let (mut wire, mut marked) = (Vec::new(), offset);
    loop {
        let octets = env.read(file, offset, PIECE).await?;
        offset += octets.len() as u64;
        wire.clear();
        if octets.is_empty() {
            encoder.finish(&mut wire);
        } else {
            encoder.push(&octets, &mut wire);
        }
        if offset - marked >= MARK_EVERY && encoder.at_boundary() {
            encoder.mark(offset.to_string().as_bytes(), &mut wire);
            marked = offset;
        }
        if !wire.is_empty() {
            env.write_data(data, &wire).await?;
        }
        progress.moved(env, wire.len()).await;
        if octets.is_empty() {
            return if encoder.still_to_skip() > 0 { Err(StorageError::BadOffset.into()) } else { Ok(()) };
        }
    }
}

/// Octets that are read from a file at once for conversion: few calls for each MiB, little memory.
const PIECE: u32 = 64 * 1024;

/// Octets of the file between two restart markers at least (RFC 959 §3.5): little to send again.
const MARK_EVERY: u64 = 1024 * 1024;
