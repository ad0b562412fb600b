//! Accounts, as the guest has them.

use log::{info, warn};
use tokio::time::{Instant, sleep_until};

use crate::bindings::ftpd::server::accounts::{Denial, Grant, Host};
use crate::bindings::ftpd::server::control::Ending;
use crate::events::Printable;
use crate::session::SessionCtx;

impl Host for SessionCtx {
    async fn authenticate(&mut self, user: Vec<u8>, password: Vec<u8>) -> wasmtime::Result<Result<Grant, Denial>> {
        let limits = &self.shared.config.limits;
        let (peer, name) = (self.peer(), Printable(&user));
        // A guest that goes on after it was told to end gets no more guesses.
        if self.login_failures >= limits.login_failures {
            return Ok(Err(Denial::Denied));
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
        self.control.activity.logged_in();
        let volume = self.table.push(self.shared.root.with_permissions(identity.permissions))?;
        self.user = Some(identity);
        Ok(Ok(Grant { volume, start: b"/".to_vec(), message: None, charset: self.shared.config.charset.clone() }))
    }
}
