//! What the server says of itself: FEAT (RFC 2389), HELP, STAT (RFC 959 §4.1.3).

use super::error::usage;
use super::params::type_code;
use super::{Login, Session};
use crate::env::Env;
use crate::proto::reply::{Code, Reply};
use crate::proto::verb::{Row, TABLE};

impl<E: Env> Session<'_, E> {
    pub(super) fn features(&self) -> Reply {
        let mut lines: Vec<String> = TABLE.iter().filter_map(|row| row.feature).map(str::to_owned).collect();
        lines.push(self.parameters.facts.feature());
        // RFC 3659 §6 and RFC 2640 §3.2: names without a verb of their own.
        lines.extend(["TVFS".to_owned(), "UTF8".to_owned()]);
        lines.sort_unstable();
        Reply::lines(Code::SystemStatus, "Features:", lines, "End")
    }

    pub(super) fn status(&self) -> Reply {
        Reply::lines(Code::SystemStatus, "FTP server status:", self.status_lines("No transfer in progress"), "End")
    }

    pub(super) fn status_lines(&self, transfer: &str) -> Vec<Vec<u8>> {
        let mut user = b"Logged in as ".to_vec();
        match &self.login {
            Login::User(known) => user.extend_from_slice(&known.name),
            Login::Nobody | Login::Named(_) => user = b"Not logged in".to_vec(),
        }
        vec![
            format!("Connected from {}", self.env.remote_address().ip()).into_bytes(),
            user,
            format!("TYPE {}; STRU F; MODE S", type_code(self.parameters.representation)).into_bytes(),
            transfer.as_bytes().to_vec(),
        ]
    }
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
