//! The verb table: the source of gating, FEAT, HELP and of the generated tests.

use Argument::{None as No, Optional, Required};

/// The first word of a command that this server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is explained by its row")]
#[rustfmt::skip]
pub enum Verb {
    Abor, Acct, Allo, Appe, Cdup, Clnt, Cwd, Dele, Eprt, Epsv, Feat, Help, List, Mdtm, Mfmt, Mkd, Mlsd, Mlst,
    Mode, Nlst, Noop, Opts, Pass, Pasv, Port, Pwd, Quit, Rein, Rest, Retr, Rmd, Rnfr, Rnto, Site, Size, Stat,
    Stor, Stou, Stru, Syst, Type, User,
}

/// Whether a verb has an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// One is an error.
    None,
    /// Both ways have a meaning.
    Optional,
    /// Its absence is an error.
    Required,
}

/// What the table says of one name of a verb.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// The verb. X names of RFC 775 are names of the same verb.
    pub verb: Verb,
    /// Its name, upper case; any case is understood.
    pub name: &'static str,
    /// The argument, for HELP.
    pub syntax: &'static str,
    /// Whether there is one.
    pub argument: Argument,
    /// 530 before login.
    pub login: bool,
    /// Answered at once while a transfer runs, if it has no argument; all others wait for its end.
    pub during_transfer: bool,
    /// Its line in FEAT (RFC 2389 §3.2), if it has one. MLST's depends on OPTS and is made elsewhere.
    pub feature: Option<&'static str>,
    /// Where it is defined.
    pub rfc: &'static str,
}

impl Row {
    /// The row of a name, in any case.
    pub fn find(name: &[u8]) -> Option<&'static Self> {
        TABLE.iter().find(|row| row.name.as_bytes().eq_ignore_ascii_case(name))
    }
}

/// Defined by the RFCs, and not offered: 502 rather than 500 (RFC 959 §5.4).
pub fn is_known_elsewhere(name: &[u8]) -> bool {
    NOT_OFFERED.iter().any(|other| other.as_bytes().eq_ignore_ascii_case(name))
}

/// A line of HTTP or SMTP: another protocol's client was sent here, perhaps against its will (ALPACA).
pub fn is_foreign(name: &[u8]) -> bool {
    FOREIGN.iter().any(|other| other.as_bytes().eq_ignore_ascii_case(name))
}

const fn row(verb: Verb, name: &'static str, syntax: &'static str, argument: Argument, rfc: &'static str) -> Row {
    Row { verb, name, syntax, argument, login: true, during_transfer: false, feature: None, rfc }
}

impl Row {
    const fn open(mut self) -> Self {
        self.login = false;
        self
    }

    const fn at_once(mut self) -> Self {
        self.during_transfer = true;
        self
    }

    const fn feature(mut self, line: &'static str) -> Self {
        self.feature = Some(line);
        self
    }
}

