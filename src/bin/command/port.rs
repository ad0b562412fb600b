//! Where data connections come from, and to whom they may go.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use log::{debug, warn};
use wasi::random::random::get_random_u64;
use wasi::sockets::network::ErrorCode;
use wasi_ftpd::env::DataError;

use crate::clock::{before, wake_at};
use crate::limits::{ACCEPT_PAUSE, DATA_CONNECTION};
use crate::net::{Listener, Stream};
use crate::options::{ActivePort, Options};

/// The next data connection.
pub(crate) struct Port {
    /// What to tell the client of a passive port; what was given for an active one.
    pub(crate) address: SocketAddr,
    kind: Kind,
    /// Of those that a session may have.
    pub(crate) share: Rc<()>,
}

enum Kind {
    Passive(Rc<Passive>),
    /// Checked, and no packet sent.
    Active {
        local: SocketAddr,
        from: ActivePort,
    },
}

impl Port {
    /// A port to which the client at `remote` connects, on the address that it reached us by.
    pub(crate) fn passive(
        options: &Options,
        local: SocketAddr,
        remote: SocketAddr,
        share: Rc<()>,
    ) -> Result<(Self, Rc<Passive>), DataError> {
        let listener = listen_within(options, local).ok_or(DataError::NoPort)?;
        let ip = options.public_address.filter(|public| public.is_ipv4() == local.is_ipv4()).unwrap_or(local.ip());
        let address = SocketAddr::new(ip, listener.address().port());
        let passive = Rc::new(Passive::new(listener, remote.ip()));
        Ok((Self { address, kind: Kind::Passive(passive.clone()), share }, passive))
    }

    /// A port of the client's. Error `Refused` for every address but its own, and for ports that services may
    /// listen on (RFC 2577 §3).
    pub(crate) fn active(
        options: &Options,
        local: SocketAddr,
        remote: SocketAddr,
        to: SocketAddr,
        share: Rc<()>,
    ) -> Result<Self, DataError> {
        if to.ip().to_canonical() != remote.ip() || to.port() < FIRST_USER_PORT {
            warn!("refused a data connection to {to}");
            return Err(DataError::Refused);
        }
        // The peer's own address: it has the scope of a link-local one.
        let mut address = remote;
        address.set_port(to.port());
        Ok(Self { address, kind: Kind::Active { local, from: options.active_port }, share })
    }

    /// The data connection.
    pub(crate) async fn open(&self) -> Result<Stream, DataError> {
        match &self.kind {
            Kind::Passive(passive) => passive.arrived().await,
            Kind::Active { local, from } => {
                let connected = before(Instant::now() + DATA_CONNECTION, connect(*local, *from, self.address)).await;
                connected.unwrap_or(Err(DataError::Timeout))
            }
        }
    }
}

/// A listener for one client.
pub(crate) struct Passive {
    client: IpAddr,
    due: Instant,
    state: RefCell<State>,
}

enum State {
    Listening(Listener),
    Arrived(Stream),
    Over(DataError),
}

impl Passive {
    fn new(listener: Listener, client: IpAddr) -> Self {
        let state = RefCell::new(State::Listening(listener));
        let passive = Self { client, due: Instant::now() + DATA_CONNECTION, state };
        passive.settle();
        passive
    }

    /// Accept the client, and turn strangers away, who do not use the port up: whether or not a transfer waits for
    /// it, so that they never fill the queue in front of the client. Give the port back when nobody came in time.
    /// The future that is being polled will be polled again when there is more to do.
    pub(crate) fn settle(&self) {
        let mut state = self.state.borrow_mut();
        while let State::Listening(listener) = &*state {
            match listener.try_accept() {
                Ok(Some(stream)) if stream.remote.ip() == self.client => *state = State::Arrived(stream),
                Ok(Some(stranger)) => warn!("{} came to the passive port of {}", stranger.remote, self.client),
                _ if Instant::now() >= self.due => *state = State::Over(DataError::Timeout),
                Ok(None) => {
                    listener.signal().take();
                    listener.signal().wake();
                    return wake_at(self.due);
                }
                Err(code) => {
                    // Such as no descriptor, which does not even wait for a client.
                    warn!("passive port: {code}");
                    return wake_at(Instant::now() + ACCEPT_PAUSE);
                }
            }
        }
    }

    async fn arrived(&self) -> Result<Stream, DataError> {
        poll_fn(|_| {
            self.settle();
            match self.state.replace(State::Over(DataError::NoPort)) {
                State::Arrived(stream) => Poll::Ready(Ok(stream)),
                State::Over(error) => Poll::Ready(Err(error)),
                listening => {
                    self.state.replace(listening);
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// Listen on a port of the passive range that is free, starting anywhere: a predictable one is easier to steal.
fn listen_within(options: &Options, local: SocketAddr) -> Option<Listener> {
    let range = &options.passive_ports;
    let (first, count) = (u64::from(*range.start()), u64::try_from(range.len()).ok()?);
    let start = get_random_u64() % count.max(1);
    (0..count.min(MAX_TRIES)).find_map(|step| {
        let mut address = local;
        address.set_port(u16::try_from(first + (start + step) % count).ok()?);
        Listener::new(address, PASSIVE_BACKLOG).ok()
    })
}

/// Connect to a client from the port that it expects.
async fn connect(local: SocketAddr, active_port: ActivePort, to: SocketAddr) -> Result<Stream, DataError> {
    let mut from = local;
    from.set_port(from_port(active_port, local.port()));
    match Stream::connect(from, to).await {
        // The port beside the control port is a custom (RFC 959 §5.2), and may be somebody else's, or in TIME_WAIT
        // together with the client's.
        Err(code) if active_port == ActivePort::BesideControl && is_the_ports(code) => {
            debug!("port {} for active data connections: {code}; using another", from.port());
            from.set_port(0);
            Stream::connect(from, to).await
        }
        connected => connected,
    }
    .map_err(|code| {
        if is_the_ports(code) {
            warn!("port {} for active data connections: {code}", from.port());
            DataError::NoPort
        } else {
            DataError::Unreachable
        }
    })
}

/// The local port of active data connections; 0: any.
pub(crate) fn from_port(active_port: ActivePort, control: u16) -> u16 {
    match active_port {
        ActivePort::BesideControl => control.saturating_sub(1),
        ActivePort::Fixed(port) => port,
        ActivePort::Any => 0,
    }
}

/// Errors of the local port, and not of the client.
fn is_the_ports(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::AccessDenied | ErrorCode::AddressInUse | ErrorCode::AddressNotBindable | ErrorCode::NewSocketLimit
    )
}

/// Ports below are those of services.
const FIRST_USER_PORT: u16 = 1024;

/// Ports of the passive range that are tried: almost all of them are free in a sane set-up.
const MAX_TRIES: u64 = 256;

/// Connections that may wait on a passive port until somebody looks.
const PASSIVE_BACKLOG: u64 = 64;
