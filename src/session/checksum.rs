//! Checksums: HASH (draft-bryan-ftpext-hash), XCRC, XMD5, XSHA and their kin, MD5 (draft-twine-ftpmd5).

use super::Session;
use super::state::Start;
use crate::env::{Access, Env, StorageError};
use crate::proto::arguments::name_and_range;
use crate::proto::checksum::{Algorithm, hex};
use crate::proto::reply::{Code, Reply};

impl<E: Env> Session<'_, E> {
    /// HASH, of the range that RANG has given.
    pub(super) async fn hash(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let algorithm = self.parameters.algorithm;
        let (first, last) = match self.parameters.start {
            Start::Range(first, last) => (first, last),
            Start::Whole | Start::At(_) => (0, u64::MAX),
        };
        if let Start::Range(..) = self.parameters.start {
            self.parameters.start = Start::Whole;
        }
        let (checksum, size) = self.checksum_of(algorithm, name, first, last.saturating_add(1)).await?;
        if first > 0 && first >= size {
            return Err(StorageError::BadOffset.into());
        }
        // Both ends are part of it, so that nothing has no range of its own.
        let last = last.min(size.saturating_sub(1));
        let mut text = format!("{} {first}-{last} {checksum} ", algorithm.name()).into_bytes();
        text.extend_from_slice(name);
        Ok(Reply::new(Code::FileStatus, text))
    }

    /// `XCRC pathname [start [end]]`: the checksum alone, of the octets from start up to end. A pathname with
    /// spaces may be in quotes; without these, it is the whole argument if there is such a file.
    pub(super) async fn checksum(&mut self, algorithm: Algorithm, argument: &[u8]) -> Result<Reply, Reply> {
        let is_name = match self.path(argument) {
            Ok(path) => self.env.stat(&self.user()?.volume, &path).await.is_ok(),
            Err(_) => false,
        };
        let (name, start, end) = match name_and_range(argument) {
            Some(ranged) if !is_name => ranged,
            _ => (argument.to_vec(), 0, u64::MAX),
        };
        if start > end {
            return Err(Reply::new(Code::ArgumentError, "The end is before the start"));
        }
        let (checksum, _) = self.checksum_of(algorithm, &name, start, end).await?;
        Ok(Reply::new(Code::FileActionDone, checksum))
    }

    /// MD5: `251 pathname checksum`.
    pub(super) async fn md5(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let (checksum, _) = self.checksum_of(Algorithm::Md5, name, 0, u64::MAX).await?;
        let mut text = name.to_vec();
        text.extend(format!(" {checksum}").into_bytes());
        Ok(Reply::new(Code::Md5Is, text))
    }

    /// The checksum of the octets from `start` up to `end`, and the size of the file.
    async fn checksum_of(
        &mut self,
        algorithm: Algorithm,
        name: &[u8],
        start: u64,
        end: u64,
    ) -> Result<(String, u64), Reply> {
        let (env, user, path) = (self.env, self.user()?, self.path(name)?);
        let file = env.open(&user.volume, &path, Access::Read).await.map_err(|error| match error {
            // draft-bryan-ftpext-hash §3.5: 553 for a directory.
            StorageError::NotFile => Reply::new(Code::NameNotAllowed, "Not a plain file"),
            error => error.into(),
        })?;
        let size = env.size(&file).await?;
        let work = env.checksum(&file, algorithm, start, end.saturating_sub(start));
        let checksum = self.attend_command(async { env.end_of_work(&work).await }).await?;
        Ok((hex(&checksum), size))
    }
}
