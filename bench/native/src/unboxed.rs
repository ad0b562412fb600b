//! What Wasmtime and the guest's bindings are for a component: calls of the host, its handles, and waiting for it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::{Mutex, MutexGuard};
use wasi_ftpd_host::native::SessionCtx;
use wasmtime::component::Resource;
use wasmtime_wasi_io::IoView;
use wasmtime_wasi_io::bindings::wasi::io::poll::{Host, HostPollable};
use wasmtime_wasi_io::poll::DynPollable;

/// A session's host, called directly.
#[derive(Clone)]
pub(crate) struct Unboxed(Rc<Inner>);

struct Inner {
    /// Held by whoever calls the host: one call at a time, as for a component.
    ctx: Arc<Mutex<SessionCtx>>,
    /// A call that waits, and the session for it.
    call: RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>,
    /// What the session waits for otherwise. Weak: a pollable must not outlive its stream.
    signals: RefCell<Vec<Weak<Signal>>>,
    /// The session could go on, and only lets others look.
    yielded: Cell<bool>,
}

impl Unboxed {
    pub(crate) fn new(ctx: SessionCtx) -> Self {
        Self(Rc::new(Inner {
            ctx: Arc::new(Mutex::new(ctx)),
            call: RefCell::default(),
            signals: RefCell::default(),
            yielded: Cell::default(),
        }))
    }

    fn ctx(&self) -> MutexGuard<'_, SessionCtx> {
        self.0.ctx.try_lock().expect(ALONE)
    }

    /// Call a function of the host.
    pub(crate) fn call<T>(&self, call: impl FnOnce(&mut SessionCtx) -> wasmtime::Result<T>) -> T {
        call(&mut self.ctx()).expect(TRAP)
    }

    /// Call one that may wait. The whole session then does.
    pub(crate) async fn wait_for<T: 'static>(
        &self,
        call: impl AsyncFnOnce(&mut SessionCtx) -> wasmtime::Result<T> + 'static,
    ) -> T {
        let mut ctx = self.0.ctx.clone().try_lock_owned().expect(ALONE);
        let answer = Rc::new(Cell::new(None));
        let slot = answer.clone();
        let mut call: Pin<Box<dyn Future<Output = ()>>> =
            Box::pin(async move { slot.set(Some(call(&mut ctx).await.expect(TRAP))) });
        if poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending())).await {
            self.0.call.replace(Some(call));
        }
        poll_fn(|_| answer.take().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// Keep what the host gave; it is given back with `drop`.
    pub(crate) fn handle<T>(&self, resource: Resource<T>, drop: Dropping<T>) -> Handle<T> {
        Handle { number: resource.rep(), host: self.clone(), drop }
    }

    /// What is ready when the pollable is that `subscribe` makes.
    pub(crate) fn signal(
        &self,
        subscribe: impl FnOnce(&mut SessionCtx) -> wasmtime::Result<Resource<DynPollable>>,
    ) -> Rc<Signal> {
        let pollable = self.call(subscribe);
        let pollable = self.handle(pollable, |ctx, pollable| HostPollable::drop(ctx.table(), pollable));
        Rc::new(Signal { pollable, ready: Cell::new(false) })
    }

    /// Wait until `signal` was found ready. Cancel safe.
    pub(crate) async fn until(&self, signal: &Rc<Signal>) {
        poll_fn(|_| {
            if self.0.call.borrow().is_some() {
                return Poll::Pending;
            }
            if signal.take() {
                return Poll::Ready(());
            }
            self.0.signals.borrow_mut().push(Rc::downgrade(signal));
            Poll::Pending
        })
        .await;
    }

    /// Wait until the host may be called, by what goes on beside a call that waits. A component would stand still: what
    /// calls without a turn, such as an ABOR that came together with its transfer, ends the session here.
    pub(crate) async fn turn(&self) {
        poll_fn(|_| if self.0.call.borrow().is_some() { Poll::Pending } else { Poll::Ready(()) }).await;
    }

    /// Let others that wait look whether they still have to.
    pub(crate) async fn yield_now(&self) {
        let mut yielded = false;
        poll_fn(|_| {
            self.0.yielded.set(!yielded);
            if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Run the session to its end.
    pub(crate) async fn run<T>(&self, session: impl Future<Output = T>) -> T {
        let mut session = pin!(session);
        loop {
            if let Poll::Ready(output) = poll_fn(|context| Poll::Ready(session.as_mut().poll(context))).await {
                return output;
            }
            let call = self.0.call.take();
            if let Some(call) = call {
                call.await;
                continue;
            }
            let signals: Vec<_> = self.0.signals.take().iter().filter_map(Weak::upgrade).collect();
            let mut ctx = self.ctx();
            if self.0.yielded.take() {
                for signal in &signals {
                    let ready = HostPollable::ready(ctx.table(), signal.pollable.borrow()).await.expect(TRAP);
                    signal.ready.set(signal.ready.get() || ready);
                }
            } else if let [signal] = &signals[..] {
                HostPollable::block(ctx.table(), signal.pollable.borrow()).await.expect(TRAP);
                signal.ready.set(true);
            } else {
                let pollables = signals.iter().map(|signal| signal.pollable.borrow()).collect();
                let ready = Host::poll(ctx.table(), pollables).await.expect(TRAP);
                ready.iter().filter_map(|&index| signals.get(index as usize)).for_each(|signal| signal.ready.set(true));
            }
            // The last holder of a signal calls the host.
            drop(ctx);
        }
    }
}

/// A pollable, and whether it was found ready.
pub(crate) struct Signal {
    pollable: Handle<DynPollable>,
    ready: Cell<bool>,
}

impl Signal {
    /// Whether it was found ready since this was last asked.
    pub(crate) fn take(&self) -> bool {
        self.ready.take()
    }
}

/// A resource of the host's.
pub(crate) struct Handle<T: 'static> {
    number: u32,
    host: Unboxed,
    drop: Dropping<T>,
}

type Dropping<T> = fn(&mut SessionCtx, Resource<T>) -> wasmtime::Result<()>;

impl<T> Handle<T> {
    pub(crate) fn borrow(&self) -> Resource<T> {
        Resource::new_borrow(self.number)
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        // Where a call has the host, the session is about to end, and gives everything back.
        if let Ok(mut ctx) = self.host.0.ctx.try_lock() {
            (self.drop)(&mut ctx, Resource::new_own(self.number)).expect(TRAP);
        }
    }
}

const ALONE: &str = "one call at a time";
const TRAP: &str = "a session that does as the contract says is not ended";
