//! Accounts, as the guest has them.

use log::{info, warn};
use tokio::time::{Instant, sleep_until};

use super::Identity;
use crate::bindings::ftpd::server::accounts::{Denial, Grant, Host};
use crate::bindings::ftpd::server::control::Ending;
use crate::config::TlsPolicy;
use crate::events::Printable;
use crate::session::SessionCtx;
use crate::tls;

impl Host for SessionCtx {
    fn authenticate_by_certificate(&mut self, user: Vec<u8>) -> wasmtime::Result<Option<Grant>> {
        let Some(certificate) = self.control.certificate() else { return Ok(None) };
        if !tls::names(&certificate).iter().any(|name| name.as_bytes() == user) {
            return Ok(None);
        }
        let Some(identity) = self.shared.config.accounts.named(&user) else { return Ok(None) };
        info!("{} {}: logged in with a certificate", self.peer(), Printable(&user));
        self.grant(identity).map(Some)
    }

    async fn authenticate(&mut self, user: Vec<u8>, password: Vec<u8>) -> wasmtime::Result<Result<Grant, Denial>> {
        let limits = &self.shared.config.limits;
        let (peer, name) = (self.peer(), Printable(&user));
        // A guest that goes on after it was told to end gets no more guesses.
        if self.login_failures >= limits.login_failures {
            return Ok(Err(Denial::Denied));
        }
        if self.must_be_protected() && self.control.protection().is_none() {
            warn!("{peer} {name}: log-in refused without TLS");
            return Ok(Err(Denial::Unprotected));
        }
        let earliest = Instant::now() + limits.failure_delay;
        let Some(identity) = self.shared.config.accounts.check(&user, &password) else {
            self.login_failures += 1;
            warn!("{peer} {name}: log-in failed");
            // The same time for an unknown name and for a wrong password, and no more than so many guesses
            // a second.
            sleep_until(earliest).await;
            if self.login_failures >= self.shared.config.limits.login_failures {
                self.control.activity.end(Ending::LoginFailures);
            }
            return Ok(Err(Denial::Denied));
        };
        info!("{peer} {name}: logged in");
        self.grant(identity).map(Ok)
    }
}

impl SessionCtx {
    /// Whether nobody logs in without TLS.
    fn must_be_protected(&self) -> bool {
        self.shared.tls.as_ref().is_some_and(|tls| tls.settings.policy != TlsPolicy::Allowed)
    }

    /// What a user who has logged in is given.
    fn grant(&mut self, identity: Identity) -> wasmtime::Result<Grant> {
        self.control.activity.logged_in();
        let volume = self.table.push(self.shared.root.with_permissions(identity.permissions))?;
        self.user = Some(identity);
        Ok(Grant { volume, start: b"/".to_vec(), message: None, charset: self.shared.config.charset.clone() })
    }
}
