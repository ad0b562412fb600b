//! Command lines to commands whose arguments cannot hold a bad value.
//!
//! ```text
//! command = verb [ SP argument ]        (RFC 959 §5.3.1)
//! ```

use std::net::SocketAddr;

use super::address::{self, BadEprt};
use super::entry::Time;
use super::secret::Secret;
use super::verb::{self, Argument, Row, Verb};

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
    Cdup,
    Clnt,
    Cwd(Name),
    Dele(Name),
    Eprt(SocketAddr),
    Epsv(Epsv),
    Feat,
    Help(Option<Name>),
    List(Name),
    Mdtm(Name),
    Mfmt(Time, Name),
    Mkd(Name),
    Mlsd(Name),
    Mlst(Name),
    Mode,
    Nlst(Name),
    Noop,
    Opts(Opts),
    Pass(Secret),
    Pasv,
    Port(SocketAddr),
    Pwd,
    Quit,
    Rein,
    Rest(u64),
    Retr(Name),
    Rmd(Name),
    Rnfr(Name),
    Rnto(Name),
    SiteHelp,
    Size(Name),
    Stat(Option<Name>),
    Stor(Name),
    Stou(Option<Name>),
    Stru,
    Syst,
    Type(Type),
    User(Name),
}

/// How the octets of a file are represented on the data connection (RFC 959 §3.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Type {
    /// TYPE A N: lines end with CR LF.
    #[default]
    Ascii,
    /// TYPE I, TYPE L 8: as they are.
    Image,
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
    /// `UTF8 ON` (or without a word): pathnames are octets anyway.
    Utf8On,
    /// `MLST` and the facts wanted (RFC 3659 §7.9).
    Mlst(Vec<u8>),
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
    /// SITE with an unknown word.
    Site,
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
    Ok(match row.verb {
        Verb::Abor => Command::Abor,
        Verb::Acct => Command::Acct,
        Verb::Allo => Command::Allo(parse_allo(argument).ok_or(syntax)?),
        Verb::Appe => Command::Appe(name()),
        Verb::Cdup => Command::Cdup,
        Verb::Clnt => Command::Clnt,
        Verb::Cwd => Command::Cwd(name()),
        Verb::Dele => Command::Dele(name()),
        Verb::Eprt => Command::Eprt(address::parse_eprt(argument).map_err(|error| match error {
            BadEprt::Syntax => syntax,
            BadEprt::Family => BadCommand::Family,
        })?),
        Verb::Epsv => Command::Epsv(parse_epsv(argument, row)?),
        Verb::Feat => Command::Feat,
        Verb::Help => Command::Help(optional()),
        Verb::List => Command::List(optional().unwrap_or_default()),
        Verb::Mdtm => Command::Mdtm(name()),
        Verb::Mfmt => {
            let (time, path) = parse_mfmt(argument).ok_or(syntax)?;
            Command::Mfmt(time, path.to_vec())
        }
        Verb::Mkd => Command::Mkd(name()),
        Verb::Mlsd => Command::Mlsd(optional().unwrap_or_default()),
        Verb::Mlst => Command::Mlst(optional().unwrap_or_default()),
        Verb::Mode => only(argument, b"S", row, Command::Mode)?,
        Verb::Nlst => Command::Nlst(optional().unwrap_or_default()),
        Verb::Noop => Command::Noop,
        Verb::Opts => Command::Opts(parse_opts(argument, row)?),
        Verb::Pass => Command::Pass(Secret::new(name())),
        Verb::Pasv => Command::Pasv,
        Verb::Port => Command::Port(address::parse_host_port(argument).ok_or(syntax)?),
        Verb::Pwd => Command::Pwd,
        Verb::Quit => Command::Quit,
        Verb::Rein => Command::Rein,
        Verb::Rest => Command::Rest(address::decimal(argument.trim_ascii()).ok_or(syntax)?),
        Verb::Retr => Command::Retr(name()),
        Verb::Rmd => Command::Rmd(name()),
        Verb::Rnfr => Command::Rnfr(name()),
        Verb::Rnto => Command::Rnto(name()),
        Verb::Site if argument.trim_ascii().eq_ignore_ascii_case(b"HELP") => Command::SiteHelp,
        Verb::Site => return Err(BadCommand::Site),
        Verb::Size => Command::Size(name()),
        Verb::Stat => Command::Stat(optional()),
        Verb::Stor => Command::Stor(name()),
        Verb::Stou => Command::Stou(optional()),
        Verb::Stru => only(argument, b"F", row, Command::Stru)?,
        Verb::Syst => Command::Syst,
        Verb::Type => Command::Type(parse_type(argument, row)?),
        Verb::User => Command::User(name()),
    })
}

