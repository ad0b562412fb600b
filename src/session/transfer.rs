//! Transfers (RFC 959 §4.1.3): RETR, STOR, APPE, STOU, and the rules that every transfer keeps.
//!
//! A command goes through the same steps whatever it moves: what is wrong with the file is said first;
//! then 150; then the data connection is opened (425) and octets move (426, 451), while the control
//! connection is read; then 226.

use std::cell::{Cell, OnceCell};
use std::pin::pin;

use super::Session;
use super::control::Incoming;
use super::error::{broken, not_opened, to_be_written, while_transferring};
use super::race::{Either, race};
use crate::env::{Access, DataError, Direction, Env, Event, Outcome, StorageError, TransferError};
use crate::proto::ascii::{self, FromWire};
use crate::proto::command::{self, Command, Type};
use crate::proto::line::Line;
use crate::proto::path::VPath;
use crate::proto::reply::{Code, Reply};

/// Why a transfer did not end well.
pub(super) enum Failure {
    /// There was no data connection.
    NotOpened(DataError),
    Data(DataError),
    Storage(StorageError),
    /// ABOR.
    Aborted,
    /// The control connection was closed (RFC 959 §3.2: so is the data connection).
    ClientGone,
}

impl From<TransferError> for Failure {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::Data(error) => Self::Data(error),
            TransferError::Storage(error) => Self::Storage(error),
        }
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// How far a transfer is. It belongs to the command, so that STAT can look at it meanwhile.
pub(super) struct Progress<E: Env> {
    /// Octets that went through this session.
    converted: Cell<u64>,
    /// The transfer that the host makes.
    transfer: OnceCell<E::Transfer>,
}

impl<E: Env> Progress<E> {
    pub(super) fn new() -> Self {
        Self { converted: Cell::new(0), transfer: OnceCell::new() }
    }

    /// A piece went through this session, which now looks after the client: a fast one, or a fast disk,
    /// would never make it wait.
    pub(super) async fn moved(&self, env: &E, octets: usize) {
        self.converted.set(self.converted.get() + octets as u64);
        env.yield_now().await;
    }

    fn octets(&self, env: &E) -> u64 {
        self.converted.get() + self.transfer.get().map_or(0, |transfer| env.transferred(transfer))
    }
}

