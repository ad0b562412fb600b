//! When a session must end: the time limits that the host keeps, whatever the guest does.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
    /// Data connections that are open or being opened, and works.
    busy: AtomicUsize,
    /// Seconds that the client may say nothing, as the client wishes; 0: as the limits say.
    idle: AtomicU32,
    /// They were changed.
    changed: Notify,
    ending: Mutex<Option<Ending>>,
    /// The guest knows.
    told: AtomicBool,
    ended: Notify,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            last: AtomicU64::new(0),
            logged_in: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            idle: AtomicU32::new(0),
            changed: Notify::new(),
            ending: Mutex::new(None),
            told: AtomicBool::new(false),
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

    /// Something begins that has time limits of its own.
    fn begin(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }

    /// It is over.
    fn finish(&self) {
        self.touch();
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether something has begun that is not over.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn logged_in(&self) {
        self.logged_in.store(true, Ordering::Relaxed);
    }

    /// How long the client may say nothing.
    pub(crate) fn idle(&self, limits: &Limits) -> Duration {
        match self.idle.load(Ordering::Relaxed) {
            0 => limits.idle,
            seconds => Duration::from_secs(seconds.into()).min(limits.idle),
        }
    }

    /// Set it, within the limits and to a second at least.
    pub(crate) fn set_idle(&self, seconds: u32) {
        self.idle.store(seconds.max(1), Ordering::Relaxed);
        self.changed.notify_one();
    }

    /// Tell the guest to end. The first reason stays.
    pub(crate) fn end(&self, ending: Ending) {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(ending);
        self.ended.notify_waiters();
    }

    fn ending(&self) -> Option<Ending> {
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for the guest, which then knows.
    pub(crate) fn tell(&self) -> Option<Ending> {
        let ending = self.ending();
        self.told.store(ending.is_some(), Ordering::Relaxed);
        ending
    }

    /// Whether the guest must end and does not know.
    pub(crate) fn has_news(&self) -> bool {
        !self.told.load(Ordering::Relaxed) && self.ending().is_some()
    }

    /// Wait until that is so.
    pub(crate) async fn news(&self) {
        self.until(Self::has_news).await;
    }

    /// Wait for what the end of the session brings.
    async fn until(&self, holds: fn(&Self) -> bool) {
        loop {
            let ended = self.ended.notified();
            if holds(self) {
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
                () = self.changed.notified() => {}
                () = self.until(|activity| activity.ending().is_some()) => {}
            }
        }
        sleep(limits.grace).await;
    }

    /// The next limit that would be reached if nothing happened.
    fn due(&self, limits: &Limits) -> (Instant, Ending) {
        // What transfers, or is about to, has time limits of its own.
        let idle = if self.is_busy() { Instant::now() } else { self.last() } + self.idle(limits);
        let login = self.started + limits.login;
        if !self.logged_in.load(Ordering::Relaxed) && login < idle {
            (login, Ending::LoginTimeout)
        } else {
            (idle, Ending::Idle)
        }
    }
}

/// Keeps a session from being idle.
pub(crate) struct Busy(Arc<Activity>);

impl Busy {
    pub(crate) fn new(activity: &Arc<Activity>) -> Self {
        activity.begin();
        Self(activity.clone())
    }

    /// Something moved.
    pub(crate) fn touch(&self) {
        self.0.touch();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_guest_is_told_once() {
        let activity = Activity::new();
        assert_eq!((activity.tell(), activity.has_news()), (None, false));
        let end = async { activity.end(Ending::Shutdown) };
        tokio::join!(activity.news(), end);
        activity.end(Ending::Idle);
        assert!(activity.has_news());
        assert_eq!((activity.tell(), activity.has_news()), (Some(Ending::Shutdown), false));
    }

    #[tokio::test]
    async fn a_guest_that_knows_must_be_gone_after_the_grace() {
        let limits = Limits { login: Duration::from_secs(100), grace: Duration::ZERO, ..Limits::default() };
        let (_stop, mut stopped) = watch::channel(false);
        let activity = Activity::new();
        let started = Instant::now();
        let end = async {
            activity.end(Ending::LoginFailures);
            activity.tell();
        };
        tokio::join!(activity.watch(&limits, &mut stopped), end);
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[tokio::test]
    async fn an_idle_limit_that_is_set_counts_at_once() {
        let limits = Limits { idle: Duration::from_secs(100), grace: Duration::ZERO, ..Limits::default() };
        let (_stop, mut stopped) = watch::channel(false);
        let activity = Activity::new();
        activity.logged_in();
        assert_eq!(activity.idle(&limits), limits.idle);
        activity.set_idle(1000);
        assert_eq!(activity.idle(&limits), limits.idle, "no longer than the host allows");
        let shorten = async {
            tokio::task::yield_now().await;
            activity.set_idle(0);
        };
        let started = Instant::now();
        tokio::join!(activity.watch(&limits, &mut stopped), shorten);
        assert_eq!(activity.ending(), Some(Ending::Idle));
        assert!((Duration::from_millis(900)..Duration::from_secs(20)).contains(&started.elapsed()));
    }
}
