//! When a session must end: the time limits that the host keeps, whatever the guest does.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::bindings::ftpd::server::control::Ending;
use crate::config::Limits;

/// What a session did last, and whether it is over. Shared by its sockets and its watch.
pub(crate) struct Activity {
    started: Instant,
    /// Milliseconds from `started` to the last octet moved.
    last: AtomicU64,
    logged_in: AtomicBool,
    /// Data connections that are open or being opened.
    busy: AtomicUsize,
    ending: Mutex<Option<Ending>>,
    ended: Notify,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            last: AtomicU64::new(0),
            logged_in: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            ending: Mutex::new(None),
            ended: Notify::new(),
        }
    }

    /// An octet moved.
    pub(crate) fn touch(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(elapsed, Ordering::Relaxed);
    }

    /// When the last octet moved.
    pub(crate) fn last(&self) -> Instant {
        self.started + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    /// A data connection is being opened.
    pub(crate) fn begin(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }

    /// It is closed, or was not opened.
    pub(crate) fn finish(&self) {
        self.touch();
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn logged_in(&self) {
        self.logged_in.store(true, Ordering::Relaxed);
    }

    /// Tell the guest to end. The first reason stays.
    pub(crate) fn end(&self, ending: Ending) {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(ending);
        self.ended.notify_waiters();
    }

    pub(crate) fn ending(&self) -> Option<Ending> {
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wait until the guest has been told.
    pub(crate) async fn ended(&self) {
        loop {
            let ended = self.ended.notified();
            if self.ending().is_some() {
                return;
            }
            ended.await;
        }
    }

    /// Tell the guest when its time is up, and return when it must be gone.
    pub(crate) async fn watch(&self, limits: &Limits, shutdown: &mut watch::Receiver<bool>) {
        while self.ending().is_none() {
            let (due, ending) = self.due(limits);
            tokio::select! {
                () = sleep_until(due) => {
                    if self.due(limits).0 <= Instant::now() {
                        self.end(ending);
                    }
                }
                _ = shutdown.wait_for(|stop| *stop) => self.end(Ending::Shutdown),
                () = self.ended() => {}
            }
        }
        sleep(limits.grace).await;
    }

    /// The next limit that would be reached if nothing happened.
    fn due(&self, limits: &Limits) -> (Instant, Ending) {
        // What transfers, or is about to, has time limits of its own.
        let busy = self.busy.load(Ordering::Relaxed) > 0;
        let idle = if busy { Instant::now() } else { self.last() } + limits.idle;
        let login = self.started + limits.login;
        if !self.logged_in.load(Ordering::Relaxed) && login < idle {
            (login, Ending::LoginTimeout)
        } else {
            (idle, Ending::Idle)
        }
    }
}
