//! Names of others in logs.

use std::fmt;

/// Octets from outside as text for a log: control and formatting characters are escaped, and it has an
/// end.
pub(crate) struct Printable<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.get(..MAX_SHOWN).unwrap_or(self.0);
        for chunk in shown.utf8_chunks() {
            // Debug's escapes cover control, formatting (bidirectional) and unassigned characters.
            write!(f, "{}", chunk.valid().escape_debug())?;
            for octet in chunk.invalid() {
                write!(f, "\\x{octet:02x}")?;
            }
        }
        if self.0.len() > shown.len() { f.write_str("…") } else { Ok(()) }
    }
}

/// Octets of a name in a log line.
const MAX_SHOWN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bug_18_nothing_reaches_a_terminal_raw() {
        assert_eq!(Printable(b"a b\xc3\xa9").to_string(), "a b\u{e9}");
        assert_eq!(Printable(b"\x1b[2J\r\n\xff").to_string(), "\\u{1b}[2J\\r\\n\\xff");
        assert_eq!(Printable("\u{202e}x\u{200b}\u{85}".as_bytes()).to_string(), "\\u{202e}x\\u{200b}\\u{85}");
        let marks = ['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{feff}'].into_iter();
        let bidirectional = ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}');
        for raw in ('\0'..' ').chain('\u{7f}'..='\u{9f}').chain(marks).chain(bidirectional) {
            let shown = Printable(raw.to_string().as_bytes()).to_string();
            assert!(shown.is_ascii() && !shown.contains(char::is_control), "{shown:?}");
        }
    }
}
