//! SITE (RFC 959 §4.1.3): what other servers have made of it, as their clients send it.

use super::address::decimal;
use super::arguments::{mode, names, word_and_rest, words};
use super::command::Name;
use super::entry::Time;

/// A SITE command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is explained by its row")]
pub enum Site {
    Chmod(u32, Name),
    Copy(Name, Name),
    Cpfr(Name),
    Cpto(Name),
    Help,
    Idle(Option<u32>),
    Mkdir(Name),
    Rmdir(Name),
    /// What the link leads to, and the link.
    Symlink(Name, Name),
    Umask(Option<u32>),
    Utime(Time, Name),
    Who,
}

/// What the table says of a SITE command.
#[derive(Debug)]
pub struct Row {
    /// Its name, upper case; any case is understood.
    pub name: &'static str,
    /// Its argument, for SITE HELP.
    pub syntax: &'static str,
    /// It is about Unix modes.
    pub modes: bool,
    parse: fn(&[u8]) -> Option<Site>,
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Row {}

const fn row(name: &'static str, syntax: &'static str, parse: fn(&[u8]) -> Option<Site>) -> Row {
    Row { name, syntax, modes: false, parse }
}

const fn of_modes(row: Row) -> Row {
    Row { modes: true, ..row }
}

/// Every SITE command, as FEAT and SITE HELP list them.
pub static TABLE: &[Row] = &[
    of_modes(row("CHMOD", "mode pathname", |argument| {
        let (digits, name) = word_and_rest(argument)?;
        Some(Site::Chmod(mode(digits)?, name.to_vec()))
    })),
    row("COPY", "from to", |argument| two_names(argument).map(|(from, to)| Site::Copy(from, to))),
    row("CPFR", "pathname", |argument| one_name(argument).map(Site::Cpfr)),
    row("CPTO", "pathname", |argument| one_name(argument).map(Site::Cpto)),
    row("HELP", "", |_| Some(Site::Help)),
    row("IDLE", "[seconds]", |argument| optional(argument, seconds).map(Site::Idle)),
    row("MKDIR", "pathname", |argument| one_name(argument).map(Site::Mkdir)),
    row("RMDIR", "pathname", |argument| one_name(argument).map(Site::Rmdir)),
    row("SYMLINK", "target pathname", |argument| two_names(argument).map(|(target, link)| Site::Symlink(target, link))),
    of_modes(row("UMASK", "[mask]", |argument| optional(argument, mode).map(Site::Umask))),
    row("UTIME", "YYYYMMDDhhmm[ss] pathname | pathname access modify create UTC", |argument| {
        utime(argument).map(|(time, name)| Site::Utime(time, name))
    }),
    row("WHO", "", |argument| argument.trim_ascii().is_empty().then_some(Site::Who)),
];

/// Why an argument of SITE means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadSite {
    /// No such command.
    Unknown,
    /// Its argument is missing, superfluous or malformed.
    Argument(&'static Row),
}

/// What SITE was told.
pub fn parse(argument: &[u8]) -> Result<Site, BadSite> {
    let argument = argument.trim_ascii_start();
    let (name, rest) = word_and_rest(argument).unwrap_or((argument.trim_ascii(), b""));
    let row = TABLE.iter().find(|row| row.name.as_bytes().eq_ignore_ascii_case(name)).ok_or(BadSite::Unknown)?;
    (row.parse)(rest).ok_or(BadSite::Argument(row))
}

/// A number that may be missing; `None` if it is none.
fn optional(argument: &[u8], number: impl Fn(&[u8]) -> Option<u32>) -> Option<Option<u32>> {
    match argument.trim_ascii() {
        b"" => Some(None),
        digits => number(digits).map(Some),
    }
}

fn seconds(digits: &[u8]) -> Option<u32> {
    u32::try_from(decimal(digits)?).ok()
}

fn one_name(argument: &[u8]) -> Option<Name> {
    (!argument.is_empty()).then(|| argument.to_vec())
}

/// Two names: words, or in quotes if they have spaces.
fn two_names(argument: &[u8]) -> Option<(Name, Name)> {
    <[Name; 2]>::try_from(names(argument)?).ok().map(|[first, second]| (first, second))
}

/// ```text
/// SITE UTIME <SP> YYYYMMDDhhmm[ss] <SP> pathname
/// SITE UTIME <SP> pathname <SP> access-time <SP> modification-time <SP> creation-time <SP> UTC
/// ```
/// lftp sends the second and, if it is refused, the first. Only the time of modification is set.
fn utime(argument: &[u8]) -> Option<(Time, Name)> {
    let last: Vec<&[u8]> = words(argument).collect();
    if let [.., access, modified, created, zone] = last[..]
        && zone.eq_ignore_ascii_case(b"UTC")
        && let (Some(_), Some(time), Some(_)) = (timestamp(access), timestamp(modified), timestamp(created))
    {
        let stamps = [access, modified, created, zone].iter().map(|word| word.len() + 1).sum::<usize>();
        let name = argument.trim_ascii_end();
        let name = name.get(..name.len().checked_sub(stamps)?).filter(|name| !name.is_empty())?;
        return Some((time, name.to_vec()));
    }
    let (time, name) = word_and_rest(argument)?;
    Some((timestamp(time)?, name.to_vec()))
}

/// A time-val, whose seconds may be missing.
fn timestamp(digits: &[u8]) -> Option<Time> {
    if digits.len() == 12 { Time::from_time_val(&[digits, b"00"].concat()) } else { Time::from_time_val(digits) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_utime() {
        let time = Time::from_time_val(b"20260102030400").unwrap();
        for argument in [
            "UTIME 202601020304 a b",
            "utime 20260102030400 a b",
            "UTIME a b 20250101000000 20260102030400 20240101000000 UTC",
        ] {
            assert_eq!(parse(argument.as_bytes()), Ok(Site::Utime(time, b"a b".to_vec())), "{argument}");
        }
        for bad in ["UTIME", "UTIME a", "UTIME 2026 a", "UTIME 20250101000000 20260102030400 20240101000000 UTC"] {
            // The last has no name: its first time is one, and "UTC" no time.
            assert!(!matches!(parse(bad.as_bytes()), Ok(Site::Utime(_, name)) if name.is_empty()), "{bad}");
        }
        assert!(matches!(parse(b"UTIME a"), Err(BadSite::Argument(_))));
    }

    #[test]
    fn every_row_is_parsed() {
        for row in TABLE {
            let arguments = ["", "1", "644 a", "a b", "20260102030400 a"];
            let parsed = |argument| parse(format!("{} {argument}", row.name.to_lowercase()).as_bytes()).is_ok();
            assert!(arguments.into_iter().any(parsed), "{}", row.name);
        }
        assert_eq!(parse(b"NAMEFMT 1"), Err(BadSite::Unknown));
        assert_eq!(parse(b"FILETYPE=SEQ"), Err(BadSite::Unknown));
        assert_eq!(parse(b" HELP "), Ok(Site::Help));
        assert!(matches!(parse(b"CHMOD 999 a"), Err(BadSite::Argument(_))));
        assert!(matches!(parse(b"SYMLINK a b c"), Err(BadSite::Argument(_))));
        assert_eq!(parse(b"SYMLINK \"a b\" c"), Ok(Site::Symlink(b"a b".to_vec(), b"c".to_vec())));
        assert_eq!(parse(b"IDLE 4294967296"), parse(b"IDLE x"));
    }
}
