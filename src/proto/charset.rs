//! Charsets of pathnames. On disk they are octets, in UTF-8 by custom; some clients know only another charset.

use encoding_rs::{Encoding, WINDOWS_1252};

/// How pathnames are written on the control and data connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charset(Option<&'static Encoding>);

impl Charset {
    /// As they are on disk (RFC 2640 §2.2: UTF-8).
    pub const OCTETS: Self = Self(None);

    /// What clients mean that do not say what: Latin 1, as Windows has it.
    pub fn legacy() -> Self {
        Self(Some(WINDOWS_1252))
    }

    /// By its name in the WHATWG Encoding Standard. `None` if there is none of that name, or if an ASCII
    /// octet could mean something else in it.
    pub fn find(name: &str) -> Option<Self> {
        let encoding = Encoding::for_label(name.as_bytes()).filter(|encoding| encoding.is_ascii_compatible())?;
        Some(if encoding == encoding_rs::UTF_8 { Self::OCTETS } else { Self(Some(encoding)) })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0.map_or("UTF-8", Encoding::name)
    }

    /// A name on disk as the client sees it. One that the charset cannot write, or that is not UTF-8, is
    /// sent as it is, and is understood when it comes back.
    pub fn to_wire(self, name: Vec<u8>) -> Vec<u8> {
        if name.is_ascii() {
            return name;
        }
        self.encoded(&name).unwrap_or(name)
    }

    /// What a client sent, as it is on disk.
    pub fn from_wire(self, name: &[u8]) -> Vec<u8> {
        match self.0 {
            // Sent as it is because the charset cannot write it.
            Some(_) if std::str::from_utf8(name).is_ok() && self.encoded(name).is_none() => name.to_vec(),
            Some(encoding) => match encoding.decode_without_bom_handling(name) {
                (text, false) => text.into_owned().into_bytes(),
                (_, true) => name.to_vec(),
            },
            None => name.to_vec(),
        }
    }

    fn encoded(self, name: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(name).ok()?;
        match self.0?.encode(text) {
            (octets, _, false) => Some(octets.into_owned()),
            (_, _, true) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names() {
        let latin = Charset::legacy();
        assert_eq!(latin.from_wire(b"caf\xE9"), "caf\u{e9}".as_bytes());
        assert_eq!(latin.to_wire("caf\u{e9}".into()), b"caf\xE9");
        let cyrillic = Charset::find("koi8-r").unwrap();
        assert_eq!(cyrillic.from_wire(b"\xC4\xC1"), "\u{434}\u{430}".as_bytes());
        assert_eq!(Charset::find("Shift_JIS").unwrap().to_wire("\u{65e5}".into()), b"\x93\xFA");
        assert_eq!(Charset::find("UTF8"), Some(Charset::OCTETS));
        for none in ["utf-16", "iso-2022-jp", "cp437", ""] {
            assert_eq!(Charset::find(none), None, "{none}");
        }
    }

    #[test]
    fn nothing_is_lost() {
        for charset in [Charset::OCTETS, Charset::legacy(), Charset::find("gbk").unwrap()] {
            for name in ["plain", "caf\u{e9}", "\u{65e5}\u{672c}", "\u{202e}x", "\u{1f600}"] {
                assert_eq!(charset.from_wire(&charset.to_wire(name.into())), name.as_bytes(), "{charset:?} {name}");
            }
        }
        assert_eq!(Charset::OCTETS.from_wire(b"\xFF\xFE"), b"\xFF\xFE");
        assert_eq!(Charset::legacy().to_wire(b"\xFF\xFE".to_vec()), b"\xFF\xFE");
    }
}
