//! Futures that wait for pollables, on one thread.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use wasi::io::poll::{Pollable, poll};

/// A pollable, and whether it was found ready. It may be kept and waited for many times; whoever waits
/// looks again afterwards, since it may be ready too early.
#[derive(Debug)]
pub struct Signal {
    pollable: Pollable,
    ready: Cell<bool>,
}

impl Signal {
    /// Wait for `pollable`.
    pub fn new(pollable: Pollable) -> Rc<Self> {
        Rc::new(Self { pollable, ready: Cell::new(false) })
    }

    /// Whether it was found ready since this was last asked.
    pub fn take(&self) -> bool {
        self.ready.take()
    }
}

thread_local! {
    /// What the future being polled waits for. Weak: a pollable must not outlive its stream.
    static WAITED_FOR: RefCell<Vec<Weak<Signal>>> = const { RefCell::new(Vec::new()) };
    /// It could go on, and only lets others look.
    static YIELDED: Cell<bool> = const { Cell::new(false) };
}

/// Wait until at least one of `signals` was found ready. Which, [`Signal::take`] tells. Cancel safe.
pub async fn any<const N: usize>(signals: [&Rc<Signal>; N]) {
    poll_fn(|_| {
        if signals.iter().any(|signal| signal.ready.get()) {
            return Poll::Ready(());
        }
        WAITED_FOR.with_borrow_mut(|list| list.extend(signals.map(Rc::downgrade)));
        Poll::Pending
    })
    .await;
}

/// Wait for one signal. Cancel safe.
pub async fn until(signal: &Rc<Signal>) {
    any([signal]).await;
    signal.take();
}

/// Let others that wait look whether they still have to.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|_| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        YIELDED.set(true);
        Poll::Pending
    })
    .await;
}

/// Run a future to its end, blocking the instance whenever it waits.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    // Nothing wakes: whenever `poll` returns, everything is asked again.
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        let signals: Vec<Rc<Signal>> =
            WAITED_FOR.with_borrow_mut(|list| list.drain(..).filter_map(|signal| signal.upgrade()).collect());
        if YIELDED.take() {
            for signal in signals.iter().filter(|signal| signal.pollable.ready()) {
                signal.ready.set(true);
            }
            continue;
        }
        let pollables: Vec<&Pollable> = signals.iter().map(|signal| &signal.pollable).collect();
        for index in poll(&pollables) {
            if let Some(signal) = signals.get(index as usize) {
                signal.ready.set(true);
            }
        }
    }
}
