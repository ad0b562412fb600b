//! Paths as guests give them.

use super::Error;
use super::hidden::is_hidden;

/// A path that was checked: absolute, normalised, without NUL and names of ours. Kept without its first `/`, so that it
/// cannot be taken for a path of the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Path<'a>(&'a [u8]);

impl<'a> Path<'a> {
    /// The volume's root.
    pub(super) const ROOT: Self = Self(&[]);

    /// Error [`Error::BadName`] for anything but `/` and `/part/part`, and for what has a hidden part.
    pub(super) fn new(path: &'a [u8]) -> Result<Self, Error> {
        match path.strip_prefix(b"/") {
            Some(relative) if is_normalised(path) && !parts(relative).any(is_hidden) => Ok(Self(relative)),
            _ => Err(Error::BadName),
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

    /// The text of a link here that leads to `target`, if no directory on the way is a link. Relative, so
    /// that it names nothing outside the volume, wherever that is.
    pub(super) fn link_to(self, target: Self) -> Vec<u8> {
        let parts = |path: Self| -> Vec<&'a [u8]> {
            path.0.split(|&octet| octet == b'/').filter(|part| !part.is_empty()).collect()
        };
        let (directory, target) = (self.split().map_or_else(Vec::new, |(parent, _)| parts(parent)), parts(target));
        let common = directory.iter().zip(&target).take_while(|(a, b)| a == b).count();
        let up = directory.iter().skip(common).map(|_| &b".."[..]);
        let text: Vec<&[u8]> = up.chain(target.into_iter().skip(common)).collect();
        if text.is_empty() { b".".to_vec() } else { text.join(&b'/') }
    }
}

/// Whether a path is absolute and normalised, without NUL.
pub(crate) fn is_normalised(path: &[u8]) -> bool {
    let good = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
    path.strip_prefix(b"/").is_some_and(|relative| relative.is_empty() || parts(relative).all(good))
}

fn parts(relative: &[u8]) -> impl Iterator<Item = &[u8]> {
    relative.split(|&octet| octet == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_normalised_paths() {
        let bad: [&[u8]; 17] = [
            b"",
            b"a",
            b"./a",
            b"//",
            b"//a",
            b"/a/",
            b"/a//b",
            b"/.",
            b"/..",
            b"/a/..",
            b"/../a",
            b"/a/./b",
            b"/a\0b",
            b"/\0",
            b"/.in.f.",
            b"/d/.in.f.1",
            b"/.in.d./f",
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

    #[test]
    fn links_are_relative() {
        let link = |link, target| Path::new(link).unwrap().link_to(Path::new(target).unwrap());
        assert_eq!(link(b"/l", b"/f"), b"f");
        assert_eq!(link(b"/l", b"/"), b".");
        assert_eq!(link(b"/a/l", b"/"), b"..");
        assert_eq!(link(b"/a/l", b"/a"), b".");
        assert_eq!(link(b"/a/b/l", b"/x/y"), b"../../x/y");
        assert_eq!(link(b"/a/b/l", b"/a/x"), b"../x");
        assert_eq!(link(b"/a/l", b"/a/b/c"), b"b/c");
        assert_eq!(link(b"/ab/l", b"/a/b"), b"../a/b");
    }
}
