//! One client's session, and what it may reach: the host of `session.wasm`, so to speak, in the same program.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use log::{info, warn};
use wasi_ftpd::env::{DataError, Denial, Ending, Grant};
use wasi_ftpd::session::serve;

use crate::activity::{Activity, Busy};
use crate::admission::Admission;
use crate::clock::{before, sleep_until, wake_at};
use crate::connection::Connection;
use crate::data::Data;
use crate::limits::{DATA_PORTS, FAILURE_DELAY, GRACE, LOGIN_FAILURES, share};
use crate::port::{Passive, Port};
use crate::report::Printable;
use crate::server::Shared;
use crate::storage::Volume;

/// One client's session.
pub(crate) struct Session {
    pub(crate) shared: Rc<Shared>,
    pub(crate) control: Connection,
    pub(crate) activity: Rc<Activity>,
    /// The session knows that it must end.
    pub(crate) told: Cell<bool>,
    /// Who has logged in.
    pub(crate) user: RefCell<Option<Vec<u8>>>,
    failures: Cell<u32>,
    /// The passive port, which strangers may come to at any time.
    passive: RefCell<Weak<Passive>>,
    /// Since when a data connection is being opened.
    opening: Cell<Option<Instant>>,
    /// Counts data ports and connections.
    ports: Rc<()>,
    admission: Rc<Admission>,
}

impl Session {
    pub(crate) fn new(shared: Rc<Shared>, control: Connection, admission: Rc<Admission>) -> Self {
        let activity = Activity::new(&shared.options.limits);
        Self {
            shared,
            control,
            activity,
            told: Cell::new(false),
            user: RefCell::new(None),
            failures: Cell::new(0),
            passive: RefCell::default(),
            opening: Cell::new(None),
            ports: Rc::default(),
            admission,
        }
    }

    /// Serve the client to the end of the session.
    pub(crate) async fn run(self) {
        info!("connected");
        {
            let mut served = pin!(serve(&self));
            poll_fn(|context| {
                if let Some(passive) = self.passive.borrow().upgrade() {
                    passive.settle();
                }
                if self.activity.look() {
                    return served.as_mut().poll(context);
                }
                warn!("the session did not end when told to");
                Poll::Ready(())
            })
            .await;
        }
        self.close().await;
        info!("disconnected");
    }

    /// Let the last reply arrive: unread octets would make the end a reset.
    async fn close(&self) {
        let _ = before(Instant::now() + GRACE, self.control.output.flush()).await;
        let mut unread = Vec::new();
        for _ in 0..MAX_UNREAD {
            unread.clear();
            if !matches!(self.control.input.try_read(&mut unread, UNREAD_PIECE), Ok(Some(true))) {
                break;
            }
        }
        if self.control.output.is_idle() {
            self.control.end();
        }
    }

    /// Check a name and password.
    pub(crate) async fn log_in(&self, name: &[u8], password: &[u8]) -> Result<Grant<Volume>, Denial> {
        if self.failures.get() >= LOGIN_FAILURES {
            return Err(Denial::Denied);
        }
        let earliest = Instant::now() + FAILURE_DELAY;
        match self.shared.accounts.check(name, password).await {
            Ok(identity) => {
                self.activity.logged_in();
                info!("{}: logged in", Printable(&identity.name));
                self.user.replace(Some(identity.name));
                let (root, locks) = (self.shared.root.clone(), self.shared.locks.clone());
                let volume = Volume::new(root, identity.permissions, locks);
                let charset = self.shared.options.charset.clone();
                Ok(Grant { volume, start: b"/".to_vec(), message: None, charset })
            }
            Err(denial) => {
                warn!("{}: log-in failed", Printable(name));
                self.failures.set(self.failures.get() + 1);
                sleep_until(earliest).await;
                if self.failures.get() >= LOGIN_FAILURES {
                    self.activity.end(Ending::LoginFailures);
                }
                Err(denial)
            }
        }
    }

    /// A port of the session's, made with a share of those that it may have.
    pub(crate) fn new_passive(&self) -> Result<Port, DataError> {
        let share = share(&self.ports, DATA_PORTS).ok_or(DataError::NoPort)?;
        let (port, passive) = Port::passive(&self.shared.options, self.control.local, self.control.remote, share)?;
        self.passive.replace(Rc::downgrade(&passive));
        Ok(port)
    }

    /// The same, of the client's.
    pub(crate) fn new_active(&self, to: SocketAddr) -> Result<Port, DataError> {
        let share = share(&self.ports, DATA_PORTS).ok_or(DataError::NoPort)?;
        Port::active(&self.shared.options, self.control.local, self.control.remote, to, share)
    }

    /// Hold replies back for a moment while a data connection is being opened. Nagle's algorithm, which WASI cannot
    /// turn off, lets no second reply leave before the client has acknowledged the first, for which many take 40 ms:
    /// 150 and 226 of a small file must go together.
    pub(crate) async fn hold_replies(&self) {
        poll_fn(|_| match self.opening.get() {
            Some(since) if since.elapsed() < HOLD => {
                wake_at(since + HOLD);
                Poll::Pending
            }
            _ => Poll::Ready(()),
        })
        .await;
    }

    /// Open the data connection.
    pub(crate) async fn open(&self, port: &Port) -> Result<Data, DataError> {
        let _busy = Busy::new(&self.activity);
        self.opening.set(Some(Instant::now()));
        let opened = port.open().await;
        self.opening.set(None);
        let stream = opened?;
        // A new connection takes octets, which the runtime learns some microseconds later.
        stream.output.block();
        let (tasks, share) = (self.shared.tasks.clone(), Some(port.share.clone()));
        let connection = Connection::new(stream, tasks, self.admission.clone(), share);
        Ok(Data::new(connection, self.shared.options.limits.stall, &self.activity))
    }
}

/// How long replies are held back: longer than a client on the same network takes to connect.
const HOLD: Duration = Duration::from_millis(2);

/// Pieces of unread octets that are taken before closing: a client that sends on without end is cut off.
const MAX_UNREAD: usize = 16;
const UNREAD_PIECE: u64 = 4 * 1024;
