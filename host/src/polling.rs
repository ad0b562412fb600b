//! Busy polling: a thread that has answered looks for a moment whether more has come, before it sleeps.
//!
//! A processor that sleeps takes long to wake, that of a virtual machine longer than a command takes, and whoever wakes
//! it pays as well. One client that sends its next command at once, such as one on the same machine that moves many small
//! files, need not pay that each time. Only for clients that have shown that they are so quick, and only while there are
//! processors for them and for the sessions.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::net::sockopt::socket_incoming_cpu;
use rustix::thread::{sched_getcpu, sched_yield};
use tokio::sync::Notify;
use tokio::task::yield_now;

/// Sessions of all servers of this process.
static SESSIONS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static POLLING: Rc<Polling> = Rc::default();
}

/// What a thread knows of its waits for commands.
#[derive(Default)]
struct Polling {
    /// When the last one began.
    since: Cell<Option<Instant>>,
    /// How many in a row were short.
    short: Cell<u32>,
    /// Sessions beside which it may poll, its own included.
    most: Cell<usize>,
    begun: Notify,
}

impl Polling {
    fn pays(&self, sessions: usize) -> bool {
        self.short.get() >= ENOUGH && sessions <= self.most.get()
    }

    /// A wait is over. One that took longer than polling was in vain.
    fn learn(&self, waited: Duration, polled: bool) {
        let short = waited < if polled { TIME } else { SHORT };
        self.short.set(if short { self.short.get().saturating_add(1) } else { 0 });
    }

    fn waited(&self) -> Duration {
        self.since.get().map_or(Duration::MAX, |since| since.elapsed())
    }
}

/// Poll for who waits on this thread. `processors`: those that the threads of a server have for themselves, and share
/// with clients of the same machine.
pub(crate) async fn run(processors: usize) -> Infallible {
    let polling = POLLING.with(Rc::clone);
    polling.most.set(processors / 2);
    loop {
        polling.begun.notified().await;
        while polling.waited() < TIME {
            // Whoever else wants this processor has it.
            sched_yield();
            // The runtime looks at its sockets.
            yield_now().await;
        }
    }
}

/// Wait for the next command, which comes from `socket`.
pub(crate) async fn next<T>(socket: &impl AsFd, command: impl Future<Output = T>) -> T {
    let polls = POLLING.with(|polling| {
        polling.since.set(Some(Instant::now()));
        let polls = polling.pays(SESSIONS.load(Ordering::Relaxed)) && !is_here(socket);
        if polls {
            polling.begun.notify_one();
        }
        polls
    });
    let command = command.await;
    POLLING.with(|polling| polling.learn(polling.waited(), polls));
    command
}

/// Whether what comes from `socket` comes on this processor: if the client is of this machine, it runs here, and now.
fn is_here(socket: &impl AsFd) -> bool {
    socket_incoming_cpu(socket).is_ok_and(|processor| usize::try_from(processor) == Ok(sched_getcpu()))
}

/// Counts a session for as long as it runs.
pub(crate) struct Session(());

impl Session {
    pub(crate) fn begin() -> Self {
        SESSIONS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        SESSIONS.fetch_sub(1, Ordering::Relaxed);
        // The next client has yet to show how quick it is. (A thread that ends has nothing to learn.)
        let _ = POLLING.try_with(|polling| polling.short.set(0));
    }
}

/// How long a thread polls: what it takes to wake a client on a virtual machine, and this to answer.
const TIME: Duration = Duration::from_micros(100);

/// A wait after which polling may pay: less this thread's own sleep, the command would have come in time.
const SHORT: Duration = Duration::from_micros(200);

/// Short waits that show a quick client: more than a log-in has.
const ENOUGH: u32 = 8;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::UdpSocket;
    use std::task::Poll;

    use rustix::time::{ClockId, clock_gettime};
    use tokio::time::{sleep, timeout};

    use super::*;

    #[test]
    fn pays_for_quick_clients_while_there_are_processors_and_not_in_vain() {
        let polling = Polling::default();
        polling.most.set(2);
        let quick = || (0..ENOUGH).for_each(|_| polling.learn(SHORT - Duration::from_nanos(1), false));
        assert!(!polling.pays(1));
        quick();
        assert!(polling.pays(1) && polling.pays(2) && !polling.pays(3));
        polling.learn(TIME - Duration::from_nanos(1), true);
        assert!(polling.pays(1));
        polling.learn(TIME, true);
        assert!(!polling.pays(1));
        quick();
        polling.learn(SHORT, false);
        assert!(!polling.pays(1));
    }

    #[tokio::test]
    async fn looks_again_and_again_and_sleeps_when_its_time_is_over() {
        // Nothing comes from it on any processor.
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let test = async {
            let quick = || POLLING.with(|polling| polling.short.set(ENOUGH));
            // What is there at the second look, nobody tells of: only who polls finds it before the time is over, unless
            // this thread had to pause just then.
            let mut found = 0;
            for _ in 0..100 {
                quick();
                let mut looks = 0;
                let second_look = poll_fn(|_| {
                    looks += 1;
                    if looks < 2 { Poll::Pending } else { Poll::Ready(()) }
                });
                let (begun, over) = (Instant::now(), Duration::from_millis(10));
                let _ = timeout(over, next(&socket, second_look)).await;
                found += usize::from(begun.elapsed() < over);
            }
            assert!(found > 0);

            quick();
            let before = worked();
            next(&socket, sleep(Duration::from_millis(300))).await;
            assert!(worked() - before < Duration::from_millis(150));
        };
        tokio::select! {
            () = test => {}
            never = run(usize::MAX) => match never {},
        }
    }

    /// Processor time of this thread.
    fn worked() -> Duration {
        clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
    }
}
