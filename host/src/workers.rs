//! The threads that sessions run on, one for each processor, to which it keeps. A session stays where it began, so that
//! none of its steps wakes another thread: if it can be, where the packets of its client arrive.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use log::debug;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::polling;

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
    /// The number of the processor that the thread keeps to.
    processor: Option<usize>,
}

/// One for each processor.
pub(crate) fn count() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Start them.
pub(crate) fn start() -> io::Result<(Threads, Workers)> {
    let (mut threads, mut workers) = (Threads(Vec::new()), Vec::new());
    let (all, processors) = processors()?;
    let own = processors.len();
    for number in 0..count() {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .thread_name("disk")
            // Those that may wait run wherever there is room: they would inherit what the thread that starts them keeps to.
            .on_thread_start(move || keep_to(&all))
            .build()?;
        let processor = processors.get(number).copied();
        let (handle, sessions) = (runtime.handle().clone(), Arc::default());
        workers.push(Worker { handle, sessions, processor });
        let (running, ended) = oneshot::channel::<()>();
        let handle = thread::Builder::new().name(format!("session-{number}")).spawn(move || {
            if let Some(processor) = processor {
                let mut only = CpuSet::new();
                only.set(processor);
                keep_to(&only);
            }
            runtime.block_on(async {
                tokio::select! {
                    _ = ended => {}
                    never = tick() => match never {},
                    never = polling::run(own) => match never {},
                }
            });
            // A disk that hangs must not keep us.
            runtime.shutdown_timeout(HANGING);
        })?;
        threads.0.push(Thread { running: Some(running), handle: Some(handle) });
    }
    Ok((threads, Workers(workers.into())))
}

/// The processors that we may use, and their numbers: none if we may not use all of their time, since others who may not
/// would keep to the same ones.
fn processors() -> io::Result<(CpuSet, Vec<usize>)> {
    let all = sched_getaffinity(None)?;
    let mut numbers: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&number| all.is_set(number)).collect();
    if numbers.len() != count() {
        numbers.clear();
    }
    Ok((all, numbers))
}

/// From now on, this thread runs on these.
fn keep_to(processors: &CpuSet) {
    if let Err(error) = sched_setaffinity(None, processors) {
        debug!("a thread may not choose its processor: {error}");
    }
}

/// A timer that is always due soon: whoever sets a later one, as each session does all the time, need not interrupt the
/// wait for sockets.
async fn tick() -> Infallible {
    loop {
        sleep(TICK).await;
    }
}

impl Workers {
    /// All threads, by number.
    pub(crate) fn all(&self) -> impl Iterator<Item = (usize, &Handle)> {
        self.0.iter().map(|worker| &worker.handle).enumerate()
    }

    /// The processors that they keep to.
    pub(crate) fn processors(&self) -> Vec<u32> {
        self.0.iter().filter_map(|worker| u32::try_from(worker.processor?).ok()).collect()
    }

    /// Run a session where there are fewest: on the thread of that number, which calls this, if it has none; else on that
    /// of the processor where its packets arrive, if no other has fewer.
    pub(crate) fn spawn<F: Future<Output = ()> + Send + 'static>(
        &self,
        here: usize,
        processor: Option<u32>,
        session: impl FnOnce() -> F + Send + 'static,
    ) {
        let sessions = |worker: &&Worker| worker.sessions.load(Ordering::Relaxed);
        let processor = processor.and_then(|number| usize::try_from(number).ok());
        let is_near = |worker: &&Worker| processor.is_some() && worker.processor == processor;
        let idle = self.0.get(here).filter(|worker| sessions(worker) == 0);
        let Some(worker) = idle.or_else(|| self.0.iter().min_by_key(|worker| (sessions(worker), !is_near(worker))))
        else {
            return;
        };
        worker.sessions.fetch_add(1, Ordering::Relaxed);
        let counted = (Counted(worker.sessions.clone()), polling::Session::begin());
        worker.handle.spawn(async move {
            let _counted = counted;
            session().await;
        });
    }

    /// A thread that has no session.
    pub(crate) fn idle(&self) -> Option<&Handle> {
        self.0.iter().find(|worker| worker.sessions.load(Ordering::Relaxed) == 0).map(|worker| &worker.handle)
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

/// How long work that waits for a disk may go on when everything else has ended.
const HANGING: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::spawn_blocking;

    use super::*;

    fn may_use() -> Vec<usize> {
        let set = sched_getaffinity(None).unwrap();
        (0..CpuSet::MAX_CPU).filter(|&number| set.is_set(number)).collect()
    }

    #[test]
    fn sessions_keep_to_the_processor_of_their_client_and_those_that_wait_do_not() {
        let (_, numbers) = processors().unwrap();
        if numbers.is_empty() {
            return;
        }
        let (threads, workers) = start().unwrap();
        // The first takes what comes while it has nothing to do; let it have something.
        workers.spawn(0, None, std::future::pending);
        for &number in numbers.iter().rev() {
            let (tell, told) = mpsc::channel();
            workers.spawn(0, u32::try_from(number).ok(), async move || {
                let waiting = spawn_blocking(may_use).await.unwrap();
                tell.send((may_use(), waiting)).unwrap();
                std::future::pending().await
            });
            assert_eq!(told.recv().unwrap(), (vec![number], numbers.clone()));
        }
        drop(threads);
    }
}
