//! Many futures over one poll loop.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use wasi::clocks::monotonic_clock::subscribe_duration;
use wasi_ftpd::wasi::wait::{Signal, Waits, advance, wait};

use crate::clock;

/// Where futures are handed in that are to run beside the others.
#[derive(Default)]
pub(crate) struct Tasks {
    new: RefCell<Vec<Task>>,
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    waits: Waits,
    due: Option<Instant>,
}

impl Tasks {
    /// Run a future from now on.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        self.new.borrow_mut().push(Task { future: Box::pin(future), waits: Waits::for_nothing(), due: None });
    }

    /// Run all of them until none is left. Each in its turn goes as far as it can; then the instance blocks until
    /// one of them can go on.
    pub(crate) fn run(&self) {
        let mut tasks = Vec::new();
        let mut looked = Instant::now();
        loop {
            tasks.append(&mut self.new.borrow_mut());
            let now = Instant::now();
            tasks.retain_mut(|task| !task.can_go_on(now) || task.go_on());
            let mut next = tasks.iter().filter_map(|task| task.due).min();
            if tasks.iter().any(|task| task.waits.yielded) || !self.new.borrow().is_empty() {
                if now.duration_since(looked) < LOOK {
                    continue;
                }
                next = Some(now);
            } else if tasks.is_empty() {
                return;
            }
            let mut signals: Vec<Rc<Signal>> = tasks.iter().flat_map(|task| task.waits.signals()).collect();
            signals.extend(next.map(|next| {
                let time = next.saturating_duration_since(now).as_nanos();
                Signal::new(subscribe_duration(u64::try_from(time).unwrap_or(u64::MAX)))
            }));
            wait(&signals);
            looked = Instant::now();
        }
    }
}

impl Task {
    fn can_go_on(&self, now: Instant) -> bool {
        self.waits.are_over() || self.due.is_some_and(|due| due <= now)
    }

    /// False at its end.
    fn go_on(&mut self) -> bool {
        let advanced = advance(self.future.as_mut());
        self.due = clock::take_due();
        match advanced {
            Ok(()) => false,
            Err(waits) => {
                self.waits = waits;
                true
            }
        }
    }
}

/// How often those who wait are looked after while others have work that never waits: each look asks for every
/// signal there is.
const LOOK: Duration = Duration::from_millis(1);
