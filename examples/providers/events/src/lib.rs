//! A log of transfers: a component of world `events-listener`, which writes to `transfers` in the directory that the
//! host lends it: when, who, from where, how much, what, and how it ended.

use std::fs::OpenOptions;
use std::io::Write;

use bindings::exports::ftpd::server::listener::{Direction, Event, Guest, Happening, Outcome};

#[allow(missing_docs, clippy::all, clippy::restriction, unsafe_op_in_unsafe_fn, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "events-listener" });
    use super::Log;
    export!(Log);
}

struct Log;

impl Guest for Log {
    fn on_event(event: Event) {
        let Happening::Transfer(transfer) = event.what else { return };
        let direction = match transfer.direction {
            Direction::Retrieve => "retrieved",
            Direction::Store => "stored",
            Direction::Append => "appended",
            Direction::Listing => "listed",
        };
        let outcome = match transfer.outcome {
            Outcome::Complete => "complete",
            Outcome::Aborted => "aborted",
            Outcome::Failed => "failed",
        };
        let line = format!(
            "{} {} {} {} {direction} {} {outcome}\n",
            event.time.0,
            event.user.unwrap_or_default().escape_ascii(),
            event.peer,
            transfer.octets,
            transfer.path.escape_ascii(),
        );
        let log = OpenOptions::new().create(true).append(true).open("/transfers");
        if let Err(error) = log.and_then(|mut log| log.write_all(line.as_bytes())) {
            // Lines here come out in the log of the host.
            eprintln!("cannot write /transfers: {error}");
        }
    }
}
