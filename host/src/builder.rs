//! What a server is made of.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use tokio::sync::{Semaphore, watch};

use crate::accounts::Accounts;
use crate::config::Config;
use crate::engine::Engine;
use crate::events::{Events, Feed};
use crate::instance;
use crate::listen;
use crate::server::{Server, Shared};
use crate::tls::Tls;

/// What a server is made of; [`Server::builder`] begins one.
pub struct Builder {
    accounts: Arc<dyn Accounts>,
    config: Config,
    events: Option<Arc<dyn Events>>,
    listeners: Vec<StdListener>,
    implicit: Vec<StdListener>,
    component: Option<Vec<u8>>,
    #[cfg(feature = "native")]
    interpreter: Option<crate::native::Interpreter>,
}

impl Builder {
    pub(crate) fn new(accounts: Arc<dyn Accounts>) -> Self {
        let config = Config::default();
        Self {
            accounts,
            config,
            events: None,
            listeners: Vec::new(),
            implicit: Vec::new(),
            component: None,
            #[cfg(feature = "native")]
            interpreter: None,
        }
    }

    /// Addresses, ports, limits, TLS, in the place of the defaults and of every [`listen`](Self::listen) before.
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// Accept control connections there; may be called again for more. Port 0: any that is free.
    pub fn listen(mut self, address: impl Into<SocketAddr>) -> Self {
        self.config.listen.push(address.into());
        self
    }

    /// Accept control connections on a socket that listens already; may be called again for more. Active data
    /// connections come from the port below its own, if they can (RFC 959 §5.2).
    pub fn listener(mut self, listener: StdListener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// The same for connections that are protected from the first octet on. Needs TLS in the configuration.
    pub fn implicit_listener(mut self, listener: StdListener) -> Self {
        self.implicit.push(listener);
        self
    }

    /// Tell this one what happens.
    pub fn events(self, events: impl Events) -> Self {
        Self { events: Some(Arc::new(events)), ..self }
    }

    /// Run sessions in this component of world `session`, in the place of the one that was built with this crate. It
    /// is compiled by [`bind`](Self::bind).
    pub fn component(self, component: impl Into<Vec<u8>>) -> Self {
        Self { component: Some(component.into()), ..self }
    }

    /// Run sessions in no sandbox.
    #[cfg(feature = "native")]
    pub fn interpreter(self, interpreter: crate::native::Interpreter) -> Self {
        Self { interpreter: Some(interpreter), ..self }
    }

    /// Compile or load the component, read certificates, and bind every address. Must be called within a tokio
    /// runtime. Errors name what cannot be had and what to do.
    pub fn bind(self) -> Result<Server> {
        let Self { accounts, config, events, listeners, implicit, component, .. } = self;
        let connections = config.limits.connections;
        let instances = instance::most(connections);
        let engine = match &component {
            Some(component) => Engine::compile(instances, component),
            None => Engine::new(instances),
        };
        let engine = engine.with_context(|| format!("cannot make ready for {connections} connections; try fewer"))?;
        let listeners = bound(listeners, &config.listen, &config)?;
        let addresses = config.tls.as_ref().map_or(&[][..], |tls| &tls.implicit_listen);
        ensure!(implicit.is_empty() || config.tls.is_some(), "a listener for implicit TLS needs TLS");
        let implicit = bound(implicit, addresses, &config)?;
        ensure!(!listeners.is_empty() || !implicit.is_empty(), "nowhere to listen: give an address or a listener");
        let tls = match config.tls.clone() {
            None => None,
            Some(settings) => {
                let local = listeners.iter().chain(&implicit).map(|listener| Ok(listener.local_addr()?.ip()));
                let addresses = local.chain(config.public_address.map(Ok)).collect::<Result<Vec<_>>>()?;
                Some(Arc::new(Tls::new(settings, &addresses)?))
            }
        };
        let (feed, waiting) = events.is_some().then(|| Feed::new(config.limits.answer)).unzip();
        let shared = Shared {
            engine: Arc::new(engine),
            accounts,
            log_ins: Semaphore::new(MAX_LOG_INS),
            events: feed,
            tls,
            // The rest is for those who have shown that they mean it.
            handshakes: Semaphore::new(connections.div_ceil(2)),
            stop: watch::Sender::new(false),
            connections: Mutex::default(),
            config,
            #[cfg(feature = "native")]
            interpreter: self.interpreter,
        };
        Ok(Server { shared: Arc::new(shared), listeners, implicit, events: events.zip(waiting) })
    }
}

/// These listeners, and new ones for these addresses.
fn bound(given: Vec<StdListener>, addresses: &[SocketAddr], config: &Config) -> Result<Vec<StdListener>> {
    let given = given.into_iter().map(|listener| listen::given(listener).context("cannot use a listener"));
    given.chain(addresses.iter().map(|&address| listen::control(address, config))).collect()
}

/// Enough for a flood of log-ins at the start of a shift, and not so many that hashes of passwords keep every
/// processor from all else for long.
const MAX_LOG_INS: usize = 64;
