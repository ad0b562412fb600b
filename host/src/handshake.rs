//! The handshake of a control connection.

use std::sync::Arc;

use log::{info, warn};
use tokio::time::{Instant, timeout_at};
use wasmtime::component::Resource;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

use crate::bindings::ftpd::server::control::{HostHandshake, Protection};
use crate::control::Control;
use crate::now::now;
use crate::server::Shared;
use crate::session::SessionCtx;

/// A handshake of a control connection. It goes on while somebody waits for it.
pub struct Handshake {
    control: Arc<Control>,
    due: Instant,
    /// What protects the connection now, or nothing if it failed.
    over: Option<Option<String>>,
}

impl Handshake {
    /// Begin one. `host`: the name that the client has given.
    pub(crate) fn new(shared: &Shared, control: Arc<Control>, host: Option<&str>) -> Self {
        let due = Instant::now() + shared.config.limits.login;
        let mut handshake = Self { control, due, over: None };
        let started = match &shared.tls {
            None => Err("there is none".to_owned()),
            Some(tls) => match tls.bond(host) {
                Ok(bond) => handshake.control.start_tls(Arc::new(bond)).map_err(str::to_owned),
                Err(error) => Err(format!("{error:#}")),
            },
        };
        if let Err(reason) = started {
            handshake.fail(&reason);
        }
        handshake
    }

    fn fail(&mut self, reason: &str) {
        warn!("{}: no TLS: {reason}", self.control.remote);
        self.control.break_off();
        self.over = Some(None);
    }

    /// Wait until it is over; whether it succeeded. Cancel safe.
    pub(crate) async fn settle(&mut self) -> bool {
        while self.over.is_none() {
            match self.control.shake() {
                Ok(Ok(description)) => {
                    info!("{}: {description}", self.control.remote);
                    self.control.activity.touch();
                    self.over = Some(Some(description));
                }
                Ok(Err(interest)) => match timeout_at(self.due, self.control.socket.ready(interest)).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => self.fail(&error.to_string()),
                    Err(_) => self.fail("the handshake took too long"),
                },
                Err(error) => self.fail(&error.to_string()),
            }
        }
        matches!(self.over, Some(Some(_)))
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        if self.over.is_none() {
            self.fail("the handshake was given up");
        }
    }
}

#[async_trait]
impl Pollable for Handshake {
    async fn ready(&mut self) {
        self.settle().await;
    }
}

impl HostHandshake for SessionCtx {
    fn subscribe(&mut self, handshake: Resource<Handshake>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(&mut self.table, handshake)
    }

    fn finish(&mut self, handshake: Resource<Handshake>) -> wasmtime::Result<Option<Option<Protection>>> {
        let handshake = self.table.get_mut(&handshake)?;
        now(async {
            handshake.settle().await;
        });
        let over = handshake.over.clone();
        Ok(over.map(|protection| protection.map(|description| Protection { description })))
    }

    fn drop(&mut self, handshake: Resource<Handshake>) -> wasmtime::Result<()> {
        self.table.delete(handshake)?;
        Ok(())
    }
}
