//! The listeners, and who may connect.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Instant;

use log::{error, warn};
use wasi::filesystem::types::Descriptor;
use wasi_ftpd::wasi::wait::until;

use crate::accounts::Accounts;
use crate::admission::{Admission, Connections};
use crate::clock::{before, sleep_until};
use crate::connection::Connection;
use crate::limits::{ACCEPT_PAUSE, GRACE, share};
use crate::net::{Listener, Stream};
use crate::options::Options;
use crate::report;
use crate::session::Session;
use crate::storage::Locks;
use crate::tasks::Tasks;

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) accounts: Accounts,
    /// The directory that is served.
    pub(crate) root: Rc<Descriptor>,
    pub(crate) locks: Locks,
    pub(crate) tasks: Rc<Tasks>,
    connections: Rc<RefCell<Connections>>,
    /// Clients that are being turned away.
    refusals: Rc<()>,
}

impl Shared {
    pub(crate) fn new(options: Options, accounts: Accounts, root: Descriptor) -> Rc<Self> {
        Rc::new(Self {
            options,
            accounts,
            root: Rc::new(root),
            locks: Locks::default(),
            tasks: Rc::default(),
            connections: Rc::default(),
            refusals: Rc::default(),
        })
    }
}

/// Accept clients for ever, each into a session of its own.
pub(crate) async fn serve(shared: Rc<Shared>, listener: Listener) {
    loop {
        match listener.try_accept() {
            Ok(Some(stream)) => greet(&shared, stream),
            Ok(None) => until(listener.signal()).await,
            Err(code) => {
                error!("cannot accept connections: {code}");
                sleep_until(Instant::now() + ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Start a session, or turn the client away.
fn greet(shared: &Rc<Shared>, stream: Stream) {
    let client = stream.remote;
    match Admission::new(&shared.connections, &shared.options.limits, client.ip()) {
        Some(admission) => {
            stream.keep_alive();
            let control = Connection::new(stream, shared.tasks.clone(), admission.clone(), None);
            let session = Session::new(shared.clone(), control, admission);
            shared.tasks.spawn(about(client, session.run()));
        }
        None => {
            warn!("{client}: turned away, too many connections");
            if let Some(refusal) = share(&shared.refusals, REFUSALS) {
                shared.tasks.spawn(refuse(stream, refusal));
            }
        }
    }
}

/// Whatever is reported while `future` runs is about its client.
async fn about(client: SocketAddr, future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    poll_fn(|context| {
        report::about(Some(client));
        let polled = future.as_mut().poll(context);
        report::about(None);
        polled
    })
    .await;
}

/// Say why. What is written fits in any buffer, so that nothing is waited for when the stream is dropped.
async fn refuse(stream: Stream, _refusal: Rc<()>) {
    let _ = before(Instant::now() + GRACE, stream.output.write_some(TOO_MANY)).await;
}

/// RFC 959 §5.4.
const TOO_MANY: &[u8] = b"421 Too many connections, please try again later\r\n";

/// Clients that are turned away with a word at the same time; the others without.
const REFUSALS: usize = 16;
