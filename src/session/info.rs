//! What the server says of itself: FEAT (RFC 2389), HELP, STAT (RFC 959 §4.1.3), LANG (RFC 2640), CSID.

use super::error::usage;
use super::params::{mode_code, structure_code, type_code};
use super::{Login, Session};
use crate::env::{Abilities, Env, TlsPolicy};
use crate::proto::checksum::Algorithm;
use crate::proto::reply::{Code, Reply};
use crate::proto::site;
use crate::proto::verb::{Row, TABLE, Verb};

impl<E: Env> Session<'_, E> {
    pub(super) fn features(&self) -> Reply {
        let Abilities { modes, space } = self.env.abilities();
        let offered = TABLE.iter().filter(|row| space || row.verb != Verb::Avbl);
        let mut lines: Vec<String> = offered.filter_map(|row| row.feature).map(str::to_owned).collect();
        lines.push(self.parameters.facts.feature(modes));
        let algorithm =
            |one: Algorithm| format!("{}{};", one.name(), if one == self.parameters.algorithm { "*" } else { "" });
        lines.push(format!("HASH {}", Algorithm::ALL.map(algorithm).concat()));
        let created = self.user().is_ok_and(|user| self.env.permissions(&user.volume).set_created);
        lines.extend(created.then(|| "MFCT".to_owned()));
        let (create, mode) = (if created { "Create;" } else { "" }, if modes { "UNIX.mode;" } else { "" });
        lines.push(format!("MFF {create}Modify;{mode}"));
        if self.env.tls_policy() != TlsPolicy::Off {
            lines.extend(["AUTH TLS", "PBSZ", "PROT"].map(str::to_owned));
            lines.extend(self.env.may_stop_tls().then(|| "CCC".to_owned()));
        }
        let offered = site::TABLE.iter().filter(|row| modes || !row.modes);
        lines.extend(offered.map(|row| format!("SITE {}", row.name)));
        // RFC 3659 §6 and RFC 2640 §3.2: names without a verb of their own.
        lines.extend(["TVFS".to_owned(), "UTF8".to_owned()]);
        lines.sort_unstable();
        Reply::lines(Code::SystemStatus, "Features:", lines, "End")
    }

    pub(super) fn status(&self) -> Reply {
        Reply::lines(Code::SystemStatus, "FTP server status:", self.status_lines("No transfer in progress"), "End")
    }

    pub(super) fn status_lines(&self, transfer: &str) -> Vec<Vec<u8>> {
        let format = self.parameters.format;
        let level = if self.parameters.security.private { "P" } else { "C" };
        let mut user = b"Logged in as ".to_vec();
        match &self.login {
            Login::User(known) => user.extend_from_slice(&known.name),
            Login::Nobody | Login::Named(_) => user = b"Not logged in".to_vec(),
        }
        vec![
            format!("Connected from {}", self.env.remote_address().ip()).into_bytes(),
            user,
            format!(
                "TYPE {}; STRU {}; MODE {}",
                type_code(format.representation),
                structure_code(format.structure),
                mode_code(format.mode)
            )
            .into_bytes(),
            match self.env.protection() {
                Some(protection) => format!("Protected by {protection}; PROT {}", level).into_bytes(),
                None => b"Not protected".to_vec(),
            },
            transfer.as_bytes().to_vec(),
        ]
    }
}

/// LANG: this server speaks English (RFC 2640 §4.1).
pub(super) fn language(tag: Option<&[u8]>) -> Result<Reply, Reply> {
    let tag = tag.unwrap_or(b"EN").trim_ascii().to_ascii_lowercase();
    let mut parts = tag.split(|&octet| octet == b'-');
    match parts.next() {
        Some(b"en") => Ok(Reply::new(Code::Done, "Language is EN")),
        _ if tag.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-') => {
            Err(Reply::new(Code::NotForThatParameter, "Only EN is spoken"))
        }
        _ => Err(Reply::new(Code::ArgumentError, "Not a language tag")),
    }
}

/// CSID (draft-peterson-streamlined §6): what client and server tell each other of themselves.
pub(super) fn identify() -> Reply {
    let version = env!("CARGO_PKG_VERSION");
    Reply::new(Code::Done, format!("Name=wasi-ftpd; Version={version}; OS=WASI; CaseSensitive=1; DirSep=/;"))
}

pub(super) fn help() -> Reply {
    let names: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
    Reply::lines(Code::HelpText, "Commands:", names.chunks(8).map(|names| names.join(" ")), "HELP verb tells more")
}

pub(super) fn help_on(verb: &[u8]) -> Result<Reply, Reply> {
    match Row::find(verb.trim_ascii()) {
        Some(row) => Ok(Reply::new(Code::HelpText, format!("Syntax: {}", usage(row)))),
        None => Err(Reply::new(Code::ArgumentError, "No such command")),
    }
}
