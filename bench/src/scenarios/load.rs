//! Several workers at one thing, for as long as a turn lasts.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::{Figures, Turn};

/// What the workers did.
pub(super) struct Done {
    /// What their steps returned, in sum.
    pub(super) count: u64,
    pub(super) steps: Vec<Duration>,
    elapsed: Duration,
    cpu: Option<Duration>,
}

impl Done {
    /// So many `per` a second, and the processor time for so many `cpu_per`.
    pub(super) fn rate(&self, per: f64, cpu_per: f64) -> Figures {
        let count = self.count as f64;
        let value = count / per / self.elapsed.as_secs_f64();
        Figures { value, cpu: self.cpu.map(|cpu| cpu.as_secs_f64() / (count / cpu_per)) }
    }

    /// The duration in microseconds that so many of a hundred steps do not exceed, and the processor time of a
    /// thousand.
    pub(super) fn percentile(mut self, hundredth: usize) -> Figures {
        self.steps.sort_unstable();
        let at = self.steps.len().saturating_sub(1) * hundredth / 100;
        let value = self.steps.get(at).map_or(f64::NAN, |step| step.as_secs_f64() * 1e6);
        Figures { value, cpu: self.cpu.map(|cpu| cpu.as_secs_f64() * 1e3 / self.steps.len() as f64) }
    }
}

/// One worker, who shares one processor with the server.
pub(super) fn run_pinned<S: Send>(
    turn: &Turn,
    ready: impl Fn(usize) -> Result<S> + Sync,
    step: impl Fn(&mut S) -> Result<u64> + Sync,
) -> Result<Done> {
    let ready = |worker| {
        let state = ready(worker)?;
        // Now that there is a process for it.
        Ok((state, turn.server.group.pin()?))
    };
    run(turn, 1, ready, |(state, _pinned)| step(state))
}

/// `workers` at once, each of which makes itself ready and then takes one step after another.
pub(super) fn run<S: Send>(
    turn: &Turn,
    workers: usize,
    ready: impl Fn(usize) -> Result<S> + Sync,
    step: impl Fn(&mut S) -> Result<u64> + Sync,
) -> Result<Done> {
    let (made_ready, started) = (Barrier::new(workers + 1), Barrier::new(workers + 1));
    thread::scope(|scope| {
        let work = |worker| {
            let state = ready(worker);
            made_ready.wait();
            started.wait();
            let (mut state, until) = (state?, Instant::now() + turn.time);
            let (mut count, mut steps) = (0, Vec::new());
            loop {
                let begun = Instant::now();
                count += step(&mut state)?;
                let now = Instant::now();
                steps.push(now - begun);
                if now >= until {
                    // Its end is no part of the load.
                    return Ok((count, steps, state));
                }
            }
        };
        let working: Vec<_> = (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
        made_ready.wait();
        let before = turn.server.group.time();
        started.wait();
        let begun = Instant::now();
        let done: Vec<Result<_>> =
            working.into_iter().map(|work| work.join().unwrap_or_else(|_| Err(anyhow!("a worker failed")))).collect();
        let (elapsed, after) = (begun.elapsed(), turn.server.group.time());
        let cpu = before.zip(after).map(|(before, after)| after.saturating_sub(before));
        let (mut count, mut steps) = (0, Vec::new());
        for done in done {
            let (more, taken, _state) = done?;
            count += more;
            steps.extend(taken);
        }
        Ok(Done { count, steps, elapsed, cpu })
    })
}