/// ```text
/// <type-code> ::= A [<sp> <form-code>] | E [<sp> <form-code>] | I | L <sp> <byte-size>
/// ```
/// `L8` without the space is what some devices send.
fn parse_type(argument: &[u8], row: &'static Row) -> Result<Type, BadCommand> {
    let mut words = argument.split(|&octet| octet == b' ').filter(|word| !word.is_empty());
    let code = words.next().ok_or(BadCommand::Argument(row))?.to_ascii_uppercase();
    let second = words.next().map(<[u8]>::to_ascii_uppercase);
    if words.next().is_some() {
        return Err(BadCommand::Argument(row));
    }
    match (code.as_slice(), second.as_deref()) {
        (b"A", None | Some(b"N")) => Ok(Type::Ascii),
        (b"I", None) | (b"L", Some(b"8")) | (b"L8", None) => Ok(Type::Image),
        _ => Err(BadCommand::Parameter(row)),
    }
}

/// STRU and MODE: one code of those that the RFC has is offered.
fn only(argument: &[u8], code: &[u8], row: &'static Row, command: Command) -> Result<Command, BadCommand> {
    let offered = argument.trim_ascii().eq_ignore_ascii_case(code);
    if offered { Ok(command) } else { Err(BadCommand::Parameter(row)) }
}

fn parse_epsv(argument: &[u8], row: &'static Row) -> Result<Epsv, BadCommand> {
    match argument.trim_ascii() {
        b"" => Ok(Epsv::Same),
        b"1" => Ok(Epsv::V4),
        b"2" => Ok(Epsv::V6),
        word if word.eq_ignore_ascii_case(b"ALL") => Ok(Epsv::All),
        word if address::decimal(word).is_some() => Err(BadCommand::Family),
        _ => Err(BadCommand::Argument(row)),
    }
}

/// ```text
/// ALLO <SP> <decimal-integer> [<SP> R <SP> <decimal-integer>]
/// ```
fn parse_allo(argument: &[u8]) -> Option<u64> {
    let mut words = argument.split(|&octet| octet == b' ').filter(|word| !word.is_empty());
    let size = address::decimal(words.next()?)?;
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Some(size),
        (Some(b"R" | b"r"), Some(record), None) => address::decimal(record).map(|_| size),
        _ => None,
    }
}

/// ```text
/// MFMT <SP> time-val <SP> pathname
/// ```
fn parse_mfmt(argument: &[u8]) -> Option<(Time, &[u8])> {
    let space = argument.iter().position(|&octet| octet == b' ')?;
    let (time, path) = argument.split_at(space);
    let path = path.strip_prefix(b" ")?;
    if path.is_empty() { None } else { Some((Time::from_time_val(time)?, path)) }
}

fn parse_opts(argument: &[u8], row: &'static Row) -> Result<Opts, BadCommand> {
    let mut words = argument.splitn(2, |&octet| octet == b' ');
    let verb = words.next().unwrap_or_default();
    let options = words.next().unwrap_or_default().trim_ascii();
    if verb.eq_ignore_ascii_case(b"MLST") {
        Ok(Opts::Mlst(options.to_vec()))
    } else if !verb.eq_ignore_ascii_case(b"UTF8") && !verb.eq_ignore_ascii_case(b"UTF-8") {
        Err(BadCommand::Argument(row))
    } else if options.is_empty() || options.eq_ignore_ascii_case(b"ON") {
        Ok(Opts::Utf8On)
    } else {
        Err(BadCommand::Parameter(row))
    }
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
        ] {
            assert_eq!(command(&format!("type {argument}")), Ok(Command::Type(expected)), "{argument}");
        }
        for argument in ["A X", "L 9", "L", "E", "I N", "Q"] {
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
        assert_eq!(command("AUTH TLS"), Err(BadCommand::NotOffered));
        assert_eq!(command("GET / HTTP/1.1"), Err(BadCommand::Foreign));
        assert_eq!(command("SITE NAMEFMT 1"), Err(BadCommand::Site));
    }
}
