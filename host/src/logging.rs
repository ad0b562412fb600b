//! Log lines on their way to standard error, by a thread of their own: whoever reads them may be slow, or
//! have stopped, and no session waits for that.

use std::io::{self, Write};
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use env_logger::{Builder, Target};

/// The thread that writes.
pub(crate) struct Log {
    lines: SyncSender<Line>,
}

enum Line {
    Text(Vec<u8>),
    /// All before it is written.
    Last(Sender<()>),
}

/// Write what passes `filter` from now on.
pub(crate) fn start(filter: &str) -> Log {
    let (lines, waiting) = sync_channel(MAX_WAITING);
    let lost = Arc::new(AtomicU64::new(0));
    let target = Queue { lines: lines.clone(), lost: lost.clone() };
    thread::spawn(move || write(&waiting, &lost, io::stderr()));
    Builder::new().parse_filters(filter).format_target(false).target(Target::Pipe(Box::new(target))).init();
    Log { lines }
}

impl Log {
    /// Wait a little for what has been said.
    pub(crate) fn finish(self) {
        let (written, wait) = channel();
        if self.lines.try_send(Line::Last(written)).is_ok() {
            let _ = wait.recv_timeout(PATIENCE);
        }
    }
}

// There is nobody to tell that standard error is broken.
fn write(waiting: &Receiver<Line>, lost: &AtomicU64, mut to: impl Write) {
    for first in waiting {
        let (mut text, mut last) = (Vec::new(), None);
        for line in iter::once(first).chain(waiting.try_iter()) {
            match line {
                Line::Text(line) => text.extend(line),
                Line::Last(written) => last = Some(written),
            }
            if last.is_some() || text.len() >= CHUNK {
                break;
            }
        }
        let count = lost.swap(0, Ordering::Relaxed);
        if count > 0 {
            let _ = writeln!(text, "[{count} lines of the log were lost: they were read too slowly]");
        }
        let _ = to.write_all(&text);
        if let Some(written) = last {
            let _ = written.send(());
            return;
        }
        // Who says something meanwhile need not wake this thread, which would cost a session more than all the rest.
        if text.len() < CHUNK {
            thread::sleep(GATHERING);
        }
    }
}

/// What the logger writes to: a line at each call.
struct Queue {
    lines: SyncSender<Line>,
    lost: Arc<AtomicU64>,
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(Line::Text(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines that may wait: a second of a busy server, and a few MiB.
const MAX_WAITING: usize = 16 * 1024;

/// How long lines may wait for more, to be written together.
const GATHERING: Duration = Duration::from_millis(10);

/// Octets that are written together, at least one line.
const CHUNK: usize = 64 * 1024;

/// How long a server that ends waits for the reader of its log.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells what is written, each time.
    struct Writes(Sender<Vec<u8>>);

    impl Write for Writes {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.send(octets.to_vec()).map_err(io::Error::other)?;
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn many_lines_do_not_wait_for_more() {
        let ((lines, waiting), (written, writes)) = (sync_channel(MAX_WAITING), channel());
        let line = vec![b'x'; 500];
        for _ in 1..MAX_WAITING {
            lines.try_send(Line::Text(line.clone())).unwrap();
        }
        thread::spawn(move || write(&waiting, &AtomicU64::new(0), Writes(written)));
        Log { lines }.finish();
        let octets: usize = writes.try_iter().map(|written| written.len()).sum();
        assert_eq!(octets, (MAX_WAITING - 1) * line.len());
    }

    #[test]
    fn a_line_is_written_at_once_and_those_that_follow_together() {
        let ((lines, waiting), (written, writes)) = (sync_channel(MAX_WAITING), channel());
        let lost = Arc::new(AtomicU64::new(0));
        let counted = lost.clone();
        thread::spawn(move || write(&waiting, &counted, Writes(written)));
        let say = |line: &str| lines.try_send(Line::Text(line.as_bytes().to_vec())).unwrap();
        say("one\n");
        assert_eq!(writes.recv().unwrap(), b"one\n");
        let mut rest = String::new();
        for number in 0..1000 {
            say(&format!("{number}\n"));
            rest += &format!("{number}\n");
        }
        lost.store(3, Ordering::Relaxed);
        let (last, wait) = channel();
        lines.try_send(Line::Last(last)).unwrap();
        wait.recv().unwrap();
        let written: Vec<Vec<u8>> = writes.iter().collect();
        // A machine that stands still for that long may split them.
        assert!(written.len() < 100, "{} writes", written.len());
        let written = String::from_utf8(written.concat()).unwrap();
        // The lost ones are told with the next that are written.
        let (loss, written): (Vec<&str>, Vec<&str>) = written.lines().partition(|line| line.starts_with('['));
        assert_eq!(loss, ["[3 lines of the log were lost: they were read too slowly]"]);
        assert_eq!(written, rest.lines().collect::<Vec<_>>());
    }
}
