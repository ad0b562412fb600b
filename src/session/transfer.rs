//! The rules that every transfer keeps (RFC 959 §4.1.3), and everything else that takes long.
//!
//! A command goes through the same steps whatever it moves: what is wrong with the file is said first;
//! then 150; then the data connection is opened (425) and octets move (426, 451), while the control
//! connection is read; then 226.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::Session;
use super::control::Incoming;
use super::error::{broken, malformed, not_opened, while_transferring};
use super::race::{Either, race};
use super::state::Start;
use crate::env::{DataError, Direction, Env, Event, Outcome, StorageError, TransferError};
use crate::proto::command::{self, Command};
use crate::proto::line::Line;
use crate::proto::path::VPath;
use crate::proto::reply::{Code, Reply};
use crate::proto::wire::Malformed;

/// Why a transfer did not end well.
pub(super) enum Failure {
    /// There was no data connection.
    NotOpened(DataError),
    Data(DataError),
    Storage(StorageError),
    /// What came is not of the form that was agreed on.
    Malformed(Malformed),
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

impl From<Malformed> for Failure {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

/// Where a data connection comes from, and whether it is to be protected.
pub(super) struct DataPort<E: Env> {
    port: E::Port,
    protected: bool,
}

impl<E: Env> DataPort<E> {
    pub(super) fn is_protected(&self) -> bool {
        self.protected
    }

    async fn open(&self, env: &E) -> Result<E::Data, Failure> {
        env.open_data(&self.port, self.protected).await.map_err(Failure::NotOpened)
    }
}

/// What a transfer command moves, and over what.
pub(super) struct Task<'c, E: Env> {
    pub(super) direction: Direction,
    pub(super) path: &'c VPath,
    pub(super) port: DataPort<E>,
    /// The file that is stored, which is seen when all has ended well.
    pub(super) stored: Option<&'c E::File>,
}

/// How far a transfer is. It belongs to the command, so that STAT can look at it meanwhile.
pub(super) struct Progress<E: Env> {
    /// Octets that went through this session.
    converted: Cell<u64>,
    /// The transfer that the host makes.
    transfer: OnceCell<E::Transfer>,
    /// Octets that it has moved, once it has ended well: the host need not be asked again.
    transferred: Cell<Option<u64>>,
    /// What the transfer has to say to the client.
    replies: RefCell<VecDeque<Reply>>,
}

impl<E: Env> Progress<E> {
    pub(super) fn new() -> Self {
        Self {
            converted: Cell::new(0),
            transfer: OnceCell::new(),
            transferred: Cell::new(None),
            replies: RefCell::default(),
        }
    }

    /// A piece went through this session, which now looks after the client: a fast one, or a fast disk,
    /// would never make it wait.
    pub(super) async fn moved(&self, env: &E, octets: usize) {
        self.converted.set(self.converted.get() + octets as u64);
        env.yield_now().await;
    }

    /// Wait for the end of the transfer that the host has begun.
    pub(super) async fn transfer(&self, env: &E, begun: E::Transfer) -> Result<(), Failure> {
        let transfer = self.transfer.get_or_init(|| begun);
        self.transferred.set(Some(env.end_of_transfer(transfer).await?));
        Ok(())
    }

    /// Say something while the transfer goes on, which a client may miss that does not listen.
    pub(super) fn say(&self, reply: Reply) {
        let mut replies = self.replies.borrow_mut();
        if replies.len() < MAX_REPLIES {
            replies.push_back(reply);
        }
    }

    /// The next thing to be said. Cancel safe.
    async fn reply(&self) -> Reply {
        poll_fn(|_| self.replies.borrow_mut().pop_front().map_or(Poll::Pending, Poll::Ready)).await
    }

    fn octets(&self, env: &E) -> u64 {
        let now = || self.transfer.get().map_or(0, |transfer| env.transferred(transfer));
        self.converted.get() + self.transferred.get().unwrap_or_else(now)
    }
}

impl<E: Env> Session<'_, E> {
    /// The data port and what REST or RANG said, which serve one transfer command, whatever becomes of it.
    pub(super) fn take_transfer_parameters(&mut self) -> Result<(DataPort<E>, Start), Reply> {
        let start = std::mem::take(&mut self.parameters.start);
        let port = self.parameters.port.take();
        let protected = self.data_protection()?;
        match port {
            Some(port) => Ok((DataPort { port, protected }, start)),
            None => Err(Reply::new(Code::CannotOpenData, "Use PORT, PASV, EPRT or EPSV first")),
        }
    }

