//! When a session must end.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use wasi_ftpd::env::Ending;

use crate::clock::wake_at;
use crate::limits::{GRACE, Limits};

/// What a session did last, and whether it is over.
pub(crate) struct Activity {
    started: Instant,
    /// When something last moved.
    last: Cell<Instant>,
    logged_in: Cell<bool>,
    /// Data connections that are open or being opened.
    busy: Cell<usize>,
    /// How long the client may say nothing: now, and at most.
    idle: Cell<Duration>,
    most_idle: Duration,
    login: Duration,
    /// Why it must end, and since when.
    ending: Cell<Option<(Ending, Instant)>>,
}

impl Activity {
    pub(crate) fn new(limits: &Limits) -> Rc<Self> {
        let now = Instant::now();
        Rc::new(Self {
            started: now,
            last: Cell::new(now),
            logged_in: Cell::new(false),
            busy: Cell::new(0),
            idle: Cell::new(limits.idle),
            most_idle: limits.idle,
            login: limits.login,
            ending: Cell::new(None),
        })
    }

    /// Something moved.
    pub(crate) fn touch(&self) {
        self.last.set(Instant::now());
    }

    pub(crate) fn logged_in(&self) {
        self.logged_in.set(true);
    }

    /// Seconds that the client may say nothing: now, and at most.
    pub(crate) fn idle_limit(&self) -> (u32, u32) {
        let seconds = |limit: Duration| u32::try_from(limit.as_secs()).unwrap_or(u32::MAX);
        (seconds(self.idle.get()), seconds(self.most_idle))
    }

    /// Set it, within the limits and to a second at least.
    pub(crate) fn set_idle_limit(&self, seconds: u32) {
        self.idle.set(Duration::from_secs(seconds.max(1).into()).min(self.most_idle));
    }

    /// The session must end. The first reason stays.
    pub(crate) fn end(&self, ending: Ending) {
        if self.ending.get().is_none() {
            self.ending.set(Some((ending, Instant::now())));
        }
    }

    /// Why it must.
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.ending.get().map(|(ending, _)| ending)
    }

    /// See whether its time is up; false if it has not ended although it had to. The future that is being polled
    /// will be polled again when there may be another answer.
    pub(crate) fn look(&self) -> bool {
        let now = Instant::now();
        if self.ending.get().is_none() {
            let (due, ending) = self.due(now);
            if due > now {
                wake_at(due);
                return true;
            }
            self.end(ending);
        }
        let gone = self.ending.get().map_or(now, |(_, since)| since + GRACE);
        wake_at(gone);
        now < gone
    }

    /// The next limit that will be reached if nothing happens.
    fn due(&self, now: Instant) -> (Instant, Ending) {
        // What transfers, or is about to, has time limits of its own.
        let idle = if self.busy.get() > 0 { now } else { self.last.get() } + self.idle.get();
        let login = self.started + self.login;
        if !self.logged_in.get() && login < idle { (login, Ending::LoginTimeout) } else { (idle, Ending::Idle) }
    }
}

/// Keeps a session from being idle.
pub(crate) struct Busy(Rc<Activity>);

impl Busy {
    pub(crate) fn new(activity: &Rc<Activity>) -> Self {
        activity.busy.set(activity.busy.get() + 1);
        Self(activity.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.touch();
        self.0.busy.set(self.0.busy.get().saturating_sub(1));
    }
}
