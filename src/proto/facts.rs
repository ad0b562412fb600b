//! Facts about files and directories for MLST and MLSD (RFC 3659 §7).

use crate::proto::digits::{self, decimal};
use crate::proto::entry::{Attributes, Kind, Permissions, Unix};

/// A set of facts: those that a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts(u16);

/// A fact that this server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// File, directory, or something of Unix (RFC 3659 §7.5.1).
    Type,
    /// Octets of a file (§7.5.7).
    Size,
    /// Last change (§7.5.3).
    Modify,
    /// When it was made (§7.5.4).
    Create,
    /// What this user may do (§7.5.5).
    Perm,
    /// Equal for two names of one file (§7.5.2).
    Unique,
    /// Permission bits, in octal.
    UnixMode,
    /// Numeric user.
    UnixOwner,
    /// Numeric group.
    UnixGroup,
}

impl Default for Facts {
    /// Owner and group are numbers that few clients show, so they must be asked for.
    fn default() -> Self {
        let default = [Fact::Type, Fact::Size, Fact::Modify, Fact::Create, Fact::Perm, Fact::Unique, Fact::UnixMode];
        default.into_iter().collect()
    }
}

impl FromIterator<Fact> for Facts {
    fn from_iter<I: IntoIterator<Item = Fact>>(facts: I) -> Self {
        Self(facts.into_iter().fold(0, |bits, fact| bits | fact.bit()))
    }
}

impl Facts {
    /// What `OPTS MLST type;size;` asks for. RFC 3659 §7.9: any case, unknown ones are passed over, and
    /// an empty list asks for none.
    pub fn select(list: &[u8]) -> Self {
        list.split(|&octet| octet == b';').filter_map(|name| Fact::find(name.trim_ascii())).collect()
    }

    /// The list for the reply to OPTS (RFC 3659 §7.9).
    pub fn names(self) -> String {
        self.iter().flat_map(|fact| [fact.name(), ";"]).collect()
    }

    /// The line for FEAT; a star marks those in the set (RFC 3659 §7.8). `unix`: there are facts of Unix.
    pub fn feature(self, unix: bool) -> String {
        let known = ALL.into_iter().filter(|fact| unix || !fact.is_of_unix());
        let marked = known.flat_map(|fact| [fact.name(), if self.contains(fact) { "*;" } else { ";" }]);
        std::iter::once("MLST ").chain(marked).collect()
    }

    /// Append `fact=value;` for each that applies. A space and the pathname follow (RFC 3659 §7.2).
    pub fn write(self, out: &mut Vec<u8>, attributes: &Attributes, permissions: &Permissions) {
        let known = |fact: &Fact| match fact {
            Fact::Size => attributes.kind == Kind::File,
            Fact::Create => attributes.created.is_some(),
            fact => attributes.unix.is_some() || !fact.is_of_unix(),
        };
        let unix = attributes.unix.unwrap_or(Unix::usual(attributes.kind));
        for fact in self.iter().filter(known) {
            out.extend_from_slice(fact.name().as_bytes());
            out.push(b'=');
            match fact {
                Fact::Type => out.extend_from_slice(type_of(attributes.kind)),
                Fact::Size => decimal(out, attributes.size),
                Fact::Modify => attributes.modified.write_exact_time_val(out),
                Fact::Create => attributes.created.unwrap_or_default().write_exact_time_val(out),
                Fact::Perm => write_perm(out, attributes.kind, permissions),
                Fact::Unique => {
                    digits::write::<16>(out, attributes.unique.0, 1, b'0');
                    out.push(b'g');
                    digits::write::<16>(out, attributes.unique.1, 1, b'0');
                }
                Fact::UnixMode => digits::write::<8>(out, (unix.mode & 0o7777).into(), 4, b'0'),
                Fact::UnixOwner => decimal(out, unix.owner.into()),
                Fact::UnixGroup => decimal(out, unix.group.into()),
            }
            out.push(b';');
        }
    }

    fn contains(self, fact: Fact) -> bool {
        self.0 & fact.bit() != 0
    }

    fn iter(self) -> impl Iterator<Item = Fact> {
        ALL.into_iter().filter(move |&fact| self.contains(fact))
    }
}

impl Fact {
    fn find(name: &[u8]) -> Option<Self> {
        ALL.into_iter().find(|fact| fact.name().as_bytes().eq_ignore_ascii_case(name))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Size => "size",
            Self::Modify => "modify",
            Self::Create => "create",
            Self::Perm => "perm",
            Self::Unique => "unique",
            Self::UnixMode => "UNIX.mode",
            Self::UnixOwner => "UNIX.owner",
            Self::UnixGroup => "UNIX.group",
        }
    }

    fn is_of_unix(self) -> bool {
        matches!(self, Self::UnixMode | Self::UnixOwner | Self::UnixGroup)
    }

    fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// RFC 3659 §7.5.1; what is neither file nor directory has a type of its system, `OS.name=type`.
