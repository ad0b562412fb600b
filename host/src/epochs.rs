//! Epochs: running guests are asked again and again to let others run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use anyhow::Result;
use wasmtime::Engine;

/// Of one engine: a thread that begins them while guests may run, and sleeps otherwise.
pub(crate) struct Epochs {
    guests: Arc<Guests>,
    thread: Thread,
}

#[derive(Default)]
struct Guests {
    /// Sessions and calls in which guests may run.
    running: AtomicUsize,
    /// There will be no more.
    over: AtomicBool,
}

impl Epochs {
    pub(crate) fn of(engine: &Engine) -> Result<Self> {
        let engine = engine.clone();
        Self::start(move || engine.increment_epoch())
    }

    /// `next` begins the next one.
    fn start(next: impl Fn() + Send + 'static) -> Result<Self> {
        let guests = Arc::<Guests>::default();
        let theirs = guests.clone();
        let thread = thread::Builder::new().name("epoch".to_owned()).spawn(move || theirs.run(next))?;
        Ok(Self { guests, thread: thread.thread().clone() })
    }

    /// Guests may run until this is dropped.
    pub(crate) fn running(&self) -> Running {
        if self.guests.running.fetch_add(1, Ordering::SeqCst) == 0 {
            self.thread.unpark();
        }
        Running(self.guests.clone())
    }
}

impl Drop for Epochs {
    fn drop(&mut self) {
        self.guests.over.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Guests {
    /// The thread.
    fn run(&self, next: impl Fn()) {
        let mut idle = 0;
        while !self.over.load(Ordering::SeqCst) {
            if self.running.load(Ordering::SeqCst) > 0 {
                idle = 0;
            } else if idle < LINGER {
                idle += 1;
            } else {
                // Until the first runs again, if it has not meanwhile.
                thread::park();
                continue;
            }
            thread::sleep(EPOCH);
            next();
        }
    }
}

/// See [`Epochs::running`].
pub(crate) struct Running(Arc<Guests>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How often a running guest is asked to let others run.
const EPOCH: Duration = Duration::from_millis(10);

/// Epochs without guests after which the thread sleeps: the next client need not wake it if it comes soon.
const LINGER: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn until(so: impl Fn() -> bool) {
        for _ in 0..1000 {
            if so() {
                return;
            }
        }
        panic!("not in a long time");
    }

    #[test]
    fn pass_while_guests_run_and_end_with_their_engine() {
        let passed = Arc::new(AtomicUsize::new(0));
        let counted = passed.clone();
        let epochs = Epochs::start(move || _ = counted.fetch_add(1, Ordering::SeqCst)).unwrap();
        let pass = || {
            let before = passed.load(Ordering::SeqCst);
            thread::sleep(10 * EPOCH);
            passed.load(Ordering::SeqCst) > before
        };
        for _ in 0..2 {
            until(|| !pass());
            let [one, other] = [epochs.running(), epochs.running()];
            until(pass);
            // Another comes before the thread sleeps.
            drop((one, other));
            let [one, other] = [epochs.running(), epochs.running()];
            drop(one);
            thread::sleep(2 * LINGER * EPOCH);
            until(pass);
            drop(other);
        }
        until(|| !pass());
        drop(epochs);
        until(|| {
            thread::sleep(EPOCH);
            Arc::strong_count(&passed) == 1
        });
    }
}
