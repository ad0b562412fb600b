//! Pathnames of the server's virtual tree (RFC 3659 §6): octets, with `/` between the parts.

/// An absolute pathname without empty, `.` or `..` parts: `/`, or a `/` in front of each part.
///
/// It cannot lead out of the tree, and no part of it can end a line. Names need not be UTF-8; a backslash
/// and a tilde are octets like any other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VPath(Vec<u8>);

/// Not the name of anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadName;

impl VPath {
    /// The top of the tree.
    pub fn root() -> Self {
        Self(b"/".to_vec())
    }

    /// What `pathname`, absolute or not, names in this directory.
    pub fn join(&self, pathname: &[u8]) -> Result<Self, BadName> {
        let mut path = if pathname.starts_with(b"/") { Self::root() } else { self.clone() };
        for part in pathname.split(|&octet| octet == b'/') {
            match part {
                b"" | b"." => {}
                // RFC 959 §4.1.1, CDUP; as in Unix, the root is its own parent.
                b".." => path.pop(),
                name => path.push(name)?,
            }
        }
        path.checked()
    }

    /// What is called `name` in this directory: one part, taken literally.
    pub fn child(&self, name: &[u8]) -> Result<Self, BadName> {
        if matches!(name, b"" | b"." | b"..") || name.contains(&b'/') {
            return Err(BadName);
        }
        let mut path = self.clone();
        path.push(name)?;
        path.checked()
    }

    /// The directory that holds this; the root for the root.
    pub fn parent(&self) -> Self {
        let mut path = self.clone();
        path.pop();
        path
    }

    /// The last part; empty for the root.
    pub fn name(&self) -> &[u8] {
        self.0.rsplit(|&octet| octet == b'/').next().unwrap_or_default()
    }

    /// All of it, from the leading `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is in `directory`, at any depth.
    pub fn is_below(&self, directory: &Self) -> bool {
        let rest = self.0.strip_prefix(directory.as_bytes());
        rest.is_some_and(|rest| !rest.is_empty() && (directory.is_root() || rest.starts_with(b"/")))
    }

    /// Whether this is the top of the tree.
    pub fn is_root(&self) -> bool {
        self.0 == b"/"
    }

    fn push(&mut self, part: &[u8]) -> Result<(), BadName> {
        if part.len() > MAX_PART || part.iter().any(|octet| FORBIDDEN.contains(octet)) {
            return Err(BadName);
        }
        if !self.is_root() {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(part);
        Ok(())
    }

    fn pop(&mut self) {
        let slash = self.0.iter().rposition(|&octet| octet == b'/').unwrap_or_default();
        self.0.truncate(slash.max(1));
    }

    fn checked(self) -> Result<Self, BadName> {
        if self.0.len() <= MAX_PATH { Ok(self) } else { Err(BadName) }
    }
}

/// A pathname inside a 257 reply: in quotes, those inside doubled (RFC 959 Appendix II).
pub fn quoted(path: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(path.len() + 2);
    text.push(b'"');
    for &octet in path {
        if octet == b'"' {
            text.push(b'"');
        }
        text.push(octet);
    }
    text.push(b'"');
    text
}

/// NUL ends a name for the host's system; CR and LF end a line of ours.
const FORBIDDEN: [u8; 3] = [0, b'\r', b'\n'];

/// Octets in one part: NAME_MAX of every common file system.
const MAX_PART: usize = 255;

/// Octets in a whole pathname: PATH_MAX of Linux, whose host will be asked for it.
const MAX_PATH: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn join(base: &str, pathname: &[u8]) -> Result<String, BadName> {
        let base = VPath::root().join(base.as_bytes()).unwrap();
        base.join(pathname).map(|path| String::from_utf8(path.0).unwrap())
    }

    #[test]
    fn joins() {
        for (base, pathname, expected) in [
            ("/", "", "/"),
            ("/a/b", "", "/a/b"),
            ("/a", "b", "/a/b"),
            ("/a", "/b", "/b"),
            ("/a", "b/c/", "/a/b/c"),
            ("/a", ".//./b", "/a/b"),
            ("/a/b", "..", "/a"),
            ("/a", "../..", "/"),
            ("/", "../../../etc", "/etc"),
            ("/a", "//..//../x", "/x"),
            ("/a", "b/../../c", "/c"),
            ("/a", "...", "/a/..."),
            ("/a", "..\\..\\b", "/a/..\\..\\b"),
            ("/a", "C:\\b", "/a/C:\\b"),
            ("/a", "~root", "/a/~root"),
            ("/a", " b ", "/a/ b "),
        ] {
            assert_eq!(join(base, pathname.as_bytes()).as_deref(), Ok(expected), "{base} {pathname}");
        }
    }

    #[test]
    fn bad_names() {
        for bad in [&b"a\0"[..], b"a\rb", b"a\nb", b"\n/../a", &[b'a'; 256], &b"aaaa/".repeat(900)] {
            assert_eq!(join("/", bad), Err(BadName));
        }
        assert!(join("/", &[b'a'; 255]).is_ok());
        assert_eq!(join("/", &b"/aaa".repeat(1024)).map(|path| path.len()), Ok(4096));
        assert_eq!(join("/a", &b"/aaa".repeat(1025)), Err(BadName));
        assert_eq!(join("/", &b"aaaa/../".repeat(900)).as_deref(), Ok("/"));
    }

    #[test]
    fn families() {
        let (root, path) = (VPath::root(), VPath::root().join(b"a/b\xFF").unwrap());
        assert!(root.is_root() && !path.is_root());
        assert_eq!((root.name(), path.name()), (&b""[..], &b"b\xFF"[..]));
        assert_eq!((root.parent(), path.parent()), (root.clone(), root.child(b"a").unwrap()));
        assert_eq!(path.parent().child(path.name()), Ok(path));
        for bad in ["", ".", "..", "a/b", "/", "a\0", "a\r"] {
            assert_eq!(root.child(bad.as_bytes()), Err(BadName), "{bad:?}");
        }
    }

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(quoted(b"/"), b"\"/\"");
        assert_eq!(quoted(b"/a \"b\""), b"\"/a \"\"b\"\"\"");
    }

    #[test]
    fn bug_13_nothing_escapes() {
        let mut random = 1u32;
        let mut base = VPath::root();
        for _ in 0..100_000 {
            let mut pathname = Vec::new();
            for _ in 0..12 {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                pathname.push(b"/./.a\\\xFF\n"[(random >> 24) as usize % 8]);
            }
            let Ok(path) = base.join(&pathname) else { continue };
            assert!(path.is_root() || path.0.first() == Some(&b'/'));
            for part in path.0.split(|&octet| octet == b'/').skip(1) {
                assert!(path.is_root() || !matches!(part, b"" | b"." | b".."), "{path:?}");
            }
            assert!(!path.0.contains(&b'\n'));
            assert_eq!(base.join(path.as_bytes()).as_ref(), Ok(&path));
            assert_eq!(path.is_root(), path.name().is_empty());
            base = if path.0.len() > 60 { VPath::root() } else { path };
        }
    }
}
