//! Log lines on their way to standard error, by a thread of their own: whoever reads them may be slow, or
//! have stopped, and no session waits for that.

use std::io::{self, Write};
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
    thread::spawn(move || write(&waiting, &lost));
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
fn write(waiting: &Receiver<Line>, lost: &AtomicU64) {
    for line in waiting {
        match line {
            Line::Text(text) => {
                let _ = io::stderr().write_all(&text);
            }
            Line::Last(written) => {
                let _ = written.send(());
                return;
            }
        }
        let count = lost.swap(0, Ordering::Relaxed);
        if count > 0 {
            let _ = writeln!(io::stderr(), "[{count} lines of the log were lost: they were read too slowly]");
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

/// How long a server that ends waits for the reader of its log.
const PATIENCE: Duration = Duration::from_secs(1);
