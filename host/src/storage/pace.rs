//! Where to ask the file system: on the thread of the session as long as it answers at once, since the way to another
//! and back takes longer than most answers; and for a while after it did not, on threads that may wait.

use std::cell::Cell;
use std::time::{Duration, Instant};

use tokio::task::{JoinError, coop, spawn_blocking};

thread_local! {
    /// Until when this thread, which other sessions run on, does not ask by itself.
    static CAREFUL_UNTIL: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Do `work`. Fails only if it panics on another thread.
pub(crate) async fn ask<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    if !is_quick() {
        return spawn_blocking(work).await;
    }
    // Other sessions have their turn.
    coop::consume_budget().await;
    Ok(timed(work))
}

/// Whether the file system has answered at once for a while, as far as this thread has asked it.
pub(crate) fn is_quick() -> bool {
    CAREFUL_UNTIL.get().is_none_or(|until| until <= Instant::now())
}

/// Do `work` here, and see how long it takes.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    let ended = Instant::now();
    if ended - begun > SLOW {
        CAREFUL_UNTIL.set(Some(ended + CAREFUL));
    }
    done
}

/// Longer than this is felt by others on the same thread; shorter is what the scheduler does now and then.
const SLOW: Duration = Duration::from_millis(10);

/// How long to be careful: a disk that writes back what it has gathered takes some seconds, in which one session in
/// each second still pays.
const CAREFUL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::thread::{current, sleep};

    use super::*;

    #[tokio::test]
    async fn elsewhere_after_it_was_slow() {
        let here = current().id();
        assert_eq!(ask(|| current().id()).await.unwrap(), here);
        timed(|| sleep(SLOW + Duration::from_millis(1)));
        assert!(!is_quick());
        assert_ne!(ask(|| current().id()).await.unwrap(), here);
        CAREFUL_UNTIL.set(Some(Instant::now()));
        assert_eq!(ask(|| current().id()).await.unwrap(), here);
    }
}
