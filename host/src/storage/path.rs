//! Paths as guests give them.

use super::Error;

/// A path that was checked: absolute, normalised, without NUL. Kept without its first `/`, so that it
/// cannot be taken for a path of the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Path<'a>(&'a [u8]);

impl<'a> Path<'a> {
    /// The volume's root.
    pub(super) const ROOT: Self = Self(&[]);

    /// Error [`Error::BadName`] for anything but `/` and `/part/part`.
    pub(super) fn new(path: &'a [u8]) -> Result<Self, Error> {
        let relative = path.strip_prefix(b"/").ok_or(Error::BadName)?;
        let good = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
        if relative.is_empty() || relative.split(|&octet| octet == b'/').all(good) {
            Ok(Self(relative))
        } else {
            Err(Error::BadName)
        }
    }

    /// Relative to the volume's root, for openat2(2).
    pub(super) fn relative(self) -> &'a [u8] {
        if self.0.is_empty() { b"." } else { self.0 }
    }

    /// The directory that holds the last part, and that part. `None` for the root, which no directory
    /// of the volume holds.
    pub(super) fn split(self) -> Option<(Self, &'a [u8])> {
        if self.0.is_empty() {
            return None;
        }
        let slash = self.0.iter().rposition(|&octet| octet == b'/');
        let (parent, last) = match slash.and_then(|at| self.0.split_at_checked(at)) {
            Some((parent, last)) => (parent, last.strip_prefix(b"/").unwrap_or(last)),
            None => (Self::ROOT.0, self.0),
        };
        Some((Self(parent), last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_normalised_paths() {
        let bad: [&[u8]; 14] = [
            b"", b"a", b"./a", b"//", b"//a", b"/a/", b"/a//b", b"/.", b"/..", b"/a/..", b"/../a", b"/a/./b", b"/a\0b",
            b"/\0",
        ];
        for path in bad {
            assert_eq!(Path::new(path), Err(Error::BadName), "{}", path.escape_ascii());
        }
        let good: [&[u8]; 7] = [b"/", b"/a", b"/a/b", b"/...", b"/..a", b"/\xff\r\n\"", b"/a\\..\\b"];
        for path in good {
            assert!(Path::new(path).is_ok(), "{}", path.escape_ascii());
        }
    }

    #[test]
    fn split_at_the_last_part() {
        let split = |path| Path::new(path).unwrap().split().map(|(parent, last)| (parent.relative(), last));
        assert_eq!(split(b"/"), None);
        assert_eq!(split(b"/a"), Some((&b"."[..], &b"a"[..])));
        assert_eq!(split(b"/a/b/c"), Some((&b"a/b"[..], &b"c"[..])));
    }
}