/// Every name of every verb.
pub static TABLE: &[Row] = &[
    row(Verb::Abor, "ABOR", "", No, "959 §4.1.3").at_once(),
    row(Verb::Acct, "ACCT", "account", Required, "959 §4.1.1").open(),
    row(Verb::Allo, "ALLO", "size [R size]", Required, "959 §4.1.3"),
    row(Verb::Appe, "APPE", "pathname", Required, "959 §4.1.3"),
    row(Verb::Cdup, "CDUP", "", No, "959 §4.1.1"),
    row(Verb::Clnt, "CLNT", "name", Required, "(WinSCP, FileZilla)").open().feature("CLNT"),
    row(Verb::Cwd, "CWD", "pathname", Required, "959 §4.1.1"),
    row(Verb::Dele, "DELE", "pathname", Required, "959 §4.1.3"),
    row(Verb::Eprt, "EPRT", "|family|address|port|", Required, "2428 §2").feature("EPRT"),
    row(Verb::Epsv, "EPSV", "[1 | 2 | ALL]", Optional, "2428 §3").feature("EPSV"),
    row(Verb::Feat, "FEAT", "", No, "2389 §3").open(),
    row(Verb::Help, "HELP", "[verb]", Optional, "959 §4.1.3").open(),
    row(Verb::List, "LIST", "[options] [pathname]", Optional, "959 §4.1.3"),
    row(Verb::Mdtm, "MDTM", "pathname", Required, "3659 §3").feature("MDTM"),
    row(Verb::Mfmt, "MFMT", "time pathname", Required, "draft-somers-ftp-mfxx §3").feature("MFMT"),
    row(Verb::Mkd, "MKD", "pathname", Required, "959 §4.1.3"),
    row(Verb::Mlsd, "MLSD", "[pathname]", Optional, "3659 §7"),
    row(Verb::Mlst, "MLST", "[pathname]", Optional, "3659 §7"),
    row(Verb::Mode, "MODE", "S", Required, "959 §4.1.2"),
    row(Verb::Nlst, "NLST", "[options] [pathname]", Optional, "959 §4.1.3"),
    row(Verb::Noop, "NOOP", "", No, "959 §4.1.3").open().at_once(),
    row(Verb::Opts, "OPTS", "verb [options]", Required, "2389 §4").open(),
    row(Verb::Pass, "PASS", "password", Optional, "959 §4.1.1").open(),
    row(Verb::Pasv, "PASV", "", No, "959 §4.1.2"),
    row(Verb::Port, "PORT", "h1,h2,h3,h4,p1,p2", Required, "959 §4.1.2"),
    row(Verb::Pwd, "PWD", "", No, "959 §4.1.3"),
    row(Verb::Quit, "QUIT", "", No, "959 §4.1.1").open(),
    row(Verb::Rein, "REIN", "", No, "959 §4.1.1").open(),
    row(Verb::Rest, "REST", "offset", Required, "3659 §5").feature("REST STREAM"),
    row(Verb::Retr, "RETR", "pathname", Required, "959 §4.1.3"),
    row(Verb::Rmd, "RMD", "pathname", Required, "959 §4.1.3"),
    row(Verb::Rnfr, "RNFR", "pathname", Required, "959 §4.1.3"),
    row(Verb::Rnto, "RNTO", "pathname", Required, "959 §4.1.3"),
    row(Verb::Site, "SITE", "HELP", Required, "959 §4.1.3"),
    row(Verb::Size, "SIZE", "pathname", Required, "3659 §4").feature("SIZE"),
    row(Verb::Stat, "STAT", "[pathname]", Optional, "959 §4.1.3").at_once(),
    row(Verb::Stor, "STOR", "pathname", Required, "959 §4.1.3"),
    row(Verb::Stou, "STOU", "[pathname]", Optional, "959 §4.1.3"),
    row(Verb::Stru, "STRU", "F", Required, "959 §4.1.2"),
    row(Verb::Syst, "SYST", "", No, "959 §4.1.3").open(),
    row(Verb::Type, "TYPE", "A [N] | I | L 8", Required, "959 §4.1.2"),
    row(Verb::User, "USER", "name", Required, "959 §4.1.1").open(),
    row(Verb::Cdup, "XCUP", "", No, "775"),
    row(Verb::Cwd, "XCWD", "pathname", Required, "775"),
    row(Verb::Mkd, "XMKD", "pathname", Required, "775"),
    row(Verb::Pwd, "XPWD", "", No, "775"),
    row(Verb::Rmd, "XRMD", "pathname", Required, "775"),
];

const NOT_OFFERED: &[&str] = &[
    "ADAT", "AUTH", "CCC", "CONF", "ENC", "HOST", "LANG", "LPRT", "LPSV", "MFCT", "MFF", "MIC", "PBSZ", "PROT", "SMNT",
];

const FOREIGN: &[&str] =
    &["CONNECT", "DELETE", "EHLO", "GET", "HEAD", "HELO", "HOST:", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_sorted_enough_to_find() {
        for row in TABLE {
            let same = TABLE.iter().filter(|other| other.name == row.name).count();
            assert_eq!(same, 1, "{}", row.name);
            assert!(!is_known_elsewhere(row.name.as_bytes()) && !is_foreign(row.name.as_bytes()), "{}", row.name);
            assert!(std::ptr::eq(Row::find(row.name.to_lowercase().as_bytes()).unwrap(), row));
        }
    }
}