impl<E: Env> Session<'_, E> {
    pub(super) async fn retrieve(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let (port, offset) = self.take_transfer_parameters()?;
        let (env, user) = (self.env, self.user()?);
        let path = user.directory.join(name)?;
        let file = env.open(&user.volume, &path, Access::Read).await?;
        let size = env.size(&file).await?;
        let representation = self.parameters.representation;
        let opening = match representation {
            Type::Image if offset > size => return Err(StorageError::BadOffset.into()),
            // curl and wget read the size here.
            Type::Image => format!("Opening data connection ({} bytes)", size - offset),
            Type::Ascii => "Opening data connection".to_owned(),
        };
        let progress = Progress::new();
        let work = async {
            let data = env.open_data(&port).await.map_err(Failure::NotOpened)?;
            match representation {
                Type::Image => {
                    let transfer = progress.transfer.get_or_init(|| env.send_file(&data, &file, offset));
                    env.end_of_transfer(transfer).await?;
                }
                Type::Ascii => send_converted(env, &data, &file, offset, &progress).await?,
            }
            Ok(env.finish_data(data).await?)
        };
        self.attend(Direction::Retrieve, &path, opening, work, &progress).await
    }

    pub(super) async fn store(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let (port, offset) = self.take_transfer_parameters()?;
        if offset > 0 && self.parameters.representation == Type::Ascii {
            // The offset counts octets of the wire, which the stored file no longer has.
            return Err(Reply::new(Code::BadRestart, "REST before STOR needs TYPE I"));
        }
        self.receive(port, name, Access::Write(offset), Direction::Store).await
    }

    pub(super) async fn append(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let (port, _) = self.take_transfer_parameters()?;
        self.receive(port, name, Access::Append, Direction::Append).await
    }

    async fn receive(
        &mut self,
        port: E::Port,
        name: &[u8],
        access: Access,
        direction: Direction,
    ) -> Result<Reply, Reply> {
        let user = self.user()?;
        let path = user.directory.join(name).map_err(|_| to_be_written(StorageError::BadName))?;
        let file = self.env.open(&user.volume, &path, access).await.map_err(to_be_written)?;
        self.receive_into(port, &path, &file, direction, "Ready for the file").await
    }

    /// STOU: the name given, or a name of our own, with a number behind it if it is taken. The reply tells
    /// it (RFC 1123 §4.1.2.9).
    pub(super) async fn store_unique(&mut self, name: Option<&[u8]>) -> Result<Reply, Reply> {
        let (port, _) = self.take_transfer_parameters()?;
        let user = self.user()?;
        let base =
            user.directory.join(name.unwrap_or(UNIQUE_NAME)).map_err(|_| to_be_written(StorageError::BadName))?;
        let mut path = base.clone();
        for number in 1..=MAX_UNIQUE {
            match self.env.open(&user.volume, &path, Access::Create).await {
                Ok(file) => {
                    let opening = [b"FILE: ", path.name()].concat();
                    return self.receive_into(port, &path, &file, Direction::Store, opening).await;
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
        port: E::Port,
        path: &VPath,
        file: &E::File,
        direction: Direction,
        opening: impl AsRef<[u8]>,
    ) -> Result<Reply, Reply> {
        let env = self.env;
        let representation = self.parameters.representation;
        let progress = Progress::new();
        let work = async {
            let data = env.open_data(&port).await.map_err(Failure::NotOpened)?;
            match representation {
                Type::Image => {
                    let transfer = progress.transfer.get_or_init(|| env.receive_file(&data, file));
                    env.end_of_transfer(transfer).await?;
                }
                Type::Ascii => receive_converted(env, &data, file, &progress).await?,
            }
            env.finish_file(file).await?;
            Ok(env.finish_data(data).await?)
        };
        self.attend(direction, path, opening, work, &progress).await
    }

    /// The data port and the restart offset, which serve one transfer command, whatever becomes of it.
    pub(super) fn take_transfer_parameters(&mut self) -> Result<(E::Port, u64), Reply> {
        let offset = std::mem::take(&mut self.parameters.restart);
        match self.parameters.port.take() {
            Some(port) => Ok((port, offset)),
            None => Err(Reply::new(Code::CannotOpenData, "Use PORT, PASV, EPRT or EPSV first")),
        }
    }

    /// Say 150, do the work while listening to the client, and turn its outcome into a reply and an event.
    pub(super) async fn attend(
        &mut self,
        direction: Direction,
        path: &VPath,
        opening: impl AsRef<[u8]>,
        work: impl Future<Output = Result<(), Failure>>,
        progress: &Progress<E>,
    ) -> Result<Reply, Reply> {
        self.control.say(&Reply::new(Code::AboutToTransfer, opening));
        let mut result = self.attend_work(work, progress).await;
        // In stream mode the end of a file and the end of a client look alike (RFC 959 §3.4.1).
        if result.is_ok() && direction != Direction::Retrieve && self.control.is_closed() {
            result = Err(Failure::ClientGone);
        }
        let outcome = match result {
            Ok(()) => Outcome::Complete,
            Err(Failure::Aborted | Failure::ClientGone) => Outcome::Aborted,
            Err(_) => Outcome::Failed,
        };
        self.env.record(Event::Transfer { direction, path, octets: progress.octets(self.env), outcome });
        match result {
            Ok(()) => Ok(Reply::new(Code::TransferComplete, "Transfer complete")),
            Err(Failure::NotOpened(error)) => Err(not_opened(error)),
            Err(Failure::Data(error)) => Err(broken(error)),
            Err(Failure::Storage(error)) => Err(while_transferring(error)),
            Err(Failure::Aborted) => {
                self.control.say(&Reply::new(Code::TransferAborted, "Transfer aborted"));
                Ok(Reply::new(Code::AbortComplete, "Abort successful"))
            }
            Err(Failure::ClientGone) => Err(broken(DataError::Broken)),
        }
    }

    /// Do the work while listening to the client. Whatever ends early drops the work, and so closes the
    /// data connection.
    async fn attend_work(
        &mut self,
        work: impl Future<Output = Result<(), Failure>>,
        progress: &Progress<E>,
    ) -> Result<(), Failure> {
        let mut work = pin!(work);
        loop {
            if self.control.is_full() {
                // What the client sends now stays in the network until the transfer has ended.
                return match race(work.as_mut(), self.control.flush()).await {
                    Either::First(result) => result,
                    Either::Second(()) => work.await,
                };
            }
            match race(work.as_mut(), self.control.next_new()).await {
                Either::First(result) => return result,
                Either::Second(Incoming::Closed) => return Err(Failure::ClientGone),
                // The host wants to stop: the transfer may end first, for as long as the host lets it.
                Either::Second(Incoming::Ending(ending)) => self.ending = Some(ending),
                Either::Second(Incoming::Line(line)) => match self.at_once(&line) {
                    Some(Command::Abor) => return Err(Failure::Aborted),
                    Some(Command::Stat(_)) => {
                        let moved = format!("Transfer in progress, {} bytes so far", progress.octets(self.env));
                        let lines = self.status_lines(&moved);
                        self.control.say(&Reply::lines(Code::SystemStatus, "FTP server status:", lines, "End"));
                    }
                    Some(_) => self.control.say(&Reply::new(Code::Done, "OK")),
                    None => self.control.defer(line),
                },
            }
        }
    }

    /// The command of a line, if the table allows it now. Behind a deferred line only ABOR is, so that
    /// replies keep the order of their commands.
    fn at_once(&self, line: &Line) -> Option<Command> {
        let Line::Complete(line) = line else { return None };
        let (row, argument) = command::split(line).ok()?;
        if !row.during_transfer || !argument.trim_ascii().is_empty() {
            return None;
        }
        let command = command::parse(row, argument).ok()?;
        (command == Command::Abor || !self.control.has_deferred()).then_some(command)
    }
}

/// RETR in TYPE A. The offset counts octets of the wire (RFC 3659 §5.1): they are made and dropped.
async fn send_converted<E: Env>(
    env: &E,
    data: &E::Data,
    file: &E::File,
    mut skip: u64,
    progress: &Progress<E>,
) -> Result<(), Failure> {
    let (mut offset, mut wire) = (0, Vec::new());
    loop {
        let octets = env.read(file, offset, PIECE).await?;
        if octets.is_empty() {
            return if skip > 0 { Err(StorageError::BadOffset.into()) } else { Ok(()) };
        }
        offset += octets.len() as u64;
        wire.clear();
        ascii::to_wire(&octets, &mut wire);
        let skipped = usize::try_from(skip).unwrap_or(usize::MAX).min(wire.len());
        skip -= skipped as u64;
        let rest = wire.get(skipped..).unwrap_or_default();
        if !rest.is_empty() {
            env.write_data(data, rest).await?;
        }
        progress.moved(env, rest.len()).await;
    }
}

/// STOR and APPE in TYPE A.
async fn receive_converted<E: Env>(
    env: &E,
    data: &E::Data,
    file: &E::File,
    progress: &Progress<E>,
) -> Result<(), Failure> {
    let (mut wire, mut local, mut from_wire) = (Vec::new(), Vec::new(), FromWire::default());
    loop {
        wire.clear();
        let more = env.read_data(data, &mut wire).await?;
        progress.moved(env, wire.len()).await;
        local.clear();
        from_wire.push(&wire, &mut local);
        if !more {
            from_wire.finish(&mut local);
        }
        if !local.is_empty() {
            env.write(file, &local).await?;
        }
        if !more {
            return Ok(());
        }
    }
}

/// The name that STOU makes up, without a number.
const UNIQUE_NAME: &[u8] = b"stou";

/// Names that STOU tries: each is a look into the directory.
const MAX_UNIQUE: u32 = 1000;

/// Octets that are read from a file at once for conversion: few calls for each MiB, little memory.
const PIECE: u32 = 64 * 1024;
