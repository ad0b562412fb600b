//! The grammars of arguments, each above its parser. `None` is a syntax error.

use super::address::decimal;
use super::command::{Epsv, Name, Opts};
use super::entry::Time;
use super::wire::{Mode, Structure, Type};

/// Why an argument means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    /// It has another form.
    Syntax,
    /// It has the form, and is not offered (RFC 959 §5.4: 504).
    Parameter,
    /// A network protocol that does not exist here (RFC 2428 §3: 522).
    Family,
}

/// The words of an argument.
pub(super) fn words(argument: &[u8]) -> impl Iterator<Item = &[u8]> {
    argument.split(|&octet| octet == b' ').filter(|word| !word.is_empty())
}

/// ```text
/// <type-code> ::= A [<sp> <form-code>] | E [<sp> <form-code>] | I | L <sp> <byte-size>
/// <form-code> ::= N | T | C
/// ```
/// T is as N where nothing is printed (RFC 1123 §4.1.2.2). `L8` without the space is what some devices send.
pub(super) fn type_code(argument: &[u8]) -> Result<Type, Bad> {
    let mut words = words(argument).map(<[u8]>::to_ascii_uppercase);
    let (code, second) = (words.next().ok_or(Bad::Syntax)?, words.next());
    if words.next().is_some() {
        return Err(Bad::Syntax);
    }
    match (code.as_slice(), second.as_deref()) {
        (b"A", None | Some(b"N" | b"T")) => Ok(Type::Ascii),
        (b"E", None | Some(b"N" | b"T")) => Ok(Type::Ebcdic),
        (b"I", None) | (b"L", Some(b"8")) | (b"L8", None) => Ok(Type::Image),
        _ => Err(Bad::Parameter),
    }
}

/// ```text
/// <structure-code> ::= F | R | P
/// ```
pub(super) fn structure_code(argument: &[u8]) -> Result<Structure, Bad> {
    match argument.trim_ascii() {
        b"F" | b"f" => Ok(Structure::File),
        b"R" | b"r" => Ok(Structure::Record),
        _ => Err(Bad::Parameter),
    }
}

/// ```text
/// <mode-code> ::= S | B | C        and Z (draft-preston-ftpext-deflate)
/// ```
pub(super) fn mode_code(argument: &[u8]) -> Result<Mode, Bad> {
    match argument.trim_ascii() {
        b"S" | b"s" => Ok(Mode::Stream),
        b"B" | b"b" => Ok(Mode::Block),
        b"C" | b"c" => Ok(Mode::Compressed),
        b"Z" | b"z" => Ok(Mode::Deflate),
        _ => Err(Bad::Parameter),
    }
}

/// A security mechanism of AUTH. All are TLS; they differ in what they mean for data connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// `TLS`, and `TLS-C`, which came before it: data connections stay clear.
    Tls,
    /// `SSL`, of clients from before the RFC.
    Ssl,
    /// `TLS-P`: data connections are private.
    TlsP,
}

/// ```text
/// AUTH <SP> mechanism-name       (RFC 2228 §3, any case; RFC 4217 §4)
/// ```
pub(super) fn mechanism(argument: &[u8]) -> Result<Mechanism, Bad> {
    match argument.trim_ascii().to_ascii_uppercase().as_slice() {
        b"TLS" | b"TLS-C" => Ok(Mechanism::Tls),
        b"SSL" => Ok(Mechanism::Ssl),
        b"TLS-P" => Ok(Mechanism::TlsP),
        _ => Err(Bad::Parameter),
    }
}

/// A protection level of data connections (RFC 2228 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "as the RFC calls them")]
pub enum Protection {
    Clear,
    Safe,
    Confidential,
    Private,
}

/// ```text
/// PROT <SP> ( C | S | E | P )
/// ```
pub(super) fn protection(argument: &[u8]) -> Result<Protection, Bad> {
    match argument.trim_ascii() {
        b"C" | b"c" => Ok(Protection::Clear),
        b"S" | b"s" => Ok(Protection::Safe),
        b"E" | b"e" => Ok(Protection::Confidential),
        b"P" | b"p" => Ok(Protection::Private),
        _ => Err(Bad::Parameter),
    }
}

