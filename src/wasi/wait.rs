//! Futures that wait for pollables, on one thread.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
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

    /// Let the future that is being polled be polled again when this was found ready.
    pub fn wake(self: &Rc<Self>) {
        WAITS.with_borrow_mut(|waits| waits.signals.push(Rc::downgrade(self)));
    }
}

/// What a future waits for that could not go on.
#[derive(Debug, Default)]
pub struct Waits {
    /// Any of them lets it go on. Weak: a pollable must not outlive its stream.
    signals: Vec<Weak<Signal>>,
    /// It could go on, and only lets others look.
    pub yielded: bool,
}

impl Waits {
    /// Of a future that was not polled yet, and could go on.
    pub fn for_nothing() -> Self {
        Self { signals: Vec::new(), yielded: true }
    }

    /// Those signals that are still of use to somebody.
    pub fn signals(&self) -> impl Iterator<Item = Rc<Signal>> {
        self.signals.iter().filter_map(Weak::upgrade)
    }

    /// Whether the future could go on now.
    pub fn are_over(&self) -> bool {
        self.yielded || self.signals().any(|signal| signal.ready.get())
    }
}

thread_local! {
    /// What the future being polled waits for.
    static WAITS: RefCell<Waits> = const { RefCell::new(Waits { signals: Vec::new(), yielded: false }) };
}

/// Wait until `signal` was found ready. Cancel safe.
pub async fn until(signal: &Rc<Signal>) {
    poll_fn(|_| {
        if signal.take() {
            return Poll::Ready(());
        }
        signal.wake();
        Poll::Pending
    })
    .await;
}

/// Let others that wait look whether they still have to.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|_| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        WAITS.with_borrow_mut(|waits| waits.yielded = true);
        Poll::Pending
    })
    .await;
}

/// Poll a future once: its output, or what it waits for. Nothing wakes it: whoever polls it looks at that.
pub fn advance<T>(future: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Result<T, Waits> {
    let polled = future.poll(&mut Context::from_waker(Waker::noop()));
    let waits = WAITS.take();
    match polled {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err(waits),
    }
}

/// Block the instance until one of `signals` is ready, and mark all that are.
pub fn wait(signals: &[Rc<Signal>]) {
    if let [signal] = signals {
        signal.pollable.block();
        signal.ready.set(true);
        return;
    }
    let pollables: Vec<&Pollable> = signals.iter().map(|signal| &signal.pollable).collect();
    for index in poll(&pollables) {
        if let Some(signal) = signals.get(index as usize) {
            signal.ready.set(true);
        }
    }
}

/// Run a future to its end, blocking the instance whenever it waits.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        let waits = match advance(future.as_mut()) {
            Ok(output) => return output,
            Err(waits) => waits,
        };
        if waits.yielded {
            for signal in waits.signals().filter(|signal| signal.pollable.ready()) {
                signal.ready.set(true);
            }
        } else {
            wait(&waits.signals().collect::<Vec<_>>());
        }
    }
}
