//! MODE C (RFC 959 §3.4.3).
//!
//! ```text
//! 0nnnnnnn  = n octets follow            11nnnnnn = n fillers: spaces, or zeros if TYPE is I
//! 10nnnnnn  = n times the next octet     00000000 = a descriptor of block mode for the string behind it
//! ```

use super::block::{Described, END_OF_FILE, END_OF_RECORD, MARKER};
use super::decoder::take;
use super::records::Local;
use super::{FULL, Malformed, Type, ebcdic};

/// Append the strings of some octets; `end`: a record ends with them.
pub fn put(representation: Type, octets: &[u8], end: bool, out: &mut Vec<u8>) {
    if octets.is_empty() && end {
        out.extend([ESCAPE, END_OF_RECORD]);
        out.extend(EMPTY);
    }
    let mut rest = octets;
    while let Some(&first) = rest.first() {
        let run = rest.iter().take(MOST_COPIES).take_while(|&&octet| octet == first).count();
        let length = if run >= WORTH_IT { run } else { until_run(rest) };
        let string = take(&mut rest, length);
        if rest.is_empty() && end {
            out.extend([ESCAPE, END_OF_RECORD]);
        }
        let length = string.len() as u8;
        if run < WORTH_IT {
            out.push(length);
            out.extend_from_slice(string);
        } else if first == filler(representation) {
            out.push(FILLERS | length);
        } else {
            out.extend([COPIES | length, first]);
        }
    }
}

/// How many of the first octets are to be sent as they are: up to a run that is worth it.
fn until_run(octets: &[u8]) -> usize {
    let octets = octets.get(..MOST_OCTETS + WORTH_IT - 1).unwrap_or(octets);
    let is_run = |octets: &[u8]| octets.iter().all(|octet| octets.first() == Some(octet));
    octets.windows(WORTH_IT).position(is_run).unwrap_or(octets.len()).min(MOST_OCTETS)
}

/// Append a restart marker; what one string cannot hold is left out.
pub fn put_marker(mut marker: &[u8], out: &mut Vec<u8>) {
    out.extend([ESCAPE, MARKER]);
    match take(&mut marker, MOST_OCTETS) {
        [] => out.extend(EMPTY),
        string => {
            out.push(string.len() as u8);
            out.extend_from_slice(string);
        }
    }
}

/// Append the end of the file.
pub fn put_end(out: &mut Vec<u8>) {
    out.extend([ESCAPE, END_OF_FILE]);
    out.extend(EMPTY);
}

/// Strings to what they mean.
#[derive(Debug, Default)]
pub struct Strings {
    filler: u8,
    state: State,
    described: Described,
}

/// What the next octet is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    Descriptor,
    Octets {
        left: u8,
    },
    Copied {
        times: u8,
    },
}

impl Strings {
    /// Nothing yet.
    pub fn new(representation: Type) -> Self {
        Self { filler: filler(representation), ..Self::default() }
    }

    /// Take some octets off the front, at least one; the marker that ends with them.
    pub fn step(
        &mut self,
        wire: &mut &[u8],
        local: &mut Local,
        out: &mut Vec<u8>,
    ) -> Result<Option<Vec<u8>>, Malformed> {
        if let State::Octets { left } = self.state {
            let octets = take(wire, usize::from(left).min(FULL - out.len()));
            self.described.data(octets, local, out)?;
            let left = left - octets.len() as u8;
            if left > 0 {
                self.state = State::Octets { left };
                return Ok(None);
            }
        } else {
            let Some(&octet) = wire.split_off_first() else { return Ok(None) };
            let (copied, times) = match (self.state, octet) {
                (State::Descriptor, _) => {
                    self.described.begin(octet)?;
                    self.state = State::Head;
                    return Ok(None);
                }
                (State::Copied { times }, _) => (octet, times),
                (_, FILLERS..) => (self.filler, octet & !FILLERS),
                (_, COPIES..) => {
                    self.state = State::Copied { times: octet & !COPIES };
                    return Ok(None);
                }
                // A descriptor that describes nothing: what it says would be lost.
                (_, ESCAPE) if self.described.descriptor != 0 => return Err(Malformed::Syntax),
                (_, ESCAPE) => {
                    self.state = State::Descriptor;
                    return Ok(None);
                }
                (_, left) => {
                    self.state = State::Octets { left };
                    return Ok(None);
                }
            };
            let copies = [copied; MOST_COPIES];
            self.described.data(take(&mut copies.as_slice(), times.into()), local, out)?;
        }
        self.state = State::Head;
        Ok(self.described.end(local, out))
    }

