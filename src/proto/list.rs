//! Listings for people and for clients that read as people do: LIST and NLST (RFC 959 §4.1.3).

use std::borrow::Cow;

use super::digits::{self, decimal};
use super::entry::{Attributes, Kind, Time, Unix};

/// Append the columns of `ls -l` that clients parse, up to the name.
pub fn write_attributes(out: &mut Vec<u8>, of: &Attributes, now: Time) {
    let Unix { mode, owner, group } = of.unix.unwrap_or(Unix::usual(of.kind));
    out.extend(mode_letters(of.kind, mode));
    digits::write::<10>(out, of.links, 5, b' ');
    for id in [owner, group] {
        out.push(b' ');
        let end = out.len() + 8;
        decimal(out, id.into());
        out.resize(end.max(out.len()), b' ');
    }
    out.push(b' ');
    digits::write::<10>(out, of.size, 8, b' ');
    out.push(b' ');
    of.modified.write_ls_date(now, out);
    out.push(b' ');
}

/// The name with `?` for every octet that would end its line. All others stay as they are.
pub fn safe_name(name: &[u8]) -> Cow<'_, [u8]> {
    let ends_line = |octet: &u8| matches!(octet, b'\r' | b'\n' | 0);
    if name.iter().any(ends_line) {
        name.iter().map(|octet| if ends_line(octet) { b'?' } else { *octet }).collect()
    } else {
        name.into()
    }
}

/// `drwxr-xr-x`. A device is shown as a file: clients drop lines whose first letter they do not know.
fn mode_letters(kind: Kind, mode: u32) -> [u8; 10] {
    let first = match kind {
        Kind::Directory => b'd',
        Kind::Link => b'l',
        Kind::File | Kind::Other => b'-',
    };
    let bit = |bit: u32, letter: u8| if mode & bit != 0 { letter } else { b'-' };
    // One place shows two bits: whether it may be run, and something special.
    let run = |run: u32, special: u32, letter: u8| match (mode & run != 0, mode & special != 0) {
        (_, false) => bit(run, b'x'),
        (true, true) => letter,
        (false, true) => letter.to_ascii_uppercase(),
    };
    [
        first,
        bit(0o400, b'r'),
        bit(0o200, b'w'),
        run(0o100, 0o4000, b's'),
        bit(0o040, b'r'),
        bit(0o020, b'w'),
        run(0o010, 0o2000, b's'),
        bit(0o004, b'r'),
        bit(0o002, b'w'),
        run(0o001, 0o1000, b't'),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: Kind, mode: u32, size: u64, name: &[u8]) -> String {
        let modified = Time { seconds: 1_767_225_600, nanoseconds: 0 };
        let attributes = Attributes {
            kind,
            size,
            modified,
            created: None,
            unix: Some(Unix { mode, owner: 1000, group: 1000 }),
            links: 1,
            unique: (0, 0),
        };
        let mut out = Vec::new();
        write_attributes(&mut out, &attributes, modified);
        out.extend_from_slice(&safe_name(name));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines() {
        assert_eq!(
            line(Kind::File, 0o644, 1234, b"a name"),
            "-rw-r--r--    1 1000     1000         1234 Jan  1 00:00 a name"
        );
        assert_eq!(
            line(Kind::Directory, 0o755, 12_345_678_901, b"two\r\nlines"),
            "drwxr-xr-x    1 1000     1000     12345678901 Jan  1 00:00 two??lines"
        );
    }

    #[test]
    fn modes() {
        for (kind, mode, expected) in [
            (Kind::File, 0, "----------"),
            (Kind::Link, 0o777, "lrwxrwxrwx"),
            (Kind::Other, 0o640, "-rw-r-----"),
            (Kind::Directory, 0o1777, "drwxrwxrwt"),
            (Kind::Directory, 0o1776, "drwxrwxrwT"),
            (Kind::File, 0o6755, "-rwsr-sr-x"),
            (Kind::File, 0o106_644, "-rwSr-Sr--"),
        ] {
            assert_eq!(mode_letters(kind, mode), expected.as_bytes(), "{mode:o}");
        }
    }

    #[test]
    fn names() {
        assert_eq!(safe_name(b"\xFFa\nb").as_ref(), b"\xFFa?b");
        assert!(matches!(safe_name(b"plain \\ \xE4"), Cow::Borrowed(b"plain \\ \xE4")));
        assert_eq!(safe_name(b"\r\n\0").as_ref(), b"???");
    }
}
