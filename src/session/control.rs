//! The session's end of the control connection: lines in, replies out.

use std::collections::VecDeque;
use std::future::ready;
use std::pin::pin;

use super::names::Names;
use super::race::race;
use crate::env::{Ending, Env, Received};
use crate::proto::line::{Line, Lines};
use crate::proto::reply::Reply;

/// What comes next from the client.
pub(super) enum Incoming {
    Line(Line),
    /// The client is gone.
    Closed,
    Ending(Ending),
}

/// Lines in, replies out. Both are kept here, so that waiting for either can be cancelled.
pub(super) struct Control<'e, E> {
    env: &'e E,
    /// In which pathnames are said.
    pub(super) names: Names,
    lines: Lines,
    /// Lines that came during a transfer and wait for its end.
    deferred: VecDeque<Line>,
    replies: Vec<u8>,
}

impl<'e, E: Env> Control<'e, E> {
    pub(super) fn new(env: &'e E) -> Self {
        Self { env, names: Names::default(), lines: Lines::default(), deferred: VecDeque::new(), replies: Vec::new() }
    }

    /// Queue a reply. It leaves before the session next waits for the client, together with others.
    pub(super) fn say(&mut self, reply: &Reply) {
        reply.write(|line| self.names.to_wire(self.env, line.into()), &mut self.replies);
    }

    /// Send what is queued. Cancel safe. A client that is gone is noticed when it is read from.
    pub(super) async fn flush(&mut self) {
        if !self.replies.is_empty() && self.env.send(&mut self.replies).await.is_err() {
            self.replies.clear();
        }
    }

    /// The same, without waiting for a client that does not listen.
    pub(super) async fn flush_now(&mut self) {
        race(pin!(self.flush()), ready(())).await;
    }

    /// The next line: a deferred one first. Cancel safe.
    pub(super) async fn next(&mut self) -> Incoming {
        self.relieve().await;
        match self.deferred.pop_front() {
            Some(line) => Incoming::Line(line),
            None => self.next_new().await,
        }
    }

    /// The next line that was not deferred. Cancel safe.
    pub(super) async fn next_new(&mut self) -> Incoming {
        self.relieve().await;
        loop {
            if let Some(line) = self.lines.next_line() {
                return Incoming::Line(line);
            }
            self.flush().await;
            match self.env.receive(self.lines.input()).await {
                Received::Octets => {}
                Received::Closed => return Incoming::Closed,
                Received::Ending(ending) => return Incoming::Ending(ending),
            }
        }
    }

    /// Forget everything that the client has sent so far.
    pub(super) fn forget_input(&mut self) {
        self.lines = Lines::default();
        self.deferred.clear();
    }

    /// Whether the client has closed the connection, as far as can be known without waiting.
    pub(super) fn is_closed(&mut self) -> bool {
        self.env.try_receive(self.lines.input()) == Some(Received::Closed)
    }

    /// Keep a line for after the transfer.
    pub(super) fn defer(&mut self, line: Line) {
        self.deferred.push_back(line);
    }

    /// Whether lines wait for the end of the transfer.
    pub(super) fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// Whether as many lines wait as may; the client's further lines then stay in the network.
    pub(super) fn is_full(&self) -> bool {
        self.deferred.len() >= MAX_DEFERRED
    }

    /// A client that sends commands and reads no replies waits until it does.
    pub(super) async fn relieve(&mut self) {
        if self.replies.len() > MAX_REPLIES {
            self.flush().await;
        }
    }
}

/// Lines that wait for the end of a transfer: a client that pipelines a directory's worth of commands,
/// at [`MAX_LINE`](crate::proto::line::MAX_LINE) octets each at the worst.
const MAX_DEFERRED: usize = 64;

/// Octets of replies that are sent before more commands are looked at.
const MAX_REPLIES: usize = 16 * 1024;
