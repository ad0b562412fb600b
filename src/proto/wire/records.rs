//! STRU F and STRU R (RFC 959 §3.1.2), and how stream mode tells the ends of records (§3.4.1).
//!
//! ```text
//! FF 01 = end of record     FF 03 = both
//! FF 02 = end of file       FF FF = the octet 255
//! ```

use super::{Format, Malformed, Structure, Type, ebcdic};
use crate::proto::ascii;

/// Append a record, or a piece of one, in its stream-mode form; `end`: the record ends with it.
pub fn escape(octets: &[u8], end: bool, out: &mut Vec<u8>) {
    for run in octets.split_inclusive(|&octet| octet == ESCAPE) {
        out.extend_from_slice(run);
        if run.ends_with(&[ESCAPE]) {
            out.push(ESCAPE);
        }
    }
    if end {
        out.extend(END_OF_RECORD);
    }
}

/// Octets of the data connection, freed from their mode, to octets to be stored.
#[derive(Debug, Default)]
pub struct Local {
    format: Format,
    lines: ascii::FromWire,
    /// The last octet was a CR, which may be the first half of a line end.
    after_cr: bool,
    /// A record has begun and has not ended.
    in_record: bool,
    /// The end of the file was told.
    pub ended: bool,
}

impl Local {
    /// Nothing yet.
    pub fn new(format: Format) -> Self {
        Self { format, ..Self::default() }
    }

    /// What follows in the file, or in its record. It has octets.
    pub fn data(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let from = out.len();
        match (self.format.representation, self.format.structure) {
            (Type::Ascii, Structure::File) => {
                self.lines.push(octets, out);
                self.after_cr = octets.ends_with(b"\r");
            }
            (Type::Ebcdic, _) => ebcdic::from_wire(octets, out),
            _ => out.extend_from_slice(octets),
        }
        if self.format.structure == Structure::Record {
            self.in_record = true;
            if out.get(from..).is_some_and(|record| record.contains(&LF)) {
                return Err(Malformed::LineInRecord);
            }
        }
        Ok(())
    }

    /// A record ends, if there are any.
    pub fn end_record(&mut self, out: &mut Vec<u8>) {
        if self.format.structure == Structure::Record {
            out.push(LF);
            self.in_record = false;
        }
    }

    /// The file ends, and with it what is unfinished.
    pub fn end_file(&mut self, out: &mut Vec<u8>) {
        if self.in_record {
            self.end_record(out);
        }
        self.lines.finish(out);
        self.ended = true;
    }

    /// Whether the file may end here: one that is no records does not tell its end.
    pub fn is_whole(&self) -> bool {
        self.ended || self.format.structure == Structure::File
    }

    /// Whether all that came before is in the file.
    pub fn is_settled(&self) -> bool {
        self.ended || !self.after_cr
    }
}

/// Octets of stream mode to what they mean.
#[derive(Debug, Default)]
pub struct Stream {
    after_escape: bool,
}

impl Stream {
    /// Take all octets. They never mean more octets than they are.
    pub fn push(&mut self, mut octets: &[u8], local: &mut Local, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if local.format.structure == Structure::File {
            return local.data(octets, out);
        }
        while let Some((&first, rest)) = octets.split_first() {
            if local.ended {
                return Err(Malformed::Syntax);
            }
            if std::mem::take(&mut self.after_escape) {
                match [ESCAPE, first] {
                    END_OF_RECORD => local.end_record(out),
                    END_OF_FILE => local.end_file(out),
                    END_OF_BOTH => {
                        local.end_record(out);
                        local.end_file(out);
                    }
                    [ESCAPE, ESCAPE] => local.data(&[ESCAPE], out)?,
                    _ => return Err(Malformed::Syntax),
                }
                octets = rest;
            } else if first == ESCAPE {
                self.after_escape = true;
                octets = rest;
            } else {
                let length = octets.iter().take_while(|&&octet| octet != ESCAPE).count();
                local.data(octets.split_off(..length).unwrap_or_default(), out)?;
            }
        }
        Ok(())
    }
}

/// What ends a line, and so a record, in a stored file.
pub const LF: u8 = b'\n';

/// Stands before the codes of stream mode, and before itself.
pub const ESCAPE: u8 = 0xFF;

const END_OF_RECORD: [u8; 2] = [ESCAPE, 1];
/// Ends a file of records.
pub const END_OF_FILE: [u8; 2] = [ESCAPE, 2];
const END_OF_BOTH: [u8; 2] = [ESCAPE, 3];

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_malformed, assert_received, assert_sent};
    use super::super::{Mode, Type::*};
    use super::*;

    fn records(representation: Type) -> Format {
        Format { representation, structure: Structure::Record, mode: Mode::Stream }
    }

    fn lines(representation: Type) -> Format {
        Format { representation, ..Format::default() }
    }

    #[test]
    fn files() {
        assert_sent(&[
            (lines(Ascii), b"a\n\xFFb", b"a\r\n\xFFb"),
            (lines(Ebcdic), b"a\n\r ", b"\x81\x15\x0D\x40"),
            (lines(Image), b"a\n\xFF\r", b"a\n\xFF\r"),
        ]);
        assert_received(&[
            (lines(Ascii), b"a\r\n\nb\r", b"a\n\nb\r"),
            (lines(Ebcdic), b"\x81\x15\x25", b"a\n\x85"),
            (lines(Image), b"\xFF\x02\r\n", b"\xFF\x02\r\n"),
        ]);
    }

    #[test]
    fn records_are_sent() {
        for representation in [Ascii, Image] {
            let format = records(representation);
            assert_sent(&[
                (format, b"", b"\xFF\x02"),
                (format, b"a\r\n\nb", b"a\r\xFF\x01\xFF\x01b\xFF\x01\xFF\x02"),
                (format, b"\xFFa\xFF\n", b"\xFF\xFFa\xFF\xFF\xFF\x01\xFF\x02"),
            ]);
        }
        // 0x9F of ISO 8859-1 is 255 in EBCDIC.
        assert_sent(&[(records(Ebcdic), b"a\n\x9F\n", b"\x81\xFF\x01\xFF\xFF\xFF\x01\xFF\x02")]);
    }

    #[test]
    fn records_are_received() {
        let (image, ebcdic) = (records(Image), records(Ebcdic));
        assert_received(&[
            (image, b"\xFF\x02", b""),
            (image, b"\xFF\x03", b"\n"),
            (image, b"a\xFF\x02", b"a\n"),
            (image, b"a\xFF\x03", b"a\n"),
            (image, b"a\xFF\x01\xFF\x02", b"a\n"),
            (image, b"a\xFF\x01\xFF\x03", b"a\n\n"),
            (image, b"\xFF\xFF\r\xFF\x01b\xFF\x01\xFF\x02", b"\xFF\r\nb\n"),
            (ebcdic, b"\x81\xFF\xFF\xFF\x02", b"a\x9F\n"),
            (ebcdic, b"\x81\n\xFF\x02", b"a\x8E\n"),
        ]);
    }

    #[test]
    fn bad_records() {
        assert_malformed(
            records(Ascii),
            &[
                (b"a\xFF\x00", Malformed::Syntax),
                (b"a\xFF\x04\xFF\x02", Malformed::Syntax),
                (b"a\xFF\x02b", Malformed::Syntax),
                (b"a\nb\xFF\x02", Malformed::LineInRecord),
                (b"a\xFF\x01", Malformed::Truncated),
            ],
        );
        assert_malformed(records(Ebcdic), &[(b"\x81\x15\xFF\x02", Malformed::LineInRecord)]);
    }
}
