//! Stored octets to those of the data connection and back (RFC 959 §3): TYPE, STRU and MODE.
//!
//! A stored file is octets, and its lines end in LF. Whatever of this an [`Encoder`] has sent, a [`Decoder`] stores the
//! same, but that the last record of a file gets the LF it may have lacked.

mod block;
mod compressed;
mod decoder;
mod deflate;
mod ebcdic;
mod encoder;
mod records;

use std::borrow::Cow;

pub use decoder::{Decoder, FULL};
pub use encoder::Encoder;

use super::ascii;

/// What an octet means (RFC 959 §3.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Type {
    /// Text whose lines end in CR LF.
    #[default]
    Ascii,
    /// Text in EBCDIC whose lines end in NL.
    Ebcdic,
    /// Anything.
    Image,
}

/// What a file consists of (RFC 959 §3.1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Structure {
    /// Octets.
    #[default]
    File,
    /// Records: each stored line is one.
    Record,
}

/// How it goes over the data connection (RFC 959 §3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As it is, and the ends of records are escaped.
    #[default]
    Stream,
    /// In blocks with a header.
    Block,
    /// In strings with a header; runs of an octet are sent once.
    Compressed,
    /// As stream mode, in the zlib form (draft-preston-ftpext-deflate).
    Deflate,
}

/// All that decides what goes over the data connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// TYPE.
    pub representation: Type,
    /// STRU.
    pub structure: Structure,
    /// MODE.
    pub mode: Mode,
}

impl Format {
    /// Nothing has to be changed: the host can move the octets itself.
    pub fn is_plain(self) -> bool {
        self == Self { representation: Type::Image, structure: Structure::File, mode: Mode::Stream }
    }

    /// Whether a restart offset counts octets of the stored file: in the modes that have markers, which are ours,
    /// and where one octet of the file is one of the stream.
    pub fn counts_stored(self) -> bool {
        matches!(self.mode, Mode::Block | Mode::Compressed)
            || self.representation == Type::Image && self.structure == Structure::File
    }

    /// Octets of a file, or of one record, as its type has them.
    fn typed(self, stored: &[u8]) -> Cow<'_, [u8]> {
        let mut octets = Vec::new();
        match (self.representation, self.structure) {
            (Type::Ascii, Structure::File) => ascii::to_wire(stored, &mut octets),
            (Type::Ebcdic, _) => ebcdic::to_wire(stored, &mut octets),
            _ => return Cow::Borrowed(stored),
        }
        Cow::Owned(octets)
    }
}

