//! Command lines to commands whose arguments cannot hold a bad value.
//!
//! ```text
//! command = verb [ SP argument ]        (RFC 959 §5.3.1)
//! ```

use std::net::SocketAddr;

use super::address::{self, BadEprt, BadLprt};
use super::arguments::{self, Bad, FactChanges, Mechanism, Protection};
use super::checksum::Algorithm;
use super::entry::Time;
use super::secret::Secret;
use super::site::{self, BadSite, Site};
use super::verb::{self, Argument, Row, Verb};
use super::wire::{Mode, Structure, Type};

/// An argument that names something: its octets as the client sent them.
pub type Name = Vec<u8>;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is explained by its row in the verb table")]
pub enum Command {
    Abor,
    Acct,
    Allo(u64),
    Appe(Name),
    Auth(Mechanism),
    Avbl(Name),
    Ccc,
    Cdup,
    /// XCRC, XMD5, XSHA and their kin.
    Checksum(Algorithm, Name),
    Clnt,
    Comb(Vec<Name>),
    Csid,
    Cwd(Name),
    Dele(Name),
    Eprt(SocketAddr),
    Epsv(Epsv),
    Feat,
    Hash(Name),
    Help(Option<Name>),
    Host(Name),
    Lang(Option<Name>),
    List(Name),
    Lprt(SocketAddr),
    Lpsv,
    Md5(Name),
    /// What may be a time and a pathname, or a pathname.
    Mdtm(Name),
    Mfct(Time, Name),
    Mff(FactChanges, Name),
    Mfmt(Time, Name),
    Mkd(Name),
    Mlsd(Name),
    Mlst(Name),
    Mode(Mode),
    Nlst(Name),
    Noop,
    Opts(Opts),
    Pass(Secret),
    Pasv,
    Pbsz,
    Port(SocketAddr),
    Pret,
    Prot(Protection),
    Pwd,
    Quit,
    /// First and last octet; none for the whole file.
    Rang(Option<(u64, u64)>),
    Rein,
    Rest(u64),
    Retr(Name),
    Rmd(Name),
    Rmda(Name),
    Rnfr(Name),
    Rnto(Name),
    Site(Site),
    Size(Name),
    Smnt,
    Stat(Option<Name>),
    Stor(Name),
    Stou(Option<Name>),
    Stru(Structure),
    Syst,
    Type(Type),
    User(Name),
}

/// The argument of EPSV (RFC 2428 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epsv {
    /// None: the protocol of the control connection.
    Same,
    /// `1`.
    V4,
    /// `2`.
    V6,
    /// `ALL`: nothing but EPSV from now on.
    All,
}

/// The argument of OPTS (RFC 2389 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opts {
    /// `UTF8 ON` (or without a word), or `OFF`.
    Utf8(bool),
    /// `MLST` and the facts wanted (RFC 3659 §7.9).
    Mlst(Vec<u8>),
    /// `HASH` and an algorithm, if one is given (draft-bryan-ftpext-hash §3.2).
    Hash(Vec<u8>),
    /// `MODE Z LEVEL` and a level.
    Deflate(u8),
}

