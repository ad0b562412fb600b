//! Instances of the session component, made before their clients come: a client waits for none of what is the same for
//! all. Each is for one client.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::oneshot;

use crate::control::Control;
use crate::server::Shared;
use crate::session::guest;

thread_local! {
    /// Those that wait on this thread, which belongs to one server.
    static READY: RefCell<Vec<Instance>> = const { RefCell::new(Vec::new()) };
}

/// An instance that runs, as far as it can without a client.
pub(crate) struct Instance {
    client: oneshot::Sender<Arc<Control>>,
    guest: Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>,
}

impl Instance {
    fn new(shared: Arc<Shared>) -> Self {
        let (client, coming) = oneshot::channel();
        Self { client, guest: Box::pin(guest(shared, coming)) }
    }

    /// One that waits, or a new one. There will be another for the next client.
    pub(crate) fn take(shared: &Arc<Shared>) -> Self {
        let ready = READY.with_borrow_mut(Vec::pop);
        // Later: this client comes first.
        tokio::spawn(prepare(shared.clone()));
        ready.unwrap_or_else(|| Self::new(shared.clone()))
    }

    /// Give it its client, and run it to its end.
    pub(crate) async fn serve(self, control: Arc<Control>) -> anyhow::Result<()> {
        // If it has ended, it says why.
        let _ = self.client.send(control);
        self.guest.await
    }
}

/// Make one, up to where it waits for its client.
async fn prepare(shared: Arc<Shared>) {
    if READY.with_borrow(Vec::len) >= WAITING {
        return;
    }
    let mut instance = Instance::new(shared);
    let waits = poll_fn(|context| Poll::Ready(instance.guest.as_mut().poll(context).is_pending())).await;
    // One that cannot begin tells its client so.
    if waits {
        READY.with_borrow_mut(|ready| ready.push(instance));
    }
}

/// Let all that wait on this thread go.
pub(crate) fn let_go() {
    READY.take();
}

/// Instances that wait on each thread.
pub(crate) const WAITING: usize = 2;