    /// Say 150, open the data connection, do the work over it, all while listening to the client, and turn the outcome
    /// into a reply and an event.
    pub(super) async fn attend(
        &mut self,
        task: Task<'_, E>,
        opening: impl AsRef<[u8]>,
        work: impl AsyncFnOnce(E::Data) -> Result<(), Failure>,
        progress: &Progress<E>,
    ) -> Result<Reply, Reply> {
        let Task { direction, path, port, stored } = task;
        self.control.say(&Reply::new(Code::AboutToTransfer, opening));
        let mut result = match self.attend_work(port.open(self.env), progress).await {
            Ok(data) => {
                if stored.is_some() {
                    // The client sends nothing before it has this. What it receives, and 226, can come with it.
                    self.control.flush_now().await;
                }
                self.attend_work(work(data), progress).await
            }
            Err(failure) => Err(failure),
        };
        // In stream mode the end of a file and the end of a client look alike (RFC 959 §3.4.1). A process that is
        // killed closes both connections, one a moment after the other.
        if result.is_ok() && direction != Direction::Retrieve {
            self.env.yield_now().await;
            if self.control.is_closed() {
                result = Err(Failure::ClientGone);
            }
        }
        if let (Ok(()), Some(file)) = (&result, stored) {
            result = self.env.finish_file(file).await.map_err(Failure::Storage);
        }
        if let (Err(Failure::Malformed(error)), Some(file)) = (&result, stored)
            && *error != Malformed::Truncated
        {
            self.env.discard(file);
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
            Err(Failure::Malformed(error)) => Err(malformed(error)),
            Err(Failure::Aborted) => {
                self.control.say(&Reply::new(Code::TransferAborted, "Transfer aborted"));
                Ok(Reply::new(Code::AbortComplete, "Abort successful"))
            }
            Err(Failure::ClientGone) => Err(broken(DataError::Broken)),
        }
    }

    /// Do what takes long and needs no data connection, while listening to the client.
    pub(super) async fn attend_command<T>(
        &mut self,
        work: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, Reply> {
        let work = async { work.await.map_err(Failure::Storage) };
        match self.attend_work(work, &Progress::new()).await {
            Ok(done) => Ok(done),
            Err(Failure::Storage(error)) => Err(error.into()),
            Err(Failure::Aborted) => {
                self.control.say(&Reply::new(Code::LocalError, "Aborted"));
                Err(Reply::new(Code::AbortComplete, "Abort successful"))
            }
            Err(_) => Err(broken(DataError::Broken)),
        }
    }

    /// Do the work while listening to the client. Whatever ends early drops the work, and so closes the
    /// data connection.
    async fn attend_work<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
        progress: &Progress<E>,
    ) -> Result<T, Failure> {
        let mut work = pin!(work);
        loop {
            let control = &mut self.control;
            let heard = async {
                control.relieve().await;
                if control.is_full() {
                    // What the client sends now stays in the network until the transfer has ended.
                    control.flush().await;
                    return Either::First(progress.reply().await);
                }
                race(pin!(progress.reply()), control.next_new()).await
            };
            match race(work.as_mut(), heard).await {
                Either::First(result) => {
                    progress.replies.borrow_mut().drain(..).for_each(|reply| self.control.say(&reply));
                    return result;
                }
                Either::Second(Either::First(reply)) => self.control.say(&reply),
                Either::Second(Either::Second(incoming)) => self.hear(incoming, progress)?,
            }
        }
    }

    /// What the client, or the host, says during a transfer.
    fn hear(&mut self, incoming: Incoming, progress: &Progress<E>) -> Result<(), Failure> {
        match incoming {
            Incoming::Closed => return Err(Failure::ClientGone),
            // The host wants to stop: the transfer may end first, for as long as the host lets it.
            Incoming::Ending(ending) => self.ending = Some(ending),
            Incoming::Line(line) => match self.at_once(&line) {
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
        Ok(())
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

/// Replies of a transfer that wait for a client that does not listen: 110s, which it can do without.
const MAX_REPLIES: usize = 64;
