//! Pathnames on the connections. On disk they are octets, in UTF-8 by custom; some clients know only another
//! charset (RFC 2640 §3.2).

use std::borrow::Cow;
use std::rc::Rc;

use crate::env::Env;

/// How pathnames are written on the control and data connections: in a charset, or as they are on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names(Option<Rc<str>>);

impl Names {
    /// In a charset, by its name in the WHATWG Encoding Standard.
    pub(super) fn of(charset: Option<&str>) -> Self {
        Self(charset.filter(|name| !name.eq_ignore_ascii_case(UTF_8)).map(Rc::from))
    }

    /// For clients that want no UTF-8, and of which nothing is configured.
    pub(super) fn legacy() -> Self {
        Self::of(Some(LATIN_1))
    }

    /// The charset.
    pub(super) fn charset(&self) -> &str {
        self.0.as_deref().unwrap_or(UTF_8)
    }

    /// A name on disk, or a line with such names, as the client sees it. What the charset cannot write, or is
    /// not UTF-8, is sent as it is, and understood when it comes back.
    pub(super) fn to_wire<'n, E: Env>(&self, env: &E, name: Cow<'n, [u8]>) -> Cow<'n, [u8]> {
        if name.is_ascii() { name } else { self.encoded(env, &name).map_or(name, Cow::Owned) }
    }

    /// What a client sent, as it is on disk.
    pub(super) fn to_disk<E: Env>(&self, env: &E, name: &[u8]) -> Vec<u8> {
        let Some(charset) = self.0.as_deref().filter(|_| !name.is_ascii()) else { return name.to_vec() };
        // Sent as it is because the charset cannot write it.
        if std::str::from_utf8(name).is_ok() && self.encoded(env, name).is_none() {
            return name.to_vec();
        }
        env.decode(charset, name).map_or_else(|| name.to_vec(), String::into_bytes)
    }

    fn encoded<E: Env>(&self, env: &E, name: &[u8]) -> Option<Vec<u8>> {
        env.encode(self.0.as_deref()?, std::str::from_utf8(name).ok()?)
    }
}

const UTF_8: &str = "UTF-8";

/// Latin 1 as Windows has it.
const LATIN_1: &str = "windows-1252";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::memory::Memory;

    #[test]
    fn nothing_is_lost() {
        let env = Memory::new("127.0.0.1:21".parse().unwrap(), "127.0.0.1:4000".parse().unwrap());
        assert_eq!(Names::legacy().to_disk(&env, b"caf\xE9"), "caf\u{e9}".as_bytes());
        assert_eq!(Names::of(Some("Shift_JIS")).to_wire(&env, "\u{65e5}".as_bytes().into()).as_ref(), b"\x93\xFA");
        for names in [Names::default(), Names::legacy(), Names::of(Some("gbk")), Names::of(Some("utf-8"))] {
            for name in ["plain", "caf\u{e9}", "\u{65e5}\u{672c}", "\u{202e}x", "\u{1f600}"] {
                let wire = names.to_wire(&env, name.as_bytes().into());
                assert_eq!(names.to_disk(&env, &wire), name.as_bytes(), "{names:?} {name}");
            }
        }
        assert_eq!(Names::default().to_disk(&env, b"\xFF\xFE"), b"\xFF\xFE");
        assert_eq!(Names::legacy().to_wire(&env, b"\xFF\xFE"[..].into()).as_ref(), b"\xFF\xFE");
    }
}
