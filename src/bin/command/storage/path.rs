//! Paths beneath the directory that is served.

use wasi_ftpd::env::StorageError;
use wasi_ftpd::proto::path::VPath;

use super::hidden::is_hidden;

/// A path that WASI can take: Unicode, and without names of ours. Kept without its first `/`, so that it cannot
/// be taken for a path of the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Path<'a>(&'a str);

impl<'a> Path<'a> {
    /// Error `BadName` for what WASI has no name for, or has a hidden part.
    pub(super) fn new(path: &'a VPath) -> Result<Self, StorageError> {
        let path = std::str::from_utf8(path.as_bytes()).map_err(|_| StorageError::BadName)?;
        let relative = path.strip_prefix('/').ok_or(StorageError::BadName)?;
        if relative.split('/').any(is_hidden) { Err(StorageError::BadName) } else { Ok(Self(relative)) }
    }

    /// Relative to the directory that is served.
    pub(super) fn relative(self) -> &'a str {
        if self.0.is_empty() { "." } else { self.0 }
    }

    /// The directory that holds the last part, and that part. `None` for the root.
    pub(super) fn split(self) -> Option<(Self, &'a str)> {
        let (parent, last) = self.0.rsplit_once('/').unwrap_or(("", self.0));
        (!last.is_empty()).then_some((Self(parent), last))
    }

    /// All directories that hold it, the root left out.
    pub(super) fn ancestors(self) -> impl Iterator<Item = Self> {
        self.0.match_indices('/').filter_map(move |(slash, _)| self.0.get(..slash).map(Self))
    }

    /// The text of a link here that leads to `target`, if no directory on the way is a link.
    pub(super) fn link_to(self, target: Self) -> String {
        let parts = |path: &'a str| path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>();
        let (directory, target) = (parts(self.split().map_or("", |(parent, _)| parent.0)), parts(target.0));
        let common = directory.iter().zip(&target).take_while(|(a, b)| a == b).count();
        let up = directory.iter().skip(common).map(|_| "..");
        let text: Vec<&str> = up.chain(target.into_iter().skip(common)).collect();
        if text.is_empty() { ".".to_owned() } else { text.join("/") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vpath(path: &str) -> VPath {
        VPath::root().join(path.as_bytes()).unwrap()
    }

    #[test]
    fn paths_of_unicode_without_hidden_names() {
        for path in ["/.in.f.", "/d/.in.f.1", "/.in.d./f"] {
            assert_eq!(Path::new(&vpath(path)), Err(StorageError::BadName), "{path}");
        }
        assert_eq!(Path::new(&VPath::root().join(b"/\xff").unwrap()), Err(StorageError::BadName));
        let relative = |path| Path::new(&vpath(path)).map(|path| path.relative().to_owned());
        assert_eq!(relative("/"), Ok(".".to_owned()));
        assert_eq!(relative("/a/\u{fc}"), Ok("a/\u{fc}".to_owned()));
    }

    #[test]
    fn families() {
        let split = |path| {
            let path = vpath(path);
            let split = Path::new(&path).unwrap().split();
            split.map(|(parent, last)| (parent.relative().to_owned(), last.to_owned()))
        };
        assert_eq!(split("/"), None);
        assert_eq!(split("/a"), Some((".".into(), "a".into())));
        assert_eq!(split("/a/b/c"), Some(("a/b".into(), "c".into())));
        let path = vpath("/a/b/c");
        let ancestors: Vec<_> = Path::new(&path).unwrap().ancestors().map(Path::relative).collect();
        assert_eq!(ancestors, ["a", "a/b"]);
    }

    #[test]
    fn links_are_relative() {
        let link = |link, target| Path::new(&vpath(link)).unwrap().link_to(Path::new(&vpath(target)).unwrap());
        assert_eq!(link("/l", "/f"), "f");
        assert_eq!(link("/l", "/"), ".");
        assert_eq!(link("/a/l", "/a"), ".");
        assert_eq!(link("/a/b/l", "/x/y"), "../../x/y");
        assert_eq!(link("/ab/l", "/a/b"), "../a/b");
    }
}