pub(super) fn epsv(argument: &[u8]) -> Result<Epsv, Bad> {
    match argument.trim_ascii() {
        b"" => Ok(Epsv::Same),
        b"1" => Ok(Epsv::V4),
        b"2" => Ok(Epsv::V6),
        word if word.eq_ignore_ascii_case(b"ALL") => Ok(Epsv::All),
        word if decimal(word).is_some() => Err(Bad::Family),
        _ => Err(Bad::Syntax),
    }
}

/// ```text
/// ALLO <SP> <decimal-integer> [<SP> R <SP> <decimal-integer>]
/// ```
pub(super) fn allo(argument: &[u8]) -> Option<u64> {
    let mut words = words(argument);
    let size = decimal(words.next()?)?;
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Some(size),
        (Some(b"R" | b"r"), Some(record), None) => decimal(record).map(|_| size),
        _ => None,
    }
}

/// ```text
/// RANG <SP> start-point <SP> end-point       end-point included; `1 0` is the whole file
/// ```
pub(super) fn range(argument: &[u8]) -> Option<Option<(u64, u64)>> {
    let mut words = words(argument);
    let (first, last) = (decimal(words.next()?)?, decimal(words.next()?)?);
    match (first, last, words.next()) {
        (1, 0, None) => Some(None),
        (first, last, None) if first <= last => Some(Some((first, last))),
        _ => None,
    }
}

/// ```text
/// MFMT <SP> time-val <SP> pathname
/// ```
pub fn time_and_name(argument: &[u8]) -> Option<(Time, Name)> {
    let (time, name) = word_and_rest(argument)?;
    Some((Time::from_time_val(time)?, name.to_vec()))
}

/// Facts to be changed, by MFF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FactChanges {
    /// `Modify=time-val`
    pub modified: Option<Time>,
    /// `Create=time-val`
    pub created: Option<Time>,
    /// `UNIX.mode=octal`
    pub mode: Option<u32>,
}

impl FactChanges {
    /// The time of the last change.
    pub fn modified(time: Time) -> Self {
        Self { modified: Some(time), ..Self::default() }
    }

    /// The time of creation.
    pub fn created(time: Time) -> Self {
        Self { created: Some(time), ..Self::default() }
    }

    /// Permission bits.
    pub fn mode(mode: u32) -> Self {
        Self { mode: Some(mode), ..Self::default() }
    }
}

/// ```text
/// MFF <SP> 1*( factname "=" value ";" ) <SP> pathname      (draft-somers-ftp-mfxx §5)
/// ```
pub(super) fn facts_and_name(argument: &[u8]) -> Result<(FactChanges, Name), Bad> {
    let (facts, name) = word_and_rest(argument).ok_or(Bad::Syntax)?;
    let mut changes = FactChanges::default();
    let facts = facts.strip_suffix(b";").ok_or(Bad::Syntax)?;
    for fact in facts.split(|&octet| octet == b';') {
        let equals = fact.iter().position(|&octet| octet == b'=').ok_or(Bad::Syntax)?;
        let (name, value) = fact.split_at(equals);
        let value = value.get(1..).unwrap_or_default();
        match name.to_ascii_lowercase().as_slice() {
            b"modify" => changes.modified = Some(Time::from_time_val(value).ok_or(Bad::Syntax)?),
            b"create" => changes.created = Some(Time::from_time_val(value).ok_or(Bad::Syntax)?),
            b"unix.mode" => changes.mode = Some(mode(value).ok_or(Bad::Syntax)?),
            _ => return Err(Bad::Parameter),
        }
    }
    Ok((changes, name.to_vec()))
}

/// Permission bits: one to four octal digits, and no more than 777.
pub(super) fn mode(digits: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| (1..=4).contains(&digits.len()))?;
    let octal = digits.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    u32::from_str_radix(digits, 8).ok().filter(|&mode| octal && mode <= 0o777)
}

/// ```text
/// host-name = domain / IPv4 / "[" IPv6 "]"      (RFC 7151 §3)
/// ```
pub(super) fn is_host_name(name: &[u8]) -> bool {
    let Ok(name) = std::str::from_utf8(name) else { return false };
    if let Some(address) = name.strip_prefix('[') {
        let address = address.strip_suffix(']').unwrap_or_default();
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        let inner = label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet >= 0x80);
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 255 && name.strip_suffix('.').unwrap_or(name).split('.').all(label)
}

