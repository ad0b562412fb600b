//! What sessions report.

use log::{Level, info, log};

use super::{Direction, Outcome, Transfer, What};
use crate::bindings::ftpd::server::events as wit;
use crate::bindings::wasi::logging::logging;
use crate::printable::Printable;
use crate::session::SessionCtx;

impl wit::Host for SessionCtx {
    async fn record_event(&mut self, event: wit::Event) -> wasmtime::Result<()> {
        let what = What::from(event);
        let (peer, user) = (self.peer(), Printable(self.user.as_deref().unwrap_or(b"-")));
        match &what {
            What::Transfer(Transfer { direction, path, octets, outcome }) => {
                let direction = match direction {
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
                info!("{peer} {user}: {direction} {}: {outcome}, {octets} bytes", Printable(path));
            }
            What::Changed { verb, path } => {
                info!("{peer} {user}: {} {}", Printable(verb.as_bytes()), Printable(path));
            }
            What::Renamed { from, to } => info!("{peer} {user}: renamed {} to {}", Printable(from), Printable(to)),
            What::Refused { verb, code } => {
                log!(Level::Debug, "{peer} {user}: refused {} with {code}", Printable(verb.as_bytes()));
            }
            // The host's own.
            What::Connected | What::LoggedIn { .. } | What::LogInFailed { .. } | What::Disconnected => {}
        }
        self.report(what).await;
        Ok(())
    }
}

impl SessionCtx {
    /// Tell whoever wants to know.
    pub(crate) async fn report(&mut self, what: What) {
        if let (Some(feed), Ok(control)) = (&self.shared.events, self.control()) {
            feed.record(control.remote, self.user.clone(), what).await;
            self.waited();
        }
    }
}

impl From<wit::Event> for What {
    fn from(event: wit::Event) -> Self {
        match event {
            wit::Event::Transfer(wit::Transfer { direction, path, octets, outcome }) => {
                let direction = match direction {
                    wit::Direction::Retrieve => Direction::Retrieve,
                    wit::Direction::Store => Direction::Store,
                    wit::Direction::Append => Direction::Append,
                    wit::Direction::Listing => Direction::Listing,
                };
                let outcome = match outcome {
                    wit::Outcome::Complete => Outcome::Complete,
                    wit::Outcome::Aborted => Outcome::Aborted,
                    wit::Outcome::Failed => Outcome::Failed,
                };
                Self::Transfer(Transfer { direction, path, octets, outcome })
            }
            wit::Event::Changed((verb, path)) => Self::Changed { verb, path },
            wit::Event::Renamed((from, to)) => Self::Renamed { from, to },
            wit::Event::Refused((verb, code)) => Self::Refused { verb, code },
        }
    }
}

impl logging::Host for SessionCtx {
    fn log(&mut self, level: logging::Level, context: String, message: String) -> wasmtime::Result<()> {
        let level = match level {
            logging::Level::Trace => Level::Trace,
            logging::Level::Debug => Level::Debug,
            logging::Level::Info => Level::Info,
            logging::Level::Warn => Level::Warn,
            logging::Level::Error | logging::Level::Critical => Level::Error,
        };
        let (context, message) = (Printable(context.as_bytes()), Printable(message.as_bytes()));
        log!(target: "session", level, "{}: {context}: {message}", self.peer());
        Ok(())
    }
}
