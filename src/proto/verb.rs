//! The verb table: the source of gating, FEAT, HELP and of the generated tests.

use Argument::{None as No, Optional, Required};

/// The first word of a command that this server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is explained by its row")]
#[rustfmt::skip]
pub enum Verb {
    Abor, Acct, Allo, Appe, Auth, Avbl, Ccc, Cdup, Clnt, Comb, Csid, Cwd, Dele, Eprt, Epsv, Feat, Hash, Help, Host, Lang,
    List, Lprt, Lpsv, Md5, Mdtm, Mfct, Mff, Mfmt, Mkd, Mlsd, Mlst, Mode, Nlst, Noop, Opts, Pass, Pasv, Pbsz, Port,
    Pret, Prot, Pwd, Quit, Rang, Rein, Rest, Retr, Rmd, Rmda, Rnfr, Rnto, Site, Size, Smnt, Stat, Stor, Stou, Stru,
    Syst, Type, User, Xcrc, Xmd5, Xsha1, Xsha256, Xsha512,
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
    /// Its line in FEAT (RFC 2389 §3.2), if it has one that never changes. Those that depend on OPTS or on
    /// the storage are made elsewhere.
    pub feature: Option<&'static str>,
    /// Where it is defined.
    pub rfc: &'static str,
    /// What it may be answered (RFC 959 §5.4), besides what holds for every verb: 421, 500 for a line that is
    /// too long, 501, and 530 before login.
    pub replies: &'static [u16],
}