/// ```text
/// PRET <SP> ( RETR | STOR | APPE ) <SP> pathname / PRET <SP> ( LIST | NLST | MLSD | STOU ) [<SP> pathname]
/// ```
pub(super) fn is_transfer(argument: &[u8]) -> bool {
    let (verb, name) = word_and_rest(argument).unwrap_or((argument.trim_ascii(), b""));
    match verb.to_ascii_uppercase().as_slice() {
        b"RETR" | b"STOR" | b"APPE" => !name.is_empty(),
        b"LIST" | b"NLST" | b"MLSD" | b"STOU" => true,
        _ => false,
    }
}

pub(super) fn opts(argument: &[u8]) -> Result<Opts, Bad> {
    let (verb, options) = word_and_rest(argument).unwrap_or((argument, b""));
    let options = options.trim_ascii();
    match verb.to_ascii_uppercase().as_slice() {
        b"MLST" => Ok(Opts::Mlst(options.to_vec())),
        b"HASH" => Ok(Opts::Hash(options.to_vec())),
        b"MODE" => deflate_level(options).map(Opts::Deflate),
        b"UTF8" | b"UTF-8" if options.is_empty() || options.eq_ignore_ascii_case(b"ON") => Ok(Opts::Utf8(true)),
        b"UTF8" | b"UTF-8" if options.eq_ignore_ascii_case(b"OFF") => Ok(Opts::Utf8(false)),
        b"UTF8" | b"UTF-8" => Err(Bad::Parameter),
        _ => Err(Bad::Syntax),
    }
}

/// ```text
/// OPTS MODE Z LEVEL <SP> digit       (draft-preston-ftpext-deflate §3.4)
/// ```
fn deflate_level(options: &[u8]) -> Result<u8, Bad> {
    let words: Vec<Vec<u8>> = words(options).map(<[u8]>::to_ascii_uppercase).collect();
    match words.iter().map(Vec::as_slice).collect::<Vec<_>>()[..] {
        [b"Z", b"LEVEL", [level @ b'0'..=b'9']] => Ok(level - b'0'),
        [b"Z", b"LEVEL", _] => Err(Bad::Syntax),
        _ => Err(Bad::Parameter),
    }
}

/// A first word, and what follows one space; neither is empty.
pub(super) fn word_and_rest(argument: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = argument.iter().position(|&octet| octet == b' ')?;
    let (word, rest) = argument.split_at(space);
    let rest = rest.get(1..).filter(|rest| !rest.is_empty())?;
    (!word.is_empty()).then_some((word, rest))
}

/// Pathnames in one argument: words, or in quotes (those inside doubled, as in 257) if they have spaces.
pub fn names(argument: &[u8]) -> Option<Vec<Name>> {
    let (mut names, mut rest) = (Vec::new(), argument.trim_ascii_start());
    while !rest.is_empty() {
        let (name, after) = if rest.starts_with(b"\"") { unquoted(rest)? } else { first_word(rest) };
        if name.is_empty() || !(after.is_empty() || after.starts_with(b" ")) {
            return None;
        }
        names.push(name);
        rest = after.trim_ascii_start();
    }
    Some(names)
}

/// ```text
/// pathname [ SP start [ SP end ] ]        the pathname as in [`names`], or everything before the numbers
/// ```
/// `None` without a number or quotes.
pub fn name_and_range(argument: &[u8]) -> Option<(Name, u64, u64)> {
    let number = |rest: &mut &[u8]| {
        let space = rest.iter().rposition(|&octet| octet == b' ')?;
        let (before, word) = rest.split_at(space);
        let number = decimal(word.trim_ascii())?;
        *rest = before.trim_ascii_end();
        Some(number)
    };
    let mut rest = argument.trim_ascii_end();
    let numbers = (number(&mut rest), number(&mut rest));
    let name = match names(rest).as_deref() {
        Some([name]) if rest.starts_with(b"\"") => name.clone(),
        _ => rest.to_vec(),
    };
    match numbers {
        _ if name.is_empty() => None,
        (Some(end), Some(start)) => Some((name, start, end)),
        (Some(start), None) => Some((name, start, u64::MAX)),
        (None, _) => (rest.starts_with(b"\"") && name != rest).then_some((name, 0, u64::MAX)),
    }
}

