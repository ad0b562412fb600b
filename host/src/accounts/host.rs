//! Accounts, as the guest has them.

use log::{info, warn};
use tokio::time::{Instant, sleep_until, timeout};

use super::{Account, Denial, LogIn, Proof};
use crate::bindings::ftpd::server::accounts as wit;
use crate::bindings::ftpd::server::control::Ending;
use crate::config::TlsPolicy;
use crate::events::What;
use crate::printable::Printable;
use crate::session::SessionCtx;
use crate::storage::is_normalised;
use crate::tls;

impl wit::Host for SessionCtx {
    async fn authenticate_by_certificate(&mut self, user: Vec<u8>) -> wasmtime::Result<Option<wit::Grant>> {
        let Some(certificate) = self.control()?.certificate() else { return Ok(None) };
        if !tls::names(&certificate).iter().any(|name| name.as_bytes() == user) {
            return Ok(None);
        }
        match self.check(user, Proof::Certificate).await? {
            Ok(account) => self.grant(account, true).await.map(Some),
            Err(_) => Ok(None),
        }
    }

    async fn authenticate(
        &mut self,
        user: Vec<u8>,
        password: Vec<u8>,
    ) -> wasmtime::Result<Result<wit::Grant, wit::Denial>> {
        let limits = &self.shared.config.limits;
        // A guest that goes on after it was told to end gets no more guesses.
        if self.login_failures >= limits.login_failures {
            return Ok(Err(wit::Denial::Denied));
        }
        let earliest = Instant::now() + limits.failure_delay;
        let protected = !self.must_be_protected() || self.control()?.protection().is_some();
        let checked = match protected {
            true => self.check(user.clone(), Proof::Password(password)).await?,
            false => Err(Denial::Unprotected),
        };
        let (peer, name) = (self.peer(), Printable(&user));
        let denial = match checked {
            Ok(account) => return self.grant(account, false).await.map(Ok),
            Err(Denial::Denied) => {
                self.login_failures += 1;
                warn!("{peer} {name}: log-in failed");
                // The same time for an unknown name and for a wrong password, and no more than so many guesses
                // a second.
                sleep_until(earliest).await;
                if self.login_failures >= self.shared.config.limits.login_failures {
                    self.control()?.activity.end(Ending::LoginFailures);
                }
                wit::Denial::Denied
            }
            Err(Denial::Unprotected) => {
                warn!("{peer} {name}: log-in refused without TLS");
                wit::Denial::Unprotected
            }
            Err(Denial::Unavailable) => {
                warn!("{peer} {name}: the accounts cannot be asked");
                wit::Denial::Unavailable
            }
        };
        self.report(What::LogInFailed { name: user }).await;
        Ok(Err(denial))
    }
}

impl SessionCtx {
    /// Whether nobody logs in without TLS.
    fn must_be_protected(&self) -> bool {
        self.shared.tls.as_ref().is_some_and(|tls| tls.settings.policy != TlsPolicy::Allowed)
    }

    /// Ask the accounts, when it is this session's turn.
    async fn check(&mut self, name: Vec<u8>, proof: Proof) -> wasmtime::Result<Result<Account, Denial>> {
        let control = self.control()?;
        let log_in = LogIn {
            name,
            proof,
            peer: control.remote,
            local: control.local,
            tls: control.protection().is_some(),
            host: self.host.clone(),
        };
        let shared = self.shared.clone();
        let answer = timeout(shared.config.limits.answer, async {
            // It is never closed.
            let _turn = shared.log_ins.acquire().await.map_err(|_| Denial::Unavailable)?;
            shared.accounts.authenticate(log_in).await
        });
        let answer = answer.await.unwrap_or(Err(Denial::Unavailable));
        self.waited();
        Ok(answer)
    }

    /// What a user who has logged in is given.
    async fn grant(&mut self, account: Account, by_certificate: bool) -> wasmtime::Result<wit::Grant> {
        let Account { name, root, mut start, permissions, message } = account;
        let how = if by_certificate { " with a certificate" } else { "" };
        info!("{} {}: logged in{how}", self.peer(), Printable(&name));
        if !is_normalised(&start) {
            warn!("{}: no directory to start in: {}", Printable(&name), Printable(&start));
            start = b"/".to_vec();
        }
        self.control()?.activity.logged_in();
        let volume = self.table.push(root.mount(permissions, self.shared.config.limits.answer))?;
        self.user = Some(name);
        self.report(What::LoggedIn { by_certificate }).await;
        Ok(wit::Grant { volume, start, message, charset: self.shared.config.charset.clone() })
    }
}
