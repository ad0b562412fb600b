//! A layer in front of `ftpd:server/events`: it lets pass what changes files, and nothing else.
//!
//! Composed into a session (`wac plug --plug quiet_events.wasm session.wasm`), it sits between the session and the
//! host. That is safe because events are plain records: whoever has taken over the session could have sent, or not
//! sent, the same ones without this layer.

mod bindings;

use bindings::exports::ftpd::server::events::{Event, Guest};
use bindings::ftpd::server::events::{Direction, record_event};

struct Quiet;

impl Guest for Quiet {
    fn record_event(event: Event) {
        let changes = match &event {
            Event::Transfer(transfer) => matches!(transfer.direction, Direction::Store | Direction::Append),
            Event::Changed(_) | Event::Renamed(_) => true,
            Event::Refused(_) => false,
        };
        if changes {
            record_event(&event);
        }
    }
}

bindings::export!(Quiet with_types_in bindings);