fn first_word(octets: &[u8]) -> (Name, &[u8]) {
    let end = octets.iter().position(|&octet| octet == b' ').unwrap_or(octets.len());
    let (word, rest) = octets.split_at(end);
    (word.to_vec(), rest)
}

/// What stands in quotes at the front, and what follows them.
fn unquoted(octets: &[u8]) -> Option<(Name, &[u8])> {
    let (mut name, mut rest) = (Vec::new(), octets.strip_prefix(b"\"")?);
    loop {
        match rest {
            [b'"', b'"', after @ ..] => {
                name.push(b'"');
                rest = after;
            }
            [b'"', after @ ..] => return Some((name, after)),
            [octet, after @ ..] => {
                name.push(*octet);
                rest = after;
            }
            [] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_and_without_quotes() {
        let parsed = |argument: &str| {
            let names = names(argument.as_bytes())?;
            Some(names.into_iter().map(|name| String::from_utf8(name).unwrap()).collect::<Vec<_>>())
        };
        assert_eq!(parsed("a b"), Some(vec!["a".into(), "b".into()]));
        assert_eq!(parsed(" \"a b\"  c "), Some(vec!["a b".into(), "c".into()]));
        assert_eq!(parsed("\"a\"\"b\""), Some(vec!["a\"b".into()]));
        assert_eq!(parsed(""), Some(vec![]));
        for bad in ["\"a", "\"\"", "\"a\"b", "\"a\"\"b"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_with_ranges() {
        let whole = u64::MAX;
        for (argument, expected) in [
            ("a 1 2", Some(("a", 1, 2))),
            ("a b 1", Some(("a b", 1, whole))),
            ("\"a 3\" 1 2", Some(("a 3", 1, 2))),
            ("\"a 3\"", Some(("a 3", 0, whole))),
            ("a", None),
            ("a b", None),
            ("1", None),
        ] {
            let parsed = name_and_range(argument.as_bytes());
            let expected = expected.map(|(name, start, end)| (name.as_bytes().to_vec(), start, end));
            assert_eq!(parsed, expected, "{argument}");
        }
    }

    #[test]
    fn modes() {
        assert_eq!(mode(b"644"), Some(0o644));
        assert_eq!(mode(b"0777"), Some(0o777));
        assert_eq!(mode(b"0"), Some(0));
        for bad in ["", "8", "1777", "00644", "+64", "u+x", "-1"] {
            assert_eq!(mode(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn host_names() {
        for good in ["ftp.example.com", "FTP", "127.0.0.1", "[::1]", "a-b.c.", "xn--fsq.example", "b\u{fc}cher.example"]
        {
            assert!(is_host_name(good.as_bytes()), "{good}");
        }
        for bad in ["", ".", "a..b", "-a", "a b", "[::1", "[127.0.0.1]", "a/b", "a\0", &"a".repeat(64)] {
            assert!(!is_host_name(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn ranges() {
        assert_eq!(range(b"0 0"), Some(Some((0, 0))));
        assert_eq!(range(b"1 0"), Some(None));
        for bad in ["", "1", "2 1", "2 0", "-1 2", "0 1 2", "0 18446744073709551616", "a b"] {
            assert_eq!(range(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn facts() {
        let (changes, name) = facts_and_name(b"Modify=20260101000000;unix.MODE=0640; a b").unwrap();
        assert_eq!(changes.modified.map(|time| time.seconds), Some(1_767_225_600));
        assert_eq!((changes.mode, changes.created, name), (Some(0o640), None, b"a b".to_vec()));
        assert_eq!(facts_and_name(b"UNIX.owner=0; a"), Err(Bad::Parameter));
        for bad in ["Modify=1; a", "Modify=20260101000000 a", "; a", "Modify; a", "Modify=20260101000000;", "a"] {
            assert_eq!(facts_and_name(bad.as_bytes()), Err(Bad::Syntax), "{bad}");
        }
    }
}
