//! The threads that sessions run on, one for each processor. A session stays where it began, so that none of its
//! steps wakes another thread.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::instance;

/// The threads. When they are dropped, what still runs on them is dropped as well; so none of it may own them.
pub(crate) struct Threads(Vec<Thread>);

struct Thread {
    /// Dropped, it ends.
    running: Option<oneshot::Sender<()>>,
    handle: Option<JoinHandle<()>>,
}

/// What runs on them, for those who give them work.
#[derive(Clone)]
pub(crate) struct Workers(Arc<[Worker]>);

/// A runtime of one thread.
struct Worker {
    handle: Handle,
    sessions: Arc<AtomicUsize>,
}

/// One for each processor.
pub(crate) fn count() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Start them.
pub(crate) fn start() -> io::Result<(Threads, Workers)> {
    let (mut threads, mut workers) = (Threads(Vec::new()), Vec::new());
    for number in 0..count() {
        let runtime = Builder::new_current_thread().enable_all().thread_name("disk").build()?;
        workers.push(Worker { handle: runtime.handle().clone(), sessions: Arc::default() });
        let (running, ended) = oneshot::channel::<()>();
        let handle = thread::Builder::new().name(format!("session-{number}")).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = ended => {}
                    never = tick() => match never {},
                }
            });
            // A disk that hangs must not keep us.
            runtime.shutdown_timeout(HANGING);
            instance::let_go();
        })?;
        threads.0.push(Thread { running: Some(running), handle: Some(handle) });
    }
    Ok((threads, Workers(workers.into())))
}

/// A timer that is always due soon: whoever sets a later one, as each session does all the time, need not interrupt the
/// wait for sockets.
async fn tick() -> Infallible {
    loop {
        sleep(TICK).await;
    }
}

impl Workers {
    /// Those that accept connections, by number: enough to share the work, and so few that a connection does not wake
    /// many for one.
    pub(crate) fn accepting(&self) -> impl Iterator<Item = (usize, &Handle)> {
        self.0.iter().take(ACCEPTING).map(|worker| &worker.handle).enumerate()
    }

    /// Run a session where there are fewest: on the thread of that number, which calls this, if no other has fewer.
    pub(crate) fn spawn<F: Future<Output = ()> + Send + 'static>(
        &self,
        here: usize,
        session: impl FnOnce() -> F + Send + 'static,
    ) {
        let sessions = |worker: &&Worker| worker.sessions.load(Ordering::Relaxed);
        let least = self.0.iter().map(|worker| sessions(&worker)).min();
        let here = self.0.get(here).filter(|worker| Some(sessions(worker)) == least);
        let Some(worker) = here.or_else(|| self.0.iter().min_by_key(sessions)) else { return };
        worker.sessions.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(worker.sessions.clone());
        worker.handle.spawn(async move {
            let _counted = counted;
            session().await;
        });
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // All at once, and then each.
        for thread in &mut self.0 {
            thread.running = None;
        }
        for handle in self.0.iter_mut().filter_map(|thread| thread.handle.take()) {
            let _ = handle.join();
        }
    }
}

/// Counts a session for as long as it runs.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

const TICK: Duration = Duration::from_secs(1);

/// Threads that accept connections.
const ACCEPTING: usize = 1;

/// How long work that waits for a disk may go on when everything else has ended.
const HANGING: Duration = Duration::from_secs(1);
