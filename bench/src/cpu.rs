//! Processor time of a server with all its processes, and where they run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

/// The processes of a server, from their first moment to their last.
pub(crate) struct Group {
    /// Without the right to make one, nothing is known of them.
    directory: Option<PathBuf>,
}

impl Group {
    /// A control group (cgroup v1 with cpuacct, or v2) of that name.
    pub(crate) fn new(name: &str) -> Self {
        let parent = ["/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup"]
            .into_iter()
            .find(|path| fs::exists(format!("{path}/cgroup.procs")).unwrap_or(false));
        let directory = parent.map(|parent| format!("{parent}/ftp-bench-{}-{name}", std::process::id()));
        Self { directory: directory.map(PathBuf::from).filter(|directory| fs::create_dir(directory).is_ok()) }
    }

    /// `program`, which joins the group before it starts.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let Some(directory) = &self.directory else { return Command::new(program) };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo 0 >\"$0\" && exec \"$@\""]).arg(directory.join("cgroup.procs")).arg(program);
        command
    }

    /// Used so far by all that are and were in it.
    pub(crate) fn time(&self) -> Option<Duration> {
        let directory = self.directory.as_ref()?;
        if let Ok(text) = fs::read_to_string(directory.join("cpuacct.usage")) {
            return Some(Duration::from_nanos(text.trim().parse().ok()?));
        }
        let text = fs::read_to_string(directory.join("cpu.stat")).ok()?;
        let microseconds = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
        Some(Duration::from_micros(microseconds.parse().ok()?))
    }

    /// The processes that are in it.
    pub(crate) fn processes(&self) -> Result<Vec<i32>> {
        self.ids("cgroup.procs")
    }

    fn ids(&self, file: &str) -> Result<Vec<i32>> {
        let directory = self.directory.as_ref().context("no control group; run it as root")?;
        let text = fs::read_to_string(directory.join(file))?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Let all its threads, and this one, run on one processor alone until the result is dropped.
    pub(crate) fn pin(&self) -> Result<Pinned<'_>> {
        let before = sched_getaffinity(None)?;
        let mut one = CpuSet::new();
        one.set(0);
        sched_setaffinity(None, &one)?;
        let pinned = Pinned { group: self, before };
        pinned.set(&one)?;
        Ok(pinned)
    }

    /// End all processes that are in it.
    fn end(&self) {
        for _ in 0..ATTEMPTS {
            let Ok(processes) = self.processes() else { return };
            if processes.is_empty() {
                return;
            }
            for process in processes.into_iter().filter_map(Pid::from_raw) {
                let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
        if let Some(directory) = &self.directory {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// See [`Group::pin`].
pub(crate) struct Pinned<'a> {
    group: &'a Group,
    before: CpuSet,
}

impl Pinned<'_> {
    fn set(&self, processors: &CpuSet) -> Result<()> {
        let threads = self.group.ids("tasks").or_else(|_| self.group.ids("cgroup.threads"))?;
        for thread in threads.into_iter().filter_map(Pid::from_raw) {
            // It may have ended.
            let _ = sched_setaffinity(Some(thread), processors);
        }
        Ok(())
    }
}

impl Drop for Pinned<'_> {
    fn drop(&mut self) {
        let _ = sched_setaffinity(None, &self.before);
        let _ = self.set(&self.before);
    }
}

/// A process that forks may do so while it is being ended.
const ATTEMPTS: usize = 100;
