//! MODE B (RFC 959 §3.4.2).
//!
//! ```text
//! block = descriptor , count of two octets , octets
//! ```

use super::decoder::take;
use super::records::Local;
use super::{FULL, Malformed};

/// Append the blocks of some octets; `end`: a record ends with them.
pub fn put(octets: &[u8], end: bool, out: &mut Vec<u8>) {
    let mut rest = octets;
    loop {
        let block = take(&mut rest, LONGEST_SENT);
        if !rest.is_empty() {
            put_block(0, block, out);
        } else {
            return put_block(if end { END_OF_RECORD } else { 0 }, block, out);
        }
    }
}

/// Append one block; what its count cannot tell is left out.
pub fn put_block(descriptor: u8, mut octets: &[u8], out: &mut Vec<u8>) {
    let octets = take(&mut octets, u16::MAX.into());
    out.push(descriptor);
    out.extend(u16::try_from(octets.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(octets);
}

/// Blocks to what they mean.
#[derive(Debug, Default)]
pub struct Blocks {
    state: State,
    described: Described,
}

/// What the next octet is.
#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Descriptor,
    Count,
    /// With the first octet of the count.
    SecondOfCount(u8),
    Data {
        left: u16,
    },
}

impl Blocks {
    /// Take some octets off the front, at least one; the marker that ends with them.
    pub fn step(
        &mut self,
        wire: &mut &[u8],
        local: &mut Local,
        out: &mut Vec<u8>,
    ) -> Result<Option<Vec<u8>>, Malformed> {
        let left = match self.state {
            State::Data { left } => {
                let octets = take(wire, usize::from(left).min(FULL - out.len()));
                self.described.data(octets, local, out)?;
                left - octets.len() as u16
            }
            head => {
                let Some(&octet) = wire.split_off_first() else { return Ok(None) };
                match head {
                    State::Descriptor => {
                        self.described.begin(octet)?;
                        self.state = State::Count;
                        return Ok(None);
                    }
                    State::SecondOfCount(first) => u16::from_be_bytes([first, octet]),
                    _ => {
                        self.state = State::SecondOfCount(octet);
                        return Ok(None);
                    }
                }
            }
        };
        if left > 0 {
            self.state = State::Data { left };
            return Ok(None);
        }
        self.state = State::Descriptor;
        Ok(self.described.end(local, out))
    }
}

/// Octets that stand behind a descriptor, in block and compressed mode.
#[derive(Debug, Default)]
pub struct Described {
    /// The descriptor; none is as if it were 0.
    pub descriptor: u8,
    marker: Vec<u8>,
}

impl Described {
    /// The descriptor of the octets that follow.
    pub fn begin(&mut self, descriptor: u8) -> Result<(), Malformed> {
        self.descriptor = descriptor;
        // Octets under suspicion are still the best there are.
        let known = END_OF_RECORD | END_OF_FILE | SUSPECTED_ERRORS | MARKER;
        if descriptor & !known == 0 { Ok(()) } else { Err(Malformed::Syntax) }
    }

    /// Octets, not necessarily all.
    pub fn data(&mut self, octets: &[u8], local: &mut Local, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.descriptor & MARKER != 0 {
            self.marker.extend_from_slice(octets);
            return Ok(());
        }
        if octets.is_empty() { Ok(()) } else { local.data(octets, out) }
    }

    /// There are no more of them. The marker, if that is what they are.
    pub fn end(&mut self, local: &mut Local, out: &mut Vec<u8>) -> Option<Vec<u8>> {
        let descriptor = std::mem::take(&mut self.descriptor);
        if descriptor & END_OF_RECORD != 0 {
            local.end_record(out);
        }
        if descriptor & END_OF_FILE != 0 {
            local.end_file(out);
        }
        (descriptor & MARKER != 0).then(|| std::mem::take(&mut self.marker))
    }
}

/// The octets end a record.
pub const END_OF_RECORD: u8 = 128;
/// The octets end the file.
pub const END_OF_FILE: u8 = 64;
const SUSPECTED_ERRORS: u8 = 32;
/// The octets are a restart marker (RFC 959 §3.5).
pub const MARKER: u8 = 16;

/// Octets in a block we send.
const LONGEST_SENT: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_malformed, assert_received, assert_sent, lines, received, records, sent};
    use super::super::{Encoder, Format, Mode, Type};
    use super::*;

    const LINES: Format = lines(Mode::Block);
    const RECORDS: Format = records(Mode::Block);
    const EBCDIC: Format = Format { representation: Type::Ebcdic, ..RECORDS };

    #[test]
    fn blocks_are_sent() {
        assert_sent(&[
            (LINES, b"", b"\x40\0\0"),
            (LINES, b"a\nb", b"\0\0\x04a\r\nb\x40\0\0"),
            (RECORDS, b"", b"\x40\0\0"),
            (RECORDS, b"a\r\n\n\xFF", b"\x80\0\x02a\r\x80\0\0\0\0\x01\xFF\x80\0\0\x40\0\0"),
            (EBCDIC, b"a\n", b"\x80\0\x01\x81\x40\0\0"),
        ]);
    }

    #[test]
    fn blocks_are_not_too_long() {
        let mut stored = vec![b'x'; LONGEST_SENT + 1];
        let expected = [&b"\0\x80\0"[..], &stored[1..], b"\x80\0\x01x\x40\0\0"].concat();
        stored.push(b'\n');
        assert_eq!(sent(RECORDS, &stored), expected);
        let mut out = Vec::new();
        Encoder::new(LINES, 0, 0).mark(&[b'm'; 70_000], &mut out);
        assert!(out.starts_with(b"\x10\xFF\xFFm") && out.len() == 3 + 65_535);
    }

    #[test]
    fn blocks_are_received() {
        assert_received(&[
            (LINES, b"\x40\0\0", b""),
            (LINES, b"\x40\0\x01a", b"a"),
            (LINES, b"\xC0\0\x01a", b"a"),
            (LINES, b"\0\0\x02a\r\0\0\0\x20\0\x01\n\x80\0\x01b\x40\0\x01\r", b"a\nb\r"),
            (RECORDS, b"\0\0\x01a\x80\0\x01b\x80\0\0\0\0\x01c\x40\0\0", b"ab\n\nc\n"),
            (RECORDS, b"\x40\0\x01a", b"a\n"),
            (RECORDS, b"\xC0\0\x01a", b"a\n"),
            (RECORDS, b"\xC0\0\0", b"\n"),
        ]);
        let long = [&b"\x40\xFF\xFF"[..], &[b'x'; 65_535]].concat();
        assert_eq!(received(LINES, &long), Ok(vec![b'x'; 65_535]));
    }

    #[test]
    fn bad_blocks() {
        assert_malformed(
            RECORDS,
            &[
                (b"\x01\0\0", Malformed::Syntax),
                (b"\x48\0\0", Malformed::Syntax),
                (b"\x40\0\0\0", Malformed::Syntax),
                (b"\0\0\x01\n\x40\0\0", Malformed::LineInRecord),
                (b"\0\0\x01a\x80\0\0", Malformed::Truncated),
                (b"\x40\0\x02a", Malformed::Truncated),
            ],
        );
    }
}
