//! Busy polling: a thread that has answered looks for a moment whether more has come, before it sleeps.
//!
//! A processor that sleeps takes long to wake, that of a virtual machine longer than a command takes, and whoever wakes
//! it pays as well. A client that sends its next command at once, such as one on the same machine that moves many small
//! files, need not pay that each time. Only for one that has shown to be so quick, and only while there are processors
//! for sessions and clients alike.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
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

/// Of one thread.
#[derive(Default)]
struct Polling {
    /// Until when, if something is waited for.
    until: Cell<Option<Instant>>,
    begun: Notify,
    /// Sessions beside which it may poll, its own included.
    most: Cell<usize>,
}

impl Polling {
    /// Begin, unless there is no processor for it.
    fn begin(&self, socket: &impl AsFd, until: Instant) -> bool {
        let polls = SESSIONS.load(Ordering::Relaxed) <= self.most.get() && !is_here(socket);
        if polls {
            self.until.set(Some(until));
            self.begun.notify_one();
        }
        polls
    }

    fn goes_on(&self) -> bool {
        self.until.get().is_some_and(|until| Instant::now() < until)
    }
}

/// Poll for who waits on this thread. `processors`: how many the threads of a server keep to.
pub(crate) async fn run(processors: usize) -> Infallible {
    let polling = POLLING.with(Rc::clone);
    polling.most.set(processors / 2);
    loop {
        polling.begun.notified().await;
        while polling.goes_on() {
            // Whoever else waits for this processor has it.
            sched_yield();
            // The runtime looks at its sockets, and runs what has been woken.
            yield_now().await;
            yield_now().await;
        }
    }
}

/// How quick a client is: the waits for its commands that were short, less others.
#[derive(Default)]
pub(crate) struct Quickness(AtomicU32);

impl Quickness {
    /// Wait for the next command, which comes from `socket`. Cancel safe.
    pub(crate) async fn wait<T>(&self, socket: &impl AsFd, command: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let polls = self.suffices() && POLLING.with(|polling| polling.begin(socket, begun + TIME));
        let mut waiting = Waiting { client: self, begun, polls, came: false };
        let command = command.await;
        waiting.came = true;
        command
    }

    fn suffices(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= ENOUGH
    }

    /// A wait is over, perhaps since something else came. One that took longer than polling was in vain.
    fn learn(&self, waited: Duration, polled: bool, came: bool) {
        let before = self.0.load(Ordering::Relaxed);
        let after = match waited < if polled { TIME } else { SHORT } {
            false => 0,
            true if came => (before + 1).min(2 * ENOUGH),
            true => before.saturating_sub(1),
        };
        self.0.store(after, Ordering::Relaxed);
    }
}

/// Whether what comes from `socket` comes on this processor: a client of the same machine runs here then, and now.
fn is_here(socket: &impl AsFd) -> bool {
    socket_incoming_cpu(socket).is_ok_and(|processor| usize::try_from(processor) == Ok(sched_getcpu()))
}

/// A wait, until it is dropped.
struct Waiting<'a> {
    client: &'a Quickness,
    begun: Instant,
    polls: bool,
    came: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.client.learn(self.begun.elapsed(), self.polls, self.came);
        if self.polls {
            // A thread that ends polls no more.
            let _ = POLLING.try_with(|polling| polling.until.set(None));
        }
    }
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
    use std::future::{pending, poll_fn};
    use std::net::UdpSocket;
    use std::task::Poll;

    use rustix::time::{ClockId, clock_gettime};
    use tokio::time::timeout;

    use super::*;

    const MOMENT: Duration = Duration::from_nanos(1);

    fn quick() -> Quickness {
        Quickness(ENOUGH.into())
    }

    #[test]
    fn suffices_after_short_waits_for_commands_that_were_not_in_vain() {
        let client = Quickness::default();
        for _ in 0..ENOUGH {
            assert!(!client.suffices());
            client.learn(SHORT - MOMENT, false, true);
        }
        assert!(client.suffices());
        client.learn(TIME - MOMENT, true, true);
        client.learn(TIME - MOMENT, true, false);
        assert!(client.suffices());
        // What comes is not for who waits for commands.
        client.learn(TIME - MOMENT, true, false);
        assert!(!client.suffices());
        for came in [false, true] {
            for (waited, polled) in [(TIME, true), (SHORT, false)] {
                let client = quick();
                client.learn(waited, polled, came);
                assert_eq!(client.0.into_inner(), 0);
            }
        }
        let client = quick();
        (0..100).for_each(|_| client.learn(MOMENT, true, true));
        (0..=ENOUGH).for_each(|_| client.learn(MOMENT, true, false));
        assert!(!client.suffices());
    }

    #[tokio::test]
    async fn looks_again_and_again_and_no_longer_than_its_time_or_the_wait() {
        // Nothing comes from it on any processor.
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let test = async {
            // What is there at a later look, nobody tells of: only who polls finds it before the time is over, unless
            // this thread had to pause just then.
            let mut found = 0;
            for _ in 0..100 {
                let mut looks = 0;
                let later = poll_fn(|_| {
                    looks += 1;
                    if looks < 5 { Poll::Pending } else { Poll::Ready(()) }
                });
                let (begun, over) = (Instant::now(), Duration::from_millis(10));
                let _ = timeout(over, quick().wait(&socket, later)).await;
                found += usize::from(begun.elapsed() < over);
                assert!(!POLLING.with(|polling| polling.goes_on()));
            }
            assert!(found > 0);

            let (client, before) = (quick(), worked());
            let _ = timeout(Duration::from_millis(300), client.wait(&socket, pending::<()>())).await;
            assert!(worked() - before < Duration::from_millis(150));
            assert!(!client.suffices());
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
