//! Security: AUTH, PBSZ, PROT, CCC (RFC 2228, RFC 4217).

use super::Session;
use super::state::{Login, Parameters};
use crate::env::{Env, TlsPolicy};
use crate::proto::arguments::{Mechanism, Protection};
use crate::proto::reply::{Code, Reply};

/// How data connections are protected, and whether that was agreed on in the right order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Security {
    /// PBSZ was said.
    pub(super) buffer_size: bool,
    /// PROT P.
    pub(super) private: bool,
}

impl<E: Env> Session<'_, E> {
    /// AUTH: the handshake follows the reply. What the client has sent before it is dropped (CVE-2011-0411 and its
    /// kin), and so is a log-in (RFC 2228 §3).
    pub(super) async fn protect(&mut self, mechanism: Mechanism) -> Result<Reply, Reply> {
        self.offered()?;
        if self.env.protection().is_some() {
            return Err(Reply::new(Code::BadSequence, "Already protected"));
        }
        self.control.say(&Reply::new(Code::ProceedWithSecurity, "Begin the TLS handshake"));
        self.control.flush().await;
        self.control.forget_input();
        self.login = Login::Nobody;
        self.parameters = Parameters::default();
        // RFC 4217 §2 and the drafts before it: these two mean the data connections as well.
        self.parameters.security.private = matches!(mechanism, Mechanism::Ssl | Mechanism::TlsP);
        self.choose_names();
        match self.env.start_tls().await {
            Some(description) => {
                log::debug!("protected by {description}");
                Ok(Reply::silence(Code::ProceedWithSecurity))
            }
            None => Err(Reply::silence(Code::HandshakeFailed)),
        }
    }

    /// PBSZ: TLS needs no buffer of a size (RFC 4217 §9).
    pub(super) fn buffer_size(&mut self) -> Result<Reply, Reply> {
        self.protected()?;
        self.parameters.security.buffer_size = true;
        Ok(Reply::new(Code::Done, "PBSZ=0"))
    }

    pub(super) fn protect_data(&mut self, level: Protection) -> Result<Reply, Reply> {
        self.protected()?;
        if !self.parameters.security.buffer_size {
            return Err(Reply::new(Code::BadSequence, "PBSZ comes before PROT"));
        }
        match level {
            Protection::Private => {
                self.parameters.security.private = true;
                Ok(Reply::new(Code::Done, "Data connections are private"))
            }
            Protection::Clear if self.env.tls_policy() == TlsPolicy::RequiredForData => {
                Err(Reply::new(Code::PolicyForbids, "Data connections must be private here"))
            }
            Protection::Clear => {
                self.parameters.security.private = false;
                Ok(Reply::new(Code::Done, "Data connections are clear"))
            }
            // RFC 4217 §9: TLS has no such level.
            Protection::Safe | Protection::Confidential => {
                Err(Reply::new(Code::LevelNotSupported, "TLS has the levels C and P"))
            }
        }
    }

    /// CCC (RFC 4217 §12.3): the reply is the last that is protected.
    pub(super) async fn clear_commands(&mut self) -> Result<Reply, Reply> {
        self.offered()?;
        if self.env.protection().is_none() {
            return Err(Reply::new(Code::NotProtected, "Commands are clear already"));
        }
        if !self.env.may_stop_tls() {
            return Err(Reply::new(Code::PolicyForbids, "Commands stay protected here"));
        }
        self.control.say(&Reply::new(Code::Done, "Commands are clear now"));
        self.unprotect().await;
        Ok(Reply::silence(Code::Done))
    }

    /// Go back to a clear control connection, after all that was said.
    pub(super) async fn unprotect(&mut self) {
        self.control.flush().await;
        self.control.forget_input();
        self.env.stop_tls();
    }

    /// Before a log-in: what the policy demands.
    pub(super) fn may_log_in(&self) -> Result<(), Reply> {
        let required = matches!(self.env.tls_policy(), TlsPolicy::Required | TlsPolicy::RequiredForData);
        if required && self.env.protection().is_none() {
            return Err(Reply::new(Code::NotLoggedIn, "Please use AUTH TLS first"));
        }
        Ok(())
    }

    /// Before a transfer: whether its data connection is to be protected.
    pub(super) fn data_protection(&self) -> Result<bool, Reply> {
        let private = self.parameters.security.private;
        if !private && self.env.tls_policy() == TlsPolicy::RequiredForData {
            return Err(Reply::new(Code::DataUnprotected, "Use PROT P first"));
        }
        Ok(private)
    }

    /// What is agreed on before anything is said: implicit TLS means the data connections as well.
    pub(super) fn initial_security(env: &E) -> Security {
        let implicit = env.protection().is_some();
        Security { buffer_size: implicit, private: implicit }
    }

    fn offered(&self) -> Result<(), Reply> {
        if self.env.tls_policy() == TlsPolicy::Off {
            return Err(Reply::new(Code::NotOffered, "TLS is not configured"));
        }
        Ok(())
    }

    fn protected(&self) -> Result<(), Reply> {
        self.offered()?;
        if self.env.protection().is_none() {
            return Err(Reply::new(Code::BadSequence, "AUTH comes first"));
        }
        Ok(())
    }
}