impl Row {
    /// The row of a name, in any case.
    pub fn find(name: &[u8]) -> Option<&'static Self> {
        let upper = || name.iter().map(u8::to_ascii_uppercase);
        let found = TABLE.binary_search_by(|row| row.name.bytes().cmp(upper())).ok()?;
        TABLE.get(found)
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

const fn row(
    verb: Verb,
    name: &'static str,
    syntax: &'static str,
    argument: Argument,
    rfc: &'static str,
    replies: &'static [u16],
) -> Row {
    Row { verb, name, syntax, argument, login: true, during_transfer: false, feature: None, rfc, replies }
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

/// Every name of every verb, in order.
pub static TABLE: &[Row] = &[
    row(Verb::Abor, "ABOR", "", No, "959 §4.1.3", &[226]).at_once(),
    row(Verb::Acct, "ACCT", "account", Required, "959 §4.1.1", &[202]).open(),
    row(Verb::Allo, "ALLO", "size [R size]", Required, "959 §4.1.3", &[200, 552]),
    row(
        Verb::Appe,
        "APPE",
        "pathname",
        Required,
        "959 §4.1.3",
        &[110, 150, 226, 425, 426, 450, 451, 504, 521, 550, 552, 553, 554],
    ),
    row(Verb::Auth, "AUTH", "TLS | TLS-C | SSL | TLS-P", Required, "2228 §3, 4217 §4", &[234, 502, 503, 504]).open(),
    row(Verb::Avbl, "AVBL", "[pathname]", Optional, "draft-peterson-streamlined §4", &[213, 550]).feature("AVBL"),
    row(Verb::Ccc, "CCC", "", No, "2228 §3, 4217 §6", &[200, 502, 533, 534]),
    row(Verb::Cdup, "CDUP", "", No, "959 §4.1.1", &[250, 550]),
    row(Verb::Clnt, "CLNT", "name", Required, "(WinSCP, FileZilla)", &[200]).open().feature("CLNT"),
    row(Verb::Comb, "COMB", "target source ...", Required, "(GlobalSCAPE, CuteFTP)", &[250, 450, 451, 550, 552])
        .feature("COMB"),
    row(Verb::Csid, "CSID", "[name=value; ...]", Optional, "draft-peterson-streamlined §6", &[200])
        .open()
        .feature("CSID"),
    row(Verb::Cwd, "CWD", "pathname", Required, "959 §4.1.1", &[250, 550]),
    row(Verb::Dele, "DELE", "pathname", Required, "959 §4.1.3", &[250, 550]),
    row(Verb::Eprt, "EPRT", "|family|address|port|", Required, "2428 §2", &[200, 503, 504, 522]).feature("EPRT"),
    row(Verb::Epsv, "EPSV", "[1 | 2 | ALL]", Optional, "2428 §3", &[200, 229, 522]).feature("EPSV"),
    row(Verb::Feat, "FEAT", "", No, "2389 §3", &[211]).open(),
    row(Verb::Hash, "HASH", "pathname", Required, "draft-bryan-ftpext-hash §3", &[213, 451, 550, 553, 554]),
    row(Verb::Help, "HELP", "[verb]", Optional, "959 §4.1.3", &[214]).open(),
    row(Verb::Host, "HOST", "name", Required, "7151 §3", &[220, 503, 504]).open().feature("HOST"),
    row(Verb::Lang, "LANG", "[tag]", Optional, "2640 §4", &[200, 504]).open().feature("LANG EN*"),
    row(Verb::List, "LIST", "[options] [pathname]", Optional, "959 §4.1.3", &[150, 226, 425, 426, 521, 550]),
    row(Verb::Lprt, "LPRT", "4,4,h1,h2,h3,h4,2,p1,p2", Required, "1639 §3", &[200, 503, 504, 521]),
    row(Verb::Lpsv, "LPSV", "", No, "1639 §4", &[228, 503]),
    row(Verb::Md5, "MD5", "pathname", Required, "draft-twine-ftpmd5 §3", &[251, 451, 550, 553]).feature("MD5"),
    row(Verb::Mdtm, "MDTM", "[time] pathname", Required, "3659 §3", &[213, 550]).feature("MDTM"),
    row(Verb::Mfct, "MFCT", "time pathname", Required, "draft-somers-ftp-mfxx §4", &[213, 504, 550]),
    row(Verb::Mff, "MFF", "fact=value; ... pathname", Required, "draft-somers-ftp-mfxx §5", &[213, 504, 550]),
    row(Verb::Mfmt, "MFMT", "time pathname", Required, "draft-somers-ftp-mfxx §3", &[213, 550]).feature("MFMT"),
    row(Verb::Mkd, "MKD", "pathname", Required, "959 §4.1.3", &[257, 550]),
    row(Verb::Mlsd, "MLSD", "[pathname]", Optional, "3659 §7", &[150, 226, 425, 426, 521, 550]),
    row(Verb::Mlst, "MLST", "[pathname]", Optional, "3659 §7", &[250, 550]),
    row(Verb::Mode, "MODE", "S | B | C | Z", Required, "959 §4.1.2", &[200, 504]).feature("MODE Z"),
    row(Verb::Nlst, "NLST", "[options] [pathname]", Optional, "959 §4.1.3", &[150, 226, 425, 426, 521, 550]),
    row(Verb::Noop, "NOOP", "", No, "959 §4.1.3", &[200]).open().at_once(),
    row(Verb::Opts, "OPTS", "verb [options]", Required, "2389 §4", &[200, 504]).open(),
    row(Verb::Pass, "PASS", "password", Optional, "959 §4.1.1", &[230, 503]).open(),
    row(Verb::Pasv, "PASV", "", No, "959 §4.1.2", &[227, 503, 522]),
    row(Verb::Pbsz, "PBSZ", "0", Required, "2228 §3, 4217 §9", &[200, 502, 503]).open(),
    row(Verb::Port, "PORT", "h1,h2,h3,h4,p1,p2", Required, "959 §4.1.2", &[200, 503, 504]),
    row(Verb::Pret, "PRET", "command", Required, "(drftpd)", &[200]).feature("PRET"),
    row(Verb::Prot, "PROT", "C | P", Required, "2228 §3, 4217 §9", &[200, 502, 503, 504, 534, 536]).open(),
    row(Verb::Pwd, "PWD", "", No, "959 §4.1.3", &[257]),
    row(Verb::Quit, "QUIT", "", No, "959 §4.1.1", &[221]).open(),
    row(Verb::Rang, "RANG", "first last", Required, "draft-bryan-ftp-range §3", &[350]).feature("RANG STREAM"),
    row(Verb::Rein, "REIN", "", No, "959 §4.1.1", &[220]).open(),
    row(Verb::Rest, "REST", "offset", Required, "3659 §5", &[350]).feature("REST STREAM"),
    row(Verb::Retr, "RETR", "pathname", Required, "959 §4.1.3", &[150, 226, 425, 426, 451, 504, 521, 550, 554]),
    row(Verb::Rmd, "RMD", "pathname", Required, "959 §4.1.3", &[250, 550]),
    row(Verb::Rmda, "RMDA", "pathname", Required, "draft-peterson-streamlined §3", &[250, 451, 550]).feature("RMDA"),
    row(Verb::Rnfr, "RNFR", "pathname", Required, "959 §4.1.3", &[350, 550]),
    row(Verb::Rnto, "RNTO", "pathname", Required, "959 §4.1.3", &[250, 503, 550, 553]),
    row(
        Verb::Site,
        "SITE",
        "command",
        Required,
        "959 §4.1.3",
        &[200, 211, 214, 250, 257, 350, 450, 451, 503, 550, 552, 553],
    ),
    row(Verb::Size, "SIZE", "pathname", Required, "3659 §4", &[213, 550]).feature("SIZE"),
    row(Verb::Smnt, "SMNT", "pathname", Required, "959 §4.1.1", &[202]),
    row(Verb::Stat, "STAT", "[pathname]", Optional, "959 §4.1.3", &[211, 212, 213, 550]).at_once(),
    row(
        Verb::Stor,
        "STOR",
        "pathname",
        Required,
        "959 §4.1.3",
        &[110, 150, 226, 425, 426, 450, 451, 504, 521, 550, 552, 553, 554],
    ),
    row(Verb::Stou, "STOU", "[pathname]", Optional, "959 §4.1.3", &[110, 150, 226, 425, 426, 451, 521, 550, 552, 553]),
    row(Verb::Stru, "STRU", "F | R", Required, "959 §4.1.2", &[200, 504]),
    row(Verb::Syst, "SYST", "", No, "959 §4.1.3", &[215]).open(),
    row(Verb::Type, "TYPE", "A [N | T] | E [N | T] | I | L 8", Required, "959 §4.1.2", &[200, 504]),
    row(Verb::User, "USER", "name", Required, "959 §4.1.1", &[232, 331]).open(),
    row(Verb::Xcrc, "XCRC", CHECKSUM, Required, "(GlobalSCAPE, ProFTPD)", &[250, 451, 550, 553]).feature("XCRC"),
    row(Verb::Cdup, "XCUP", "", No, "775", &[250, 550]),
    row(Verb::Cwd, "XCWD", "pathname", Required, "775", &[250, 550]),
    row(Verb::Xmd5, "XMD5", CHECKSUM, Required, "(GlobalSCAPE, ProFTPD)", &[250, 451, 550, 553]).feature("XMD5"),
    row(Verb::Mkd, "XMKD", "pathname", Required, "775", &[257, 550]),
    row(Verb::Pwd, "XPWD", "", No, "775", &[257]),
    row(Verb::Rmd, "XRMD", "pathname", Required, "775", &[250, 550]),
    row(Verb::Xsha1, "XSHA", CHECKSUM, Required, "(GlobalSCAPE, ProFTPD)", &[250, 451, 550, 553]).feature("XSHA"),
    row(Verb::Xsha1, "XSHA1", CHECKSUM, Required, "(GlobalSCAPE, ProFTPD)", &[250, 451, 550, 553]).feature("XSHA1"),
    row(Verb::Xsha256, "XSHA256", CHECKSUM, Required, "(GlobalSCAPE, ProFTPD)", &[250, 451, 550, 553])
        .feature("XSHA256"),
    row(Verb::Xsha512, "XSHA512", CHECKSUM, Required, "(GlobalSCAPE, ProFTPD)", &[250, 451, 550, 553])
        .feature("XSHA512"),
];

const CHECKSUM: &str = "pathname [start [end]]";

const NOT_OFFERED: &[&str] = &["ADAT", "CONF", "DSIZ", "ENC", "MIC", "MMD5", "THMB"];

const FOREIGN: &[&str] =
    &["CONNECT", "DELETE", "EHLO", "GET", "HEAD", "HELO", "HOST:", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for row in TABLE {
            let same = TABLE.iter().filter(|other| other.name == row.name).count();
            assert_eq!(same, 1, "{}", row.name);
            assert!(!is_known_elsewhere(row.name.as_bytes()) && !is_foreign(row.name.as_bytes()), "{}", row.name);
            assert!(std::ptr::eq(Row::find(row.name.to_lowercase().as_bytes()).unwrap(), row));
        }
    }
}