/// Why a [`Decoder`] does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Not of the form the mode asks for.
    Syntax,
    /// The connection has ended and the file has not.
    Truncated,
    /// A record holds LF, which ends records here: it would be two.
    LineInRecord,
    /// MODE Z made far more of little than is allowed.
    Expansion,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places in a file, and the markers that stand there.
    type Markers = Vec<(usize, Vec<u8>)>;

    pub fn sent(format: Format, stored: &[u8]) -> Vec<u8> {
        sent_from(format, stored, 0).0
    }

    fn sent_from(format: Format, stored: &[u8], skip: u64) -> (Vec<u8>, u64) {
        let (mut encoder, mut out) = (Encoder::new(format, 6, skip), Vec::new());
        encoder.push(stored, &mut out);
        encoder.finish(&mut out);
        (out, encoder.still_to_skip())
    }

    /// What is stored, however the wire is cut.
    pub fn received(format: Format, wire: &[u8]) -> Result<Vec<u8>, Malformed> {
        let whole = received_in(format, wire, wire.len().max(1)).map(|(stored, _)| stored);
        for size in [1, 2, 7] {
            let cut = received_in(format, wire, size).map(|(stored, _)| stored);
            assert!(cut == whole, "{format:?} in pieces of {size}");
        }
        whole
    }

    /// Text without records.
    pub const fn lines(mode: Mode) -> Format {
        Format { representation: Type::Ascii, structure: Structure::File, mode }
    }

    /// Records of anything.
    pub const fn records(mode: Mode) -> Format {
        Format { representation: Type::Image, structure: Structure::Record, mode }
    }

    /// Each stored text is sent like that.
    #[track_caller]
    pub fn assert_sent(cases: &[(Format, &[u8], &[u8])]) {
        for &(format, stored, wire) in cases {
            assert_eq!(sent(format, stored), wire, "{format:?} {stored:X?}");
        }
    }

    /// What comes like that is stored so.
    #[track_caller]
    pub fn assert_received(cases: &[(Format, &[u8], &[u8])]) {
        for &(format, wire, stored) in cases {
            assert_eq!(received(format, wire), Ok(stored.to_vec()), "{format:?} {wire:X?}");
        }
    }

    /// What comes like that is malformed.
    #[track_caller]
    pub fn assert_malformed(format: Format, cases: &[(&[u8], Malformed)]) {
        for &(wire, why) in cases {
            assert_eq!(received(format, wire), Err(why), "{format:?} {wire:X?}");
        }
    }

    fn received_in(format: Format, wire: &[u8], size: usize) -> Result<(Vec<u8>, Markers), Malformed> {
        let (mut decoder, mut stored, mut markers) = (Decoder::new(format), Vec::new(), Vec::new());
        let mut out = Vec::new();
        for mut piece in wire.chunks(size) {
            while !piece.is_empty() {
                let marker = decoder.push(&mut piece, &mut out)?;
                assert!(out.len() <= 2 * FULL);
                stored.append(&mut out);
                markers.extend(marker.map(|marker| (stored.len(), marker)));
            }
        }
        decoder.finish(&mut stored)?;
        Ok((stored, markers))
    }

    /// All formats.
    fn formats() -> impl Iterator<Item = Format> {
        let modes = [Mode::Stream, Mode::Block, Mode::Compressed, Mode::Deflate];
        (0..24).map(move |number| Format {
            representation: [Type::Ascii, Type::Ebcdic, Type::Image][number % 3],
            structure: [Structure::File, Structure::Record][number / 3 % 2],
            mode: modes[number / 6],
        })
    }

    fn random(seed: &mut u32) -> usize {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*seed >> 16) as usize
    }

    /// Octets that are special somewhere, and runs of them.
    pub fn text(mut seed: u32, length: usize) -> Vec<u8> {
        let mut text = Vec::new();
        while text.len() < length {
            let octet = b"\n\n\r\xFF\x9F\x85\0\x01\x02 @ab\x15\x80"[random(&mut seed) % 15];
            let times = if random(&mut seed).is_multiple_of(4) { random(&mut seed) % 200 } else { 1 };
            text.extend(vec![octet; times]);
        }
        text.truncate(length);
        text
    }

    /// As it is stored after it was sent in records.
    fn stored(format: Format, mut text: Vec<u8>) -> Vec<u8> {
        if format.structure == Structure::Record && !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        text
    }

    #[test]
    fn only_one_format_is_plain() {
        let plain: Vec<Format> = formats().filter(|format| format.is_plain()).collect();
        assert_eq!(plain, [Format { representation: Type::Image, ..Format::default() }]);
    }

    #[test]
    fn all_formats_round_trip() {
        for format in formats() {
            for length in [0, 1, 2, 3, 10, 300, 3000] {
                let text = text(length as u32 + 5, length);
                assert_eq!(received(format, &sent(format, &text)), Ok(stored(format, text.clone())), "{format:?}");
                let (mut encoder, mut wire) = (Encoder::new(format, 6, 0), Vec::new());
                text.chunks(3).for_each(|piece| encoder.push(piece, &mut wire));
                encoder.finish(&mut wire);
                assert_eq!(received(format, &wire), Ok(stored(format, text)), "{format:?} from pieces");
            }
            let long = [text(9, 100_000), vec![b'x'; 100_000], b"\n".repeat(100_000)].concat();
            let (got, _) = received_in(format, &sent(format, &long), 1 << 20).unwrap();
            assert!(got == long, "{format:?}");
        }
    }

    #[test]
    fn truncation_is_told() {
        for format in formats().filter(|format| (format.structure, format.mode) != Default::default()) {
            let wire = sent(format, b"a\r\n\nbbbb\xFFc   d\n");
            // The string of compressed mode that ends the file may be missing.
            let whole = wire.len() - if format.mode == Mode::Compressed { 2 } else { 0 };
            for length in (0..wire.len()).filter(|&length| length != whole) {
                assert_eq!(received(format, &wire[..length]), Err(Malformed::Truncated), "{format:?} {length}");
            }
        }
    }

    #[test]
    fn garbage_does_no_harm() {
        let mut seed = 1;
        for format in formats() {
            for round in 0..200 {
                let mut wire: Vec<u8> = (0..round).map(|_| random(&mut seed) as u8).collect();
                let _ = received(format, &wire);
                wire = sent(format, &text(round, 50));
                let at = random(&mut seed) % wire.len().max(1);
                wire.iter_mut().skip(at).take(1).for_each(|octet| *octet = random(&mut seed) as u8);
                let _ = received(format, &wire);
            }
        }
    }

    #[test]
    fn markers_come_back() {
        for format in formats() {
            let (mut encoder, mut wire, mut markers) = (Encoder::new(format, 6, 0), Vec::new(), Vec::new());
            let text = stored(format, text(3, 2000));
            let mut sent = 0;
            for piece in text.chunks(7) {
                encoder.push(piece, &mut wire);
                sent += piece.len();
                assert_eq!(encoder.at_boundary(), format.structure == Structure::File || piece.ends_with(b"\n"));
                // Behind a CR there is no place in TYPE A.
                let is_place = format.structure == Structure::Record || !piece.ends_with(b"\r");
                if encoder.at_boundary() {
                    let marker = sent.to_string().into_bytes();
                    encoder.mark(&marker, &mut wire);
                    if is_place || format.representation != Type::Ascii {
                        markers.push((sent, marker));
                    }
                }
            }
            encoder.mark(b"", &mut wire);
            markers.push((text.len(), Vec::new()));
            encoder.finish(&mut wire);
            if matches!(format.mode, Mode::Stream | Mode::Deflate) {
                markers.clear();
            }
            for size in [1, 2, 7, wire.len()] {
                assert_eq!(received_in(format, &wire, size), Ok((text.clone(), markers.clone())), "{format:?}");
            }
        }
    }

    #[test]
    fn markers_on_the_wire() {
        for (mode, expected) in [(Mode::Block, &b"\x10\0\x0212"[..]), (Mode::Compressed, b"\0\x10\x0212")] {
            let mut out = Vec::new();
            Encoder::new(Format { mode, ..Format::default() }, 6, 0).mark(b"12", &mut out);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn skipping() {
        let text = b"a\n\xFF\xFF\n\nb";
        for format in formats() {
            let stream = sent(Format { mode: Mode::Stream, ..format }, text);
            for skip in 0..=stream.len() + 3 {
                let (wire, left) = sent_from(format, text, skip as u64);
                let rest = stream.get(skip..).unwrap_or_default();
                match format.mode {
                    Mode::Stream => assert_eq!(wire, rest, "{format:?} {skip}"),
                    Mode::Deflate => {
                        let image = Format { representation: Type::Image, structure: Structure::File, ..format };
                        assert_eq!(received(image, &wire), Ok(rest.to_vec()), "{format:?} {skip}");
                    }
                    Mode::Block | Mode::Compressed => continue,
                }
                assert_eq!(left, skip.saturating_sub(stream.len()) as u64, "{format:?} {skip}");
            }
        }
    }
}
