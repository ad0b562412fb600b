//! STOR, APPE, STOU (RFC 959 §4.1.3).

use super::Session;
use super::error::to_be_written;
use super::state::Start;
use super::transfer::{DataPort, Failure, Progress, Task};
use crate::env::{Access, Direction, Env, StorageError};
use crate::proto::path::VPath;
use crate::proto::reply::{Code, Reply};
use crate::proto::wire::Decoder;

impl<E: Env> Session<'_, E> {
    pub(super) async fn store(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let (port, start) = self.take_transfer_parameters()?;
        let access = match start {
            Start::Whole => Access::Replace,
            Start::At(offset) => Access::Resume(self.stored_offset(offset)?),
            Start::Range(..) => return Err(no_range()),
        };
        let path = self.new_path(name)?;
        self.receive(port, path, access, Direction::Store).await
    }

    /// Where in the stored file a restart offset is.
    fn stored_offset(&self, offset: u64) -> Result<u64, Reply> {
        if self.parameters.format.counts_stored() {
            Ok(offset)
        } else {
            // The offset counts octets of the wire, which the stored file no longer has.
            Err(Reply::new(Code::BadRestart, "REST before STOR needs TYPE I and STRU F, or MODE B or C"))
        }
    }

    pub(super) async fn append(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let (port, start) = self.take_transfer_parameters()?;
        if let Start::Range(..) = start {
            return Err(no_range());
        }
        let path = self.new_path(name)?;
        self.not_a_resumed_replacement(&path).await?;
        self.receive(port, path, Access::Append, Direction::Append).await
    }

    /// APPE behind SIZE goes on with an upload, as curl has it. If one that was to replace this file was cut short,
    /// SIZE told that of the old file, and what comes now would be the end of another.
    async fn not_a_resumed_replacement(&self, path: &VPath) -> Result<(), Reply> {
        let user = self.user()?;
        if self.sized.as_ref() == Some(path)
            && self.env.stat(&user.volume, path).await.is_ok()
            && self.env.unfinished(&user.volume, path).await.is_ok()
        {
            return Err(Reply::new(Code::BadRestart, "An upload of this file was cut short; send all of it again"));
        }
        Ok(())
    }

    async fn receive(
        &mut self,
        port: DataPort<E>,
        path: VPath,
        access: Access,
        direction: Direction,
    ) -> Result<Reply, Reply> {
        let file = self.env.open(&self.user()?.volume, &path, access).await.map_err(to_be_written)?;
        let begin = match access {
            Access::Resume(offset) => offset,
            Access::Append => self.env.size(&file).await?,
            Access::Read | Access::Replace | Access::Create => 0,
        };
        self.receive_into(port, &path, &file, begin, direction, "Ready for the file").await
    }

    /// STOU: the name given, or a name of our own, with a number behind it if it is taken. The reply tells
    /// it (RFC 1123 §4.1.2.9).
    pub(super) async fn store_unique(&mut self, name: Option<&[u8]>) -> Result<Reply, Reply> {
        let (port, _) = self.take_transfer_parameters()?;
        let base = self.new_path(name.unwrap_or(UNIQUE_NAME))?;
        let mut path = base.clone();
        for number in 1..=MAX_UNIQUE {
            match self.env.open(&self.user()?.volume, &path, Access::Create).await {
                Ok(file) => {
                    let opening = [b"FILE: ", path.name()].concat();
                    return self.receive_into(port, &path, &file, 0, Direction::Store, opening).await;
                }
                Err(StorageError::Exists) => {
                    let mut next = base.name().to_vec();
                    next.extend(format!(".{number}").bytes());
                    path = base.parent().child(&next).map_err(|_| to_be_written(StorageError::BadName))?;
                }
                Err(error) => return Err(to_be_written(error)),
            }
        }
        Err(to_be_written(StorageError::Exists))
    }

    async fn receive_into(
        &mut self,
        port: DataPort<E>,
        path: &VPath,
        file: &E::File,
        begin: u64,
        direction: Direction,
        opening: impl AsRef<[u8]>,
    ) -> Result<Reply, Reply> {
        let (env, format) = (self.env, self.parameters.format);
        if let Some(size) = self.parameters.allocated.take() {
            env.reserve(file, size).await.map_err(to_be_written)?;
        }
        let progress = Progress::new();
        let protected = port.is_protected();
        let work = async |data| {
            if format.is_plain() {
                progress.transfer(env, env.receive_file(&data, file)).await?;
            } else {
                receive_encoded(env, &data, file, begin, protected, Decoder::new(format), &progress).await?;
            }
            Ok(env.finish_data(data).await?)
        };
        self.attend(Task { direction, path, port, stored: Some(file) }, opening, work, &progress).await
    }
}

fn no_range() -> Reply {
    Reply::new(Code::NotForThatParameter, "RANG is for RETR and HASH; use REST")
}

/// Receive a file whose octets change on their way, from the place `at` of what is stored.
async fn receive_encoded<E: Env>(
    env: &E,
    data: &E::Data,
    file: &E::File,
    mut at: u64,
    protected: bool,
    mut decoder: Decoder,
    progress: &Progress<E>,
) -> Result<(), Failure> {
    let (mut wire, mut stored) = (Vec::new(), Vec::new());
    loop {
        wire.clear();
        let more = env.read_data(data, &mut wire).await?;
        progress.moved(env, wire.len()).await;
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            let marker = decoder.push(&mut rest, &mut stored)?;
            at += stored.len() as u64;
            write_all(env, file, &mut stored).await?;
            if let Some(marker) = marker {
                // RFC 959 §4.1.3: the client's marker, and ours, by which it restarts.
                let text = [b"MARK ", &marker[..], format!(" = {at}").as_bytes()].concat();
                progress.say(Reply::new(Code::RestartMarker, text));
            }
            progress.moved(env, 0).await;
        }
        // Under TLS, the client says that it closes the connection, and that must be heard.
        if !more || !protected && decoder.need_not_close() {
            decoder.finish(&mut stored)?;
            return write_all(env, file, &mut stored).await;
        }
    }
}

async fn write_all<E: Env>(env: &E, file: &E::File, octets: &mut Vec<u8>) -> Result<(), Failure> {
    if !octets.is_empty() {
        env.write(file, octets).await?;
        octets.clear();
    }
    Ok(())
}

/// The name that STOU makes up, without a number.
const UNIQUE_NAME: &[u8] = b"stou";

/// Names that STOU tries: each is a look into the directory.
const MAX_UNIQUE: u32 = 1000;
