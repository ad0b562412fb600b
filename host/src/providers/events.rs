//! A component that listens to events.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use anyhow::Result;
use log::warn;
use tokio::sync::Mutex;
use wasmtime::Store;
use wasmtime_wasi::filesystem::FsPerms;
use wasmtime_wasi_io::async_trait;

use super::Settings;
use super::bindings::events::exports::ftpd::server::listener as wit;
use super::bindings::events::{EventsListener as Instance, EventsListenerPre};
use super::component::{Ctx, Loaded};
use crate::events::{Direction, Event, Events, Outcome, What};

/// A component of world `events-listener`. One instance hears all events until it fails, or its file has changed.
#[derive(Clone)]
pub struct EventsListener {
    component: Arc<Loaded<EventsListenerPre<Ctx>>>,
    listening: Arc<Mutex<Option<Listening>>>,
}

/// An instance, and what it was made of.
struct Listening {
    form: Arc<EventsListenerPre<Ctx>>,
    instance: Instance,
    store: Store<Ctx>,
}

impl EventsListener {
    /// Compile it, or take what was compiled; blocks, for seconds maybe.
    pub fn load(settings: Settings) -> Result<Self> {
        let component = Loaded::new(settings, FsPerms::ReadWrite, EventsListenerPre::new)?;
        Ok(Self { component: Arc::new(component), listening: Arc::default() })
    }

    /// Read the file again, for events to come. It is logged if that fails, and then nothing changes. Blocks.
    pub fn reload(&self) {
        self.component.reload();
    }

    /// Reload it when its file has changed. Never ends.
    pub async fn watch(self) {
        self.component.watch().await;
    }

    async fn tell(&self, event: &wit::Event) -> Result<()> {
        let form = self.component.current();
        let mut place = self.listening.lock().await;
        // It is put back if all went well.
        let listening = place.take().filter(|listening| Arc::ptr_eq(&listening.form, &form));
        let mut listening = match listening {
            Some(listening) => listening,
            None => {
                let mut store = self.component.store()?;
                let instance = self.component.within(form.instantiate_async(&mut store)).await?;
                Listening { form, instance, store }
            }
        };
        let Listening { instance, store, .. } = &mut listening;
        self.component.within(instance.ftpd_server_listener().call_on_event(store, event)).await?;
        *place = Some(listening);
        Ok(())
    }
}

#[async_trait]
impl Events for EventsListener {
    async fn record(&self, event: Event) {
        if let Err(error) = self.tell(&event.into()).await {
            warn!("an event was not heard: {error:#}");
        }
    }
}

impl From<Event> for wit::Event {
    fn from(event: Event) -> Self {
        let since = event.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            time: (since.as_secs(), since.subsec_nanos()),
            peer: event.peer.ip().to_string(),
            user: event.user,
            what: match event.what {
                What::Connected => wit::Happening::Connected,
                What::LoggedIn { .. } => wit::Happening::LoggedIn,
                What::LogInFailed { name } => wit::Happening::LogInFailed(name),
                What::Transfer(transfer) => wit::Happening::Transfer(wit::Transfer {
                    direction: match transfer.direction {
                        Direction::Retrieve => wit::Direction::Retrieve,
                        Direction::Store => wit::Direction::Store,
                        Direction::Append => wit::Direction::Append,
                        Direction::Listing => wit::Direction::Listing,
                    },
                    path: transfer.path,
                    octets: transfer.octets,
                    outcome: match transfer.outcome {
                        Outcome::Complete => wit::Outcome::Complete,
                        Outcome::Aborted => wit::Outcome::Aborted,
                        Outcome::Failed => wit::Outcome::Failed,
                    },
                }),
                What::Changed { verb, path } => wit::Happening::Changed((verb, path)),
                What::Renamed { from, to } => wit::Happening::Renamed((from, to)),
                What::Refused { verb, code } => wit::Happening::Refused((verb, code)),
                What::Disconnected => wit::Happening::Disconnected,
            },
        }
    }
}
