//! The threads that sessions run on, one for each processor. A session stays where it began, so that none of its
//! steps wakes another thread.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The threads. When they are dropped, what still runs on them is dropped as well.
pub(crate) struct Workers(Vec<Worker>);

/// One of them, with a runtime of its own.
struct Worker {
    handle: Handle,
    sessions: Arc<AtomicUsize>,
    /// Dropped, it ends.
    running: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Workers {
    /// As many as there are processors.
    pub(crate) fn new() -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        (0..count).map(Worker::new).collect::<io::Result<_>>().map(Self)
    }

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

impl Worker {
    fn new(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().thread_name("disk").build()?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name(format!("session-{number}")).spawn(move || {
            let _ = runtime.block_on(ended);
            // A disk that hangs must not keep us.
            runtime.shutdown_timeout(HANGING);
        })?;
        Ok(Self { handle, sessions: Arc::default(), running: Some(running), thread: Some(thread) })
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // All at once, and then each.
        for worker in &mut self.0 {
            worker.running = None;
        }
        for thread in self.0.iter_mut().filter_map(|worker| worker.thread.take()) {
            let _ = thread.join();
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

/// Threads that accept connections.
const ACCEPTING: usize = 2;

/// How long work that waits for a disk may go on when everything else has ended.
const HANGING: Duration = Duration::from_secs(1);
