//! Events on their way from the sessions to the one who wants to know.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use log::warn;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

use super::{Event, Events, What};

/// The end where events come out.
pub(crate) type Waiting = Receiver<Option<Event>>;

/// Where sessions put events.
pub(crate) struct Feed {
    /// `None` comes last.
    queue: Sender<Option<Event>>,
    patience: Duration,
}

impl Feed {
    /// With the end where they come out.
    pub(crate) fn new(patience: Duration) -> (Self, Waiting) {
        let (queue, waiting) = channel(MAX_WAITING);
        (Self { queue, patience }, waiting)
    }

    /// Put one in, once there is room.
    pub(crate) async fn record(&self, peer: SocketAddr, user: Option<Vec<u8>>, what: What) {
        self.put(Some(Event { time: SystemTime::now(), peer, user, what })).await;
    }

    /// There will be no more.
    pub(crate) async fn end(&self) {
        self.put(None).await;
    }

    async fn put(&self, event: Option<Event>) {
        if !matches!(timeout(self.patience, self.queue.send(event)).await, Ok(Ok(()))) {
            warn!("an event is lost: whoever wanted to know is too slow, or has ended");
        }
    }
}

/// Take them out, to the last.
pub(crate) async fn deliver(sink: Arc<dyn Events>, mut waiting: Waiting, patience: Duration) {
    while let Some(Some(event)) = waiting.recv().await {
        if timeout(patience, sink.record(event)).await.is_err() {
            warn!("an event was not taken note of in {} seconds", patience.as_secs_f32());
        }
    }
}

/// Events that may wait: a moment of a busy server, in less than a MiB.
const MAX_WAITING: usize = 1024;
