//! Instances of the session component before and after their clients: made before these come, since a client waits for
//! none of what is the same for all, and taken down after they have gone; both by a thread that has nothing to do, if
//! there is one. Each is for one client.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use wasmtime::Store;

use crate::control::Control;
use crate::server::Shared;
use crate::session::{SessionCtx, guest};
use crate::workers::{self, ERRANDS, Workers};

/// Those that wait for clients.
pub(crate) struct Pool {
    pub(crate) shared: Arc<Shared>,
    pub(crate) workers: Workers,
    waiting: Mutex<Vec<(Instance, OwnedSemaphorePermit)>>,
    /// For them, and for those that are being made.
    places: Arc<Semaphore>,
}

impl Pool {
    pub(crate) fn new(shared: Arc<Shared>, workers: Workers) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(workers::count() * WAITING));
        Arc::new(Self { shared, workers, waiting: Mutex::default(), places })
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(Instance, OwnedSemaphorePermit)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that waits, or a new one. There will be another for the next client.
    pub(crate) fn take(self: &Arc<Self>) -> Instance {
        let waiting = self.waiting().pop().map(|(instance, _)| instance);
        if let Ok(place) = self.places.clone().try_acquire_owned()
            && let Some(preparing) = self.workers.errand(self.clone().prepare(place))
        {
            // Later: this client comes first.
            tokio::spawn(preparing);
        }
        waiting.unwrap_or_else(|| Instance::new(self.shared.clone()))
    }

    /// Make one, up to where it waits for its client.
    async fn prepare(self: Arc<Self>, place: OwnedSemaphorePermit) {
        let mut instance = Instance::new(self.shared.clone());
        let waits = poll_fn(|context| Poll::Ready(instance.guest.as_mut().poll(context).is_pending())).await;
        // One that cannot begin tells its client so.
        if waits {
            self.waiting().push((instance, place));
        }
    }

    /// Take down what is left of one.
    pub(crate) fn take_down(&self, left: Left) {
        // If nobody has the time, it is done here.
        drop(self.workers.errand(async move { drop(left) }));
    }
}

/// An instance that runs, as far as it can without a client.
pub(crate) struct Instance {
    client: oneshot::Sender<Arc<Control>>,
    guest: Pin<Box<dyn Future<Output = anyhow::Result<Left>> + Send>>,
}

/// What is left of an instance when its session is over, if there was a sandbox.
pub(crate) type Left = Option<Store<SessionCtx>>;

impl Instance {
    fn new(shared: Arc<Shared>) -> Self {
        let (client, coming) = oneshot::channel();
        Self { client, guest: Box::pin(guest(shared, coming)) }
    }

    /// Give it its client, and run it to its end.
    pub(crate) async fn serve(self, control: Arc<Control>) -> anyhow::Result<Left> {
        // If it has ended, it says why.
        let _ = self.client.send(control);
        self.guest.await
    }
}

/// Instances that there may be for `connections` clients: some more wait, and some are being taken down.
pub(crate) fn most(connections: usize) -> usize {
    connections.saturating_add(workers::count() * (WAITING + ERRANDS))
}

/// Instances that wait for each thread.
const WAITING: usize = 2;
