//! What the operator is told, on standard error. Names come from clients: they are written so that no terminal
//! and no log reader can be misled.

use std::cell::Cell;
use std::fmt;
use std::io::{Write, stderr};
use std::net::SocketAddr;

use log::{LevelFilter, Log, Metadata, Record, debug, info};
use wasi::clocks::wall_clock;
use wasi_ftpd::env::{Direction, Event, Outcome};
use wasi_ftpd::proto::entry::Time;
use wasi_ftpd::proto::time::Civil;

/// Report what is at most as detailed as `level`.
pub(crate) fn init(level: LevelFilter) {
    // Nobody else has set one.
    let _ = log::set_logger(&Reporter);
    log::set_max_level(level);
}

thread_local! {
    /// Whose session runs.
    static CLIENT: Cell<Option<SocketAddr>> = const { Cell::new(None) };
}

/// What is reported from now on is about this client.
pub(crate) fn about(client: Option<SocketAddr>) {
    CLIENT.set(client);
}

struct Reporter;

impl Log for Reporter {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let now = wall_clock::now();
        let now = Time { seconds: i64::try_from(now.seconds).unwrap_or(0), nanoseconds: now.nanoseconds };
        let Civil { year, month, day, hour, minute, second } = now.civil();
        let time = format_args!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
        let client = CLIENT.get().map_or_else(String::new, |client| format!("{client}: "));
        // There is nobody to tell that standard error is broken.
        let _ = writeln!(stderr(), "[{time} {:5}] {client}{}", record.level(), record.args());
    }

    fn flush(&self) {}
}

/// What a session has done.
pub(crate) fn event(user: &[u8], event: Event<'_>) {
    let user = Printable(user);
    match event {
        Event::Transfer { direction, path, octets, outcome } => {
            let what = match direction {
                Direction::Retrieve => "retrieved",
                Direction::Store => "stored",
                Direction::Append => "appended to",
                Direction::Listing => "listed",
            };
            let outcome = match outcome {
                Outcome::Complete => "complete",
                Outcome::Aborted => "aborted",
                Outcome::Failed => "failed",
            };
            info!("{user}: {what} {}: {outcome}, {octets} bytes", Printable(path.as_bytes()));
        }
        Event::Changed(verb, path) => info!("{user}: {verb} {}", Printable(path.as_bytes())),
        Event::Renamed(from, to) => {
            info!("{user}: renamed {} to {}", Printable(from.as_bytes()), Printable(to.as_bytes()));
        }
        Event::Refused(verb, code) => debug!("{user}: refused {verb} with {code}"),
    }
}

/// Octets from outside as text: control and formatting characters are escaped, and it has an end.
pub(crate) struct Printable<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.get(..MAX_SHOWN).unwrap_or(self.0);
        for chunk in shown.utf8_chunks() {
            // Debug's escapes cover control, formatting (bidirectional) and unassigned characters.
            write!(f, "{}", chunk.valid().escape_debug())?;
            for octet in chunk.invalid() {
                write!(f, "\\x{octet:02x}")?;
            }
        }
        if self.0.len() > shown.len() { f.write_str("…") } else { Ok(()) }
    }
}

/// Octets of a name in a line.
const MAX_SHOWN: usize = 1024;
