//! Where data connections come from: PORT, PASV (RFC 959 §4.1.2), EPRT, EPSV (RFC 2428), LPRT, LPSV
//! (RFC 1639).

use std::net::{IpAddr, SocketAddr};

use super::Session;
use super::error::no_port;
use crate::env::{DataError, Env};
use crate::proto::address::{self, is_bounce, meant};
use crate::proto::command::Epsv;
use crate::proto::reply::{Code, Reply};

impl<E: Env> Session<'_, E> {
    /// PORT, EPRT and LPRT. The host checks the address again, by its own rules.
    pub(super) fn active(&mut self, to: SocketAddr) -> Result<Reply, Reply> {
        self.not_extended_only()?;
        self.parameters.port = None;
        let client = self.env.remote_address().ip();
        let to = meant(to, client);
        // RFC 2577 §3: 504 for what would be a bounce, before any packet.
        if is_bounce(to, client) {
            return Err(no_port(DataError::Refused));
        }
        self.parameters.port = Some(self.env.active(to).map_err(no_port)?);
        Ok(Reply::new(Code::Done, "OK"))
    }

    pub(super) fn passive(&mut self) -> Result<Reply, Reply> {
        self.not_extended_only()?;
        if !self.env.local_address().is_ipv4() {
            return Err(Reply::new(Code::BadProtocolFamily, "PASV has no form for IPv6; use EPSV"));
        }
        let address = self.listen()?;
        let IpAddr::V4(ip) = address.ip().to_canonical() else {
            self.parameters.port = None;
            return Err(Reply::new(Code::BadProtocolFamily, "PASV has no form for IPv6; use EPSV"));
        };
        let text = format!("Entering Passive Mode ({})", address::host_port(ip, address.port()));
        Ok(Reply::new(Code::EnteringPassive, text))
    }

    pub(super) fn long_passive(&mut self) -> Result<Reply, Reply> {
        self.not_extended_only()?;
        let text = format!("Entering Long Passive Mode ({})", address::long_host_port(self.listen()?));
        Ok(Reply::new(Code::EnteringLongPassive, text))
    }

    pub(super) fn extended_passive(&mut self, which: Epsv) -> Result<Reply, Reply> {
        let v4 = self.env.local_address().is_ipv4();
        match which {
            Epsv::All => {
                self.parameters.extended_only = true;
                return Ok(Reply::new(Code::Done, "Only EPSV from now on"));
            }
            // The data connection runs over the protocol of the control connection (RFC 2428 §3).
            Epsv::V4 if !v4 => {
                return Err(Reply::new(Code::BadProtocolFamily, "Network protocol not supported, use (2)"));
            }
            Epsv::V6 if v4 => {
                return Err(Reply::new(Code::BadProtocolFamily, "Network protocol not supported, use (1)"));
            }
            Epsv::Same | Epsv::V4 | Epsv::V6 => {}
        }
        let port = self.listen()?.port();
        // Nothing behind the parenthesis: busybox reads to the end of the line.
        Ok(Reply::new(Code::EnteringExtendedPassive, format!("Entering Extended Passive Mode (|||{port}|)")))
    }

    fn listen(&mut self) -> Result<SocketAddr, Reply> {
        // The old port is given back before another is asked for.
        self.parameters.port = None;
        let port = self.env.passive().map_err(no_port)?;
        let address = self.env.port_address(&port);
        self.parameters.port = Some(port);
        Ok(address)
    }

    /// RFC 2428 §4: after EPSV ALL, every other way to set up a data connection is refused.
    fn not_extended_only(&self) -> Result<(), Reply> {
        if self.parameters.extended_only {
            return Err(Reply::new(Code::BadSequence, "Only EPSV is allowed after EPSV ALL"));
        }
        Ok(())
    }

    /// ABOR when no transfer runs: the data port is closed (RFC 959 §4.1.3).
    pub(super) fn abort_nothing(&mut self) -> Reply {
        self.parameters.port = None;
        Reply::new(Code::AbortComplete, "No transfer to abort")
    }
}