fn type_of(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::File => b"file",
        Kind::Directory => b"dir",
        Kind::Link => b"OS.unix=slink",
        Kind::Other => b"OS.unix=other",
    }
}

/// RFC 3659 §7.5.5: a letter for each thing that this user may do with an entry of this kind.
fn write_perm(out: &mut Vec<u8>, kind: Kind, may: &Permissions) {
    let letters: &[(u8, bool)] = match kind {
        Kind::File => &[(b'a', may.write), (b'd', may.delete), (b'f', may.rename), (b'r', may.read), (b'w', may.write)],
        Kind::Directory => &[
            (b'c', may.write),
            (b'd', may.remove_directory),
            (b'e', may.list),
            (b'f', may.rename),
            (b'l', may.list),
            (b'm', may.make_directory),
            (b'p', may.delete),
        ],
        Kind::Link | Kind::Other => &[(b'd', may.delete), (b'f', may.rename)],
    };
    out.extend(letters.iter().filter(|(_, allowed)| *allowed).map(|(letter, _)| letter));
}

/// In the order in which they are told.
const ALL: [Fact; 9] = [
    Fact::Type,
    Fact::Size,
    Fact::Modify,
    Fact::Create,
    Fact::Perm,
    Fact::Unique,
    Fact::UnixMode,
    Fact::UnixOwner,
    Fact::UnixGroup,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::entry::Time;

    fn written(facts: Facts, kind: Kind, permissions: &Permissions) -> String {
        written_with(facts, kind, permissions, Some(Unix { mode: 0o100_644, owner: 1000, group: 100 }))
    }

    fn written_with(facts: Facts, kind: Kind, permissions: &Permissions, unix: Option<Unix>) -> String {
        let attributes = Attributes {
            kind,
            size: 12,
            modified: Time { seconds: 1_767_225_600, nanoseconds: 5_000_000 },
            created: (kind == Kind::File).then(Time::default),
            unix,
            links: 1,
            unique: (0x801, 0xABC),
        };
        let mut out = Vec::new();
        facts.write(&mut out, &attributes, permissions);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_file() {
        assert_eq!(
            written(Facts::default(), Kind::File, &Permissions::ALL),
            "type=file;size=12;modify=20260101000000.005;create=19700101000000;perm=adfrw;unique=801gabc;UNIX.mode=0644;"
        );
        let rest = Facts::select(b"UNIX.group;UNIX.owner");
        assert_eq!(written(rest, Kind::File, &Permissions::ALL), "UNIX.owner=1000;UNIX.group=100;");
        let without = written_with(Facts::select(b"type;unix.mode;unix.owner"), Kind::File, &Permissions::ALL, None);
        assert_eq!(without, "type=file;");
    }

    #[test]
    fn types_and_permissions() {
        let facts = Facts::select(b"type;size;perm;");
        for (kind, permissions, expected) in [
            (Kind::File, Permissions::READ_ONLY, "type=file;size=12;perm=r;"),
            (Kind::File, Permissions::default(), "type=file;size=12;perm=;"),
            (Kind::Directory, Permissions::ALL, "type=dir;perm=cdeflmp;"),
            (Kind::Directory, Permissions::READ_ONLY, "type=dir;perm=el;"),
            (Kind::Link, Permissions::ALL, "type=OS.unix=slink;perm=df;"),
            (Kind::Other, Permissions::READ_ONLY, "type=OS.unix=other;perm=;"),
        ] {
            assert_eq!(written(facts, kind, &permissions), expected);
        }
    }

    #[test]
    fn selections() {
        assert_eq!(Facts::default().names(), "type;size;modify;create;perm;unique;UNIX.mode;");
        assert_eq!(Facts::select(b"Unix.MODE;charset;SIZE;Type").names(), "type;size;UNIX.mode;");
        for none in ["", ";", ";;", "charset;", "typ", "type=;"] {
            assert_eq!(Facts::select(none.as_bytes()).names(), "", "{none}");
        }
        assert_eq!(written(Facts::select(b""), Kind::File, &Permissions::ALL), "");
        for bits in 0..1 << ALL.len() {
            assert_eq!(Facts::select(Facts(bits).names().as_bytes()), Facts(bits));
        }
    }

    #[test]
    fn features() {
        assert_eq!(
            Facts::default().feature(true),
            "MLST type*;size*;modify*;create*;perm*;unique*;UNIX.mode*;UNIX.owner;UNIX.group;"
        );
        assert_eq!(
            Facts::select(b"size").feature(true),
            "MLST type;size*;modify;create;perm;unique;UNIX.mode;UNIX.owner;UNIX.group;"
        );
        assert_eq!(Facts::default().feature(false), "MLST type*;size*;modify*;create*;perm*;unique*;");
    }
}
