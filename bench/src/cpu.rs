//! Processor time of a server with all its processes, and where they run.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

/// The processes of a server, from their first moment to their last.
pub(crate) struct Group {
    directory: PathBuf,
}

impl Group {
    /// A control group (cgroup v1 with cpuacct, or v2) of that name. Fails without the right to make one.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let parent = ["/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup"]
            .into_iter()
            .find(|path| fs::exists(format!("{path}/cgroup.procs")).unwrap_or(false))
            .context("no control groups here")?;
        let directory = PathBuf::from(parent).join(format!("ftp-bench-{}-{name}", std::process::id()));
        fs::create_dir(&directory).context("no control group; run it as root")?;
        Ok(Self { directory })
    }

    /// `program`, which joins the group before it starts.
    pub(crate) fn command(&self, program: &std::path::Path) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo 0 >\"$0\" && exec \"$@\""]).arg(self.directory.join("cgroup.procs")).arg(program);
        command
    }

    /// Used so far by all that are and were in it.
    pub(crate) fn time(&self) -> Result<Duration> {
        if let Ok(text) = fs::read_to_string(self.directory.join("cpuacct.usage")) {
            return Ok(Duration::from_nanos(text.trim().parse()?));
        }
        let text = fs::read_to_string(self.directory.join("cpu.stat"))?;
        let microseconds = text.lines().find_map(|line| line.strip_prefix("usage_usec ")).context("no usage_usec")?;
        Ok(Duration::from_micros(microseconds.parse()?))
    }

    /// The processes that are in it.
    pub(crate) fn processes(&self) -> Result<Vec<i32>> {
        self.ids("cgroup.procs")
    }

    fn ids(&self, file: &str) -> Result<Vec<i32>> {
        let text = fs::read_to_string(self.directory.join(file))?;
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
        let _ = fs::remove_dir(&self.directory);
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
