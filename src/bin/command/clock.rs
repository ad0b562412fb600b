//! Waiting for a time to come.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

thread_local! {
    /// When the future being polled wants to be polled again, whatever else it waits for.
    static DUE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Let the future that is being polled be polled again at `due`, at the latest.
pub(crate) fn wake_at(due: Instant) {
    DUE.set(Some(DUE.get().map_or(due, |other| other.min(due))));
}

/// When the future that was polled wants to be polled again.
pub(crate) fn take_due() -> Option<Instant> {
    DUE.take()
}

/// Wait until `due`. Cancel safe.
pub(crate) async fn sleep_until(due: Instant) {
    poll_fn(|_| {
        if Instant::now() >= due {
            return Poll::Ready(());
        }
        wake_at(due);
        Poll::Pending
    })
    .await;
}

/// Wait for `future`, but no longer than until `due`.
pub(crate) async fn before<T>(due: Instant, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if Instant::now() >= due => Poll::Ready(None),
        Poll::Pending => {
            wake_at(due);
            Poll::Pending
        }
    })
    .await
}
