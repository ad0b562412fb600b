//! Access control: USER, PASS, REIN (RFC 959 §4.1.1), HOST (RFC 7151).

use std::rc::Rc;

use super::Session;
use super::names::Names;
use super::state::{Login, Parameters, User};
use crate::env::{Denial, Env, Grant};
use crate::proto::command::Name;
use crate::proto::path::VPath;
use crate::proto::reply::{Code, Reply};
use crate::proto::secret::Secret;

impl<E: Env> Session<'_, E> {
    /// HOST. The choice is over once the client has named a user (RFC 7151 §3.2).
    pub(super) fn host(&self, name: &[u8]) -> Result<Reply, Reply> {
        match self.login {
            Login::Nobody if !std::str::from_utf8(name).is_ok_and(|name| self.env.select_host(name)) => {
                Err(Reply::new(Code::NotForThatParameter, "No such host here"))
            }
            Login::Nobody => Ok(Reply::new(Code::ReadyForUser, "Ready for a user of that host")),
            Login::Named(_) | Login::User(_) => Err(Reply::new(Code::BadSequence, "HOST comes before USER")),
        }
    }

    /// USER, which also flushes a log-in before it; the transfer parameters stay. The reply is the same
    /// for every name, known or not (RFC 2577 §6).
    pub(super) async fn user_name(&mut self, name: Name) -> Result<Reply, Reply> {
        self.login = Login::Nobody;
        self.choose_names();
        self.may_log_in()?;
        if self.env.protection().is_some()
            && let Some(grant) = self.env.authenticate_by_certificate(&name).await
        {
            return self.admit(name, grant, Code::LoggedInByCertificate);
        }
        self.login = Login::Named(name);
        Ok(Reply::new(Code::NeedPassword, "Please give your password"))
    }

    pub(super) async fn password(&mut self, password: &Secret) -> Result<Reply, Reply> {
        let name = match std::mem::replace(&mut self.login, Login::Nobody) {
            Login::Named(name) => name,
            other => {
                self.login = other;
                return Err(Reply::new(Code::BadSequence, "Log in with USER first"));
            }
        };
        let grant = self.env.authenticate(&name, password).await.map_err(|denial| match denial {
            Denial::Denied => Reply::new(Code::NotLoggedIn, "Log-in incorrect"),
            Denial::Unprotected => Reply::new(Code::NotLoggedIn, "Please use AUTH TLS first"),
            Denial::Unavailable => Reply::new(Code::Leaving, "Accounts cannot be checked at the moment"),
        })?;
        self.admit(name, grant, Code::LoggedIn)
    }

    fn admit(&mut self, name: Name, grant: Grant<E::Volume>, code: Code) -> Result<Reply, Reply> {
        let directory = VPath::root().join(&grant.start)?;
        let names = Names::of(grant.charset.as_deref());
        self.login = Login::User(User { name, volume: Rc::new(grant.volume), directory, names });
        self.choose_names();
        Ok(match grant.message {
            Some(text) => Reply::lines(code, "Welcome", text.lines(), "Logged in"),
            None => Reply::new(code, "Logged in"),
        })
    }

    /// REIN: as after the greeting (RFC 959 §4.1.1), and in clear again if it was so then (RFC 4217 §11).
    pub(super) async fn reinitialize(&mut self) -> Result<Reply, Reply> {
        self.login = Login::Nobody;
        self.parameters = Parameters::default();
        self.choose_names();
        self.env.set_idle_limit(self.env.idle_limit().1);
        let ready = Reply::new(Code::ReadyForUser, "Ready for a new user");
        if self.env.protection().is_none() {
            return Ok(ready);
        }
        self.control.say(&ready);
        self.unprotect().await;
        self.parameters.security = Self::initial_security(self.env);
        Ok(Reply::silence(Code::ReadyForUser))
    }

    /// What the client asked for comes first, then what is configured.
    pub(super) fn choose_names(&mut self) {
        let configured = if let Login::User(user) = &self.login { user.names.clone() } else { Names::default() };
        self.control.names = match self.parameters.utf8 {
            Some(true) => Names::default(),
            Some(false) if configured == Names::default() => Names::legacy(),
            Some(false) | None => configured,
        };
    }
}