    /// The connection has ended. The string that ends the file may be missing, once it is announced.
    pub fn finish(&mut self, local: &mut Local, out: &mut Vec<u8>) {
        let announced = self.described.descriptor & (END_OF_FILE | MARKER) == END_OF_FILE;
        if announced && self.state == State::Head {
            self.described.end(local, out);
        }
    }
}

fn filler(representation: Type) -> u8 {
    match representation {
        Type::Ascii => b' ',
        Type::Ebcdic => ebcdic::SPACE,
        Type::Image => 0,
    }
}

const ESCAPE: u8 = 0;
const COPIES: u8 = 0x80;
const FILLERS: u8 = 0xC0;
/// The empty string: no copies, of an octet that does not matter.
const EMPTY: [u8; 2] = [COPIES, 0];

const MOST_OCTETS: usize = 127;
const MOST_COPIES: usize = 63;
/// From here on a string of copies is no longer than the octets themselves.
const WORTH_IT: usize = 3;

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_malformed, assert_received, assert_sent, lines, records, sent};
    use super::super::{Format, Mode, Type};
    use super::*;

    const LINES: Format = lines(Mode::Compressed);
    const RECORDS: Format = records(Mode::Compressed);
    const EBCDIC: Format = Format { representation: Type::Ebcdic, ..RECORDS };

    #[test]
    fn strings_are_sent() {
        assert_sent(&[
            (LINES, b"", b"\0\x40\x80\0"),
            (LINES, b"a\nb", b"\x04a\r\nb\0\x40\x80\0"),
            (LINES, b"aabbb   \0\0\0", b"\x02aa\x83b\xC3\x83\0\0\x40\x80\0"),
            (RECORDS, b"", b"\0\x40\x80\0"),
            (RECORDS, b"\n", b"\0\x80\x80\0\0\x40\x80\0"),
            (RECORDS, b"xx\nabbb\nc\0\0\0", b"\0\x80\x02xx\x01a\0\x80\x83b\x01c\xC3\0\x80\x80\0\0\x40\x80\0"),
            (RECORDS, b"\0\0\0\n   ", b"\0\x80\xC3\x83 \0\x80\x80\0\0\x40\x80\0"),
            (EBCDIC, b"    \naaa\n", b"\0\x80\xC4\0\x80\x83\x81\0\x40\x80\0"),
        ]);
        let mixed: Vec<u8> = (1..=130).collect();
        let long = [&b"\x7F"[..], &mixed[..127], &b"\x03"[..], &mixed[127..], b"\0\x40\x80\0"].concat();
        assert_eq!(sent(Format { representation: Type::Image, ..LINES }, &mixed), long);
        assert_eq!(sent(LINES, &[b'x'; 128]), b"\xBFx\xBFx\x02xx\0\x40\x80\0");
    }

    #[test]
    fn strings_are_received() {
        assert_received(&[
            (LINES, b"\0\x40\x80\0", b""),
            (LINES, b"\0\x40", b""),
            (LINES, b"\x01a\0\xC0", b"a"),
            (LINES, b"\x02a\r\0\x20\x01\n\0\0\x01b\0\x40\x83\r", b"a\nb\r\r\r"),
            (LINES, b"\xC2\xC0\0\x40\xC1", b"   "),
            (RECORDS, b"\0\x80\xC2\x01a\0\x80\x80x\0\x40\x01b", b"\0\0\na\nb\n"),
            (RECORDS, b"\0\x80\xC0\0\xC0", b"\n\n"),
            (EBCDIC, b"\xC2\0\xC0\x82\x81", b"  aa\n"),
        ]);
    }

    #[test]
    fn bad_strings() {
        assert_malformed(
            RECORDS,
            &[
                (b"\0\x01", Malformed::Syntax),
                (b"\0\x80\0\x40\x80\0", Malformed::Syntax),
                (b"\0\x40\x80\0\0", Malformed::Syntax),
                (b"\x83\n", Malformed::LineInRecord),
                (b"\x01a\0\x80\x80\0", Malformed::Truncated),
                (b"\0\x40\x02a", Malformed::Truncated),
                (b"\0\x40\x80", Malformed::Truncated),
                (b"\0\x50", Malformed::Truncated),
            ],
        );
    }
}