/// Why a line is not a command. Replies are made of it in `session/error.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadCommand {
    /// No such verb.
    Unknown,
    /// A verb of the RFCs that is not offered.
    NotOffered,
    /// A line of another protocol.
    Foreign,
    /// The argument is missing, superfluous or malformed.
    Argument(&'static Row),
    /// Well formed, and not offered for this argument.
    Parameter(&'static Row),
    /// A network protocol that the data connection cannot have (RFC 2428 §2).
    Family,
    /// The same, of LPRT (RFC 1639 §3).
    LongFamily,
    /// SITE with an unknown word.
    Site,
    /// SITE with a wrong argument.
    SiteArgument(&'static site::Row),
}

/// The row of a line's verb, and its argument: all after one space. A line of spaces has no verb.
pub fn split(line: &[u8]) -> Result<(&'static Row, &[u8]), BadCommand> {
    let end = line.iter().position(|&octet| octet == b' ').unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let argument = rest.strip_prefix(b" ").unwrap_or(rest);
    match Row::find(name) {
        Some(row) => Ok((row, argument)),
        None if verb::is_known_elsewhere(name) => Err(BadCommand::NotOffered),
        None if verb::is_foreign(name) => Err(BadCommand::Foreign),
        None => Err(BadCommand::Unknown),
    }
}

/// Give a verb its argument.
pub fn parse(row: &'static Row, argument: &[u8]) -> Result<Command, BadCommand> {
    let blank = argument.trim_ascii().is_empty();
    match row.argument {
        // Spaces behind a verb mean nothing.
        Argument::None if !blank => return Err(BadCommand::Argument(row)),
        Argument::Required if argument.is_empty() => return Err(BadCommand::Argument(row)),
        _ => {}
    }
    let name = || argument.to_vec();
    let optional = || (!blank).then(name);
    let syntax = BadCommand::Argument(row);
    let bad = |bad: Bad| match bad {
        Bad::Syntax => BadCommand::Argument(row),
        Bad::Parameter => BadCommand::Parameter(row),
        Bad::Family => BadCommand::Family,
    };
    Ok(match row.verb {
        Verb::Abor => Command::Abor,
        Verb::Acct => Command::Acct,
        Verb::Allo => Command::Allo(arguments::allo(argument).ok_or(syntax)?),
        Verb::Appe => Command::Appe(name()),
        Verb::Auth => Command::Auth(arguments::mechanism(argument).map_err(bad)?),
        Verb::Avbl => Command::Avbl(optional().unwrap_or_default()),
        Verb::Ccc => Command::Ccc,
        Verb::Cdup => Command::Cdup,
        Verb::Clnt => Command::Clnt,
        Verb::Comb => Command::Comb(arguments::names(argument).filter(|names| names.len() > 1).ok_or(syntax)?),
        Verb::Csid => Command::Csid,
        Verb::Cwd => Command::Cwd(name()),
        Verb::Dele => Command::Dele(name()),
        Verb::Eprt => Command::Eprt(address::parse_eprt(argument).map_err(|error| match error {
            BadEprt::Syntax => syntax,
            BadEprt::Family => BadCommand::Family,
        })?),
        Verb::Epsv => Command::Epsv(arguments::epsv(argument).map_err(bad)?),
        Verb::Feat => Command::Feat,
        Verb::Hash => Command::Hash(name()),
        Verb::Help => Command::Help(optional()),
        Verb::Host => Command::Host(Some(name()).filter(|name| arguments::is_host_name(name)).ok_or(syntax)?),
        Verb::Lang => Command::Lang(optional()),
        Verb::List => Command::List(optional().unwrap_or_default()),
        Verb::Lprt => Command::Lprt(address::parse_lprt(argument).map_err(|error| match error {
            BadLprt::Syntax => syntax,
            BadLprt::Family => BadCommand::LongFamily,
        })?),
        Verb::Lpsv => Command::Lpsv,
        Verb::Md5 => Command::Md5(name()),
        Verb::Mdtm => Command::Mdtm(name()),
        Verb::Mfct => {
            let (time, name) = arguments::time_and_name(argument).ok_or(syntax)?;
            Command::Mfct(time, name)
        }
        Verb::Mff => {
            let (changes, name) = arguments::facts_and_name(argument).map_err(bad)?;
            Command::Mff(changes, name)
        }
        Verb::Mfmt => {
            let (time, name) = arguments::time_and_name(argument).ok_or(syntax)?;
            Command::Mfmt(time, name)
        }
        Verb::Mkd => Command::Mkd(name()),
        Verb::Mlsd => Command::Mlsd(optional().unwrap_or_default()),
        Verb::Mlst => Command::Mlst(optional().unwrap_or_default()),
        Verb::Mode => Command::Mode(arguments::mode_code(argument).map_err(bad)?),
        Verb::Nlst => Command::Nlst(optional().unwrap_or_default()),
        Verb::Noop => Command::Noop,
        Verb::Opts => Command::Opts(arguments::opts(argument).map_err(bad)?),
        Verb::Pass => Command::Pass(Secret::new(name())),
        Verb::Pasv => Command::Pasv,
        Verb::Pbsz => address::decimal(argument.trim_ascii()).map(|_| Command::Pbsz).ok_or(syntax)?,
        Verb::Port => Command::Port(address::parse_host_port(argument).ok_or(syntax)?),
        Verb::Pret if arguments::is_transfer(argument) => Command::Pret,
        Verb::Pret => return Err(syntax),
        Verb::Prot => Command::Prot(arguments::protection(argument).map_err(bad)?),
        Verb::Pwd => Command::Pwd,
        Verb::Quit => Command::Quit,
        Verb::Rang => Command::Rang(arguments::range(argument).ok_or(syntax)?),
        Verb::Rein => Command::Rein,
        Verb::Rest => Command::Rest(address::decimal(argument.trim_ascii()).ok_or(syntax)?),
        Verb::Retr => Command::Retr(name()),
        Verb::Rmd => Command::Rmd(name()),
        Verb::Rmda => Command::Rmda(name()),
        Verb::Rnfr => Command::Rnfr(name()),
        Verb::Rnto => Command::Rnto(name()),
        Verb::Site => Command::Site(site::parse(argument).map_err(|error| match error {
            BadSite::Unknown => BadCommand::Site,
            BadSite::Argument(row) => BadCommand::SiteArgument(row),
        })?),
        Verb::Size => Command::Size(name()),
        Verb::Smnt => Command::Smnt,
        Verb::Stat => Command::Stat(optional()),
        Verb::Stor => Command::Stor(name()),
        Verb::Stou => Command::Stou(optional()),
        Verb::Stru => Command::Stru(arguments::structure_code(argument).map_err(bad)?),
        Verb::Syst => Command::Syst,
        Verb::Type => Command::Type(arguments::type_code(argument).map_err(bad)?),
        Verb::User => Command::User(name()),
        Verb::Xcrc => Command::Checksum(Algorithm::Crc32, name()),
        Verb::Xmd5 => Command::Checksum(Algorithm::Md5, name()),
        Verb::Xsha1 => Command::Checksum(Algorithm::Sha1, name()),
        Verb::Xsha256 => Command::Checksum(Algorithm::Sha256, name()),
        Verb::Xsha512 => Command::Checksum(Algorithm::Sha512, name()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> Result<Command, BadCommand> {
        let (row, argument) = split(line.as_bytes())?;
        parse(row, argument)
    }

    #[test]
    fn types_in_any_case() {
        for (argument, expected) in [
            ("A", Type::Ascii),
            ("a n", Type::Ascii),
            ("I", Type::Image),
            ("i", Type::Image),
            ("L 8", Type::Image),
            ("l8", Type::Image),
            ("A T", Type::Ascii),
            ("e", Type::Ebcdic),
            ("E n", Type::Ebcdic),
        ] {
            assert_eq!(command(&format!("type {argument}")), Ok(Command::Type(expected)), "{argument}");
        }
        for argument in ["A X", "A C", "E C", "L 9", "L", "I N", "Q"] {
            assert!(matches!(command(&format!("TYPE {argument}")), Err(BadCommand::Parameter(_))), "{argument}");
        }
        assert!(matches!(command("TYPE"), Err(BadCommand::Argument(_))));
        assert!(matches!(command("TYPE A N N"), Err(BadCommand::Argument(_))));
    }

    #[test]
    fn arguments_are_exact() {
        assert_eq!(command("RETR  a b "), Ok(Command::Retr(b" a b ".to_vec())));
        assert_eq!(command("NOOP  "), Ok(Command::Noop));
        assert!(matches!(command("NOOP x"), Err(BadCommand::Argument(_))));
        assert!(matches!(command("RETR "), Err(BadCommand::Argument(_))));
        assert_eq!(command("STOU "), Ok(Command::Stou(None)));
    }

    #[test]
    fn offsets() {
        assert_eq!(command("REST 18446744073709551615"), Ok(Command::Rest(u64::MAX)));
        for bad in ["-1", "18446744073709551616", "0x10", "1 2", "1.5", "+1", ""] {
            assert!(matches!(command(&format!("REST {bad}")), Err(BadCommand::Argument(_))), "{bad}");
        }
        assert_eq!(command("ALLO 10 R 5"), Ok(Command::Allo(10)));
        assert!(matches!(command("ALLO 10 R"), Err(BadCommand::Argument(_))));
        assert!(matches!(command("ALLO ten"), Err(BadCommand::Argument(_))));
    }

    #[test]
    fn lines_that_are_no_commands() {
        assert_eq!(command(""), Err(BadCommand::Unknown));
        assert_eq!(command("XYZZY"), Err(BadCommand::Unknown));
        assert_eq!(command("ADAT x"), Err(BadCommand::NotOffered));
        assert_eq!(command("auth tls-c"), Ok(Command::Auth(Mechanism::Tls)));
        assert!(matches!(command("AUTH KERBEROS_V4"), Err(BadCommand::Parameter(_))));
        assert_eq!(command("GET / HTTP/1.1"), Err(BadCommand::Foreign));
        assert_eq!(command("SITE NAMEFMT 1"), Err(BadCommand::Site));
        assert!(matches!(command("SITE CHMOD"), Err(BadCommand::SiteArgument(_))));
    }
}
