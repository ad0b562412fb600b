//! Instances of the session component before and after their clients: made before these come, since a client waits for
//! none of what is the same for all, and taken down after they have gone; many at a time, and by a thread that has
//! nothing to do, if there is one. Each is for one client.

use std::future::{Future, poll_fn};
use std::mem::{replace, take};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::yield_now;
use tokio::time::sleep;
use wasmtime::Store;

use crate::control::Control;
use crate::server::Shared;
use crate::session::{SessionCtx, guest};
use crate::workers::{self, Workers};

/// Those that have no client.
pub(crate) struct Pool {
    pub(crate) shared: Arc<Shared>,
    pub(crate) workers: Workers,
    /// Room for those that wait, and for those that are left.
    room: usize,
    idle: Mutex<Idle>,
    /// Held by who makes some.
    making: Arc<Semaphore>,
}

#[derive(Default)]
struct Idle {
    waiting: Vec<Instance>,
    left: Vec<Store<SessionCtx>>,
    /// Those that are left will be taken down soon, if nobody comes.
    to_be_cleared: bool,
}

impl Pool {
    pub(crate) fn new(shared: Arc<Shared>, workers: Workers) -> Arc<Self> {
        let making = Arc::new(Semaphore::new(1));
        Arc::new(Self { shared, workers, room: room(), idle: Mutex::default(), making })
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that waits, or a new one. There will be others for the next clients.
    pub(crate) fn take(self: &Arc<Self>) -> Instance {
        let (waiting, more) = {
            let mut idle = self.idle();
            (idle.waiting.pop(), idle.waiting.len())
        };
        if more <= self.room / 2
            && let Ok(making) = self.making.clone().try_acquire_owned()
        {
            // Several, since to wake a thread takes longer than to make one; here one, after this client.
            let idle = self.workers.idle().map(|thread| (thread.clone(), self.room));
            let (thread, enough) = idle.unwrap_or_else(|| (Handle::current(), more + 1));
            thread.spawn(self.clone().make(enough, making));
        }
        waiting.unwrap_or_else(|| Instance::new(self.shared.clone()))
    }

    /// Make some until there are enough, up to where they wait for their clients, and in the place of those that are
    /// left.
    async fn make(self: Arc<Self>, enough: usize, _making: OwnedSemaphorePermit) {
        self.take_down();
        let _running = self.shared.engine.running();
        while self.idle().waiting.len() < enough {
            let mut instance = Instance::new(self.shared.clone());
            let waits = poll_fn(|context| Poll::Ready(instance.guest.as_mut().poll(context).is_pending())).await;
            // One that cannot begin tells its client so.
            if !waits {
                break;
            }
            self.idle().waiting.push(instance);
            yield_now().await;
        }
    }

    /// Keep what is left of one until the next are made, or for a moment.
    pub(crate) fn keep(self: &Arc<Self>, left: Left) {
        let Some(store) = left else { return };
        let mut idle = self.idle();
        if idle.left.len() < self.room {
            idle.left.push(store);
        }
        if !replace(&mut idle.to_be_cleared, true) {
            let all = self.clone();
            tokio::spawn(async move {
                sleep(KEPT).await;
                all.idle().to_be_cleared = false;
                all.take_down();
            });
        }
    }

    /// Take down those that are left.
    fn take_down(&self) {
        let left = take(&mut self.idle().left);
        // Takes a while, and is not locked any more.
        drop(left);
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

/// Instances that there may be for `connections` clients: some more wait, and some are left.
pub(crate) fn most(connections: usize) -> usize {
    connections.saturating_add(2 * room())
}

/// Looks at files: not for every client.
fn room() -> usize {
    workers::count() * WAITING
}

/// Instances that wait for each thread.
const WAITING: usize = 4;

/// How long what is left of one may be kept.
const KEPT: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use crate::accounts::{Denial, LogIn};
    use crate::server::Server;

    use super::*;

    /// Wait until as many wait, nothing is left, and nobody makes more.
    async fn until(pool: &Pool, waiting: usize) {
        let so = || {
            let idle = pool.idle();
            (idle.waiting.len(), idle.left.len(), pool.making.available_permits())
        };
        for _ in 0..1000 {
            if so() == (waiting, 0, 1) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(so(), (waiting, 0, 1));
    }

    fn left(shared: &Arc<Shared>) -> Left {
        let (_, coming) = oneshot::channel();
        Some(Store::new(shared.engine.wasmtime(), SessionCtx::new(shared.clone(), coming)))
    }

    #[tokio::test]
    async fn there_are_always_some_and_nothing_is_left_for_long() {
        let nobody = |_: LogIn| std::future::ready(Err(Denial::Denied));
        let server = Server::builder(nobody).listen((Ipv4Addr::LOCALHOST, 0)).bind().unwrap();
        let (threads, workers) = workers::start().unwrap();
        let pool = Pool::new(server.shared.clone(), workers);
        let room = pool.room;
        drop(pool.take());
        until(&pool, room).await;
        for more in (room / 2 + 1..room).rev() {
            drop(pool.take());
            assert_eq!(pool.idle().waiting.len(), more);
        }
        for _ in 0..room + 1 {
            pool.keep(left(&pool.shared));
        }
        assert_eq!(pool.idle().left.len(), room);
        drop(pool.take());
        until(&pool, room).await;
        for _ in 0..2 {
            pool.keep(left(&pool.shared));
            assert_eq!(pool.idle().left.len(), 1);
            until(&pool, room).await;
        }
        // Threads that have sessions make one at a time.
        for _ in 0..workers::count() {
            pool.workers.spawn(0, None, std::future::pending);
        }
        for more in (room / 2 + 1..room).rev() {
            drop(pool.take());
            assert_eq!(pool.idle().waiting.len(), more);
        }
        drop(pool.take());
        until(&pool, room / 2 + 1).await;
        drop(threads);
    }
}
