//! MODE Z (draft-preston-ftpext-deflate): stream mode in the zlib form (RFC 1950).

use super::Malformed;
use super::records::{Local, Stream};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Makes the zlib form.
#[derive(Debug)]
pub struct Deflater(Compress);

impl Deflater {
    /// From level 0, not smaller, to 9, smallest.
    pub fn new(level: u8) -> Self {
        Self(Compress::new(Compression::new(level.min(9).into()), true))
    }

    /// Append what can be told of `octets` by now; if they are the `last`, all.
    pub fn push(&mut self, mut octets: &[u8], last: bool, out: &mut Vec<u8>) {
        let flush = if last { FlushCompress::Finish } else { FlushCompress::None };
        while last || !octets.is_empty() {
            let mut form = [0; PIECE];
            let (taken, made) = (self.0.total_in(), self.0.total_out());
            let result = self.0.compress(octets, &mut form, flush);
            octets = octets.get(since(taken, self.0.total_in())..).unwrap_or_default();
            out.extend_from_slice(form.get(..since(made, self.0.total_out())).unwrap_or_default());
            // Anything but this comes at the end alone.
            if !matches!(result, Ok(Status::Ok)) {
                return;
            }
        }
    }
}

/// Undoes the zlib form.
#[derive(Debug)]
pub struct Inflater {
    zlib: Decompress,
    stream: Stream,
    /// The end of the form was met.
    pub ended: bool,
}

impl Inflater {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { zlib: Decompress::new(true), stream: Stream::default(), ended: false }
    }

    /// Take some octets off the front, at least one, and append few; but once all are taken, append all they
    /// mean, which is less than 64 KiB.
    pub fn step(&mut self, wire: &mut &[u8], local: &mut Local, out: &mut Vec<u8>) -> Result<(), Malformed> {
        loop {
            let mut form = [0; PIECE];
            let before = (self.zlib.total_in(), self.zlib.total_out());
            let status = self.zlib.decompress(wire, &mut form, FlushDecompress::None);
            let (taken, made) = (self.zlib.total_in(), self.zlib.total_out());
            if made > ANY_RATIO.max(taken.saturating_mul(MOST_RATIO)) {
                return Err(Malformed::Expansion);
            }
            *wire = wire.get(since(before.0, taken)..).unwrap_or_default();
            let form = form.get(..since(before.1, made)).unwrap_or_default();
            if !form.is_empty() {
                self.stream.push(form, local, out)?;
            }
            match status {
                Err(_) => return Err(Malformed::Syntax),
                Ok(Status::StreamEnd) => {
                    self.ended = true;
                    return Ok(());
                }
                Ok(_) if before != (taken, made) => {
                    // What has been taken can mean more than the piece had room for.
                    if !wire.is_empty() {
                        return Ok(());
                    }
                }
                Ok(_) if wire.is_empty() => return Ok(()),
                Ok(_) => return Err(Malformed::Syntax),
            }
        }
    }
}

fn since(before: u64, now: u64) -> usize {
    now.saturating_sub(before) as usize
}

/// Octets made at a time.
const PIECE: usize = 4096;

/// So many octets may be made of any: empty disk images are honest, and lftp sends them so.
const ANY_RATIO: u64 = 128 * 1024 * 1024;
/// Beyond that, so many of one. (The form can make a thousand.)
const MOST_RATIO: u64 = 100;

#[cfg(test)]
mod tests {
    use super::super::tests::{received, sent, text};
    use super::super::{Decoder, Encoder, FULL, Format, Mode, Structure::*, Type::*};
    use super::*;

    const IMAGE: Format = Format { representation: Image, structure: File, mode: Mode::Deflate };
    const RECORDS: Format = Format { representation: Ascii, structure: Record, mode: Mode::Deflate };

    /// A zlib form of one stored block, by RFC 1950 and RFC 1951.
    fn zlib(octets: &[u8]) -> Vec<u8> {
        let (a, b) = octets.iter().fold((1, 0), |(a, b), &octet| {
            let a = (a + u32::from(octet)) % 65_521;
            (a, (a + b) % 65_521)
        });
        let length = octets.len() as u16;
        let head = [&[0x78, 0x01, 0x01][..], &length.to_le_bytes(), &(!length).to_le_bytes()].concat();
        [&head, octets, &(b << 16 | a).to_be_bytes()].concat()
    }

    #[test]
    fn known_answers() {
        assert_eq!(received(IMAGE, &zlib(b"a\n\xFF")), Ok(b"a\n\xFF".to_vec()));
        assert_eq!(received(RECORDS, &zlib(b"a\xFF\x01\xFF\xFF\xFF\x02")), Ok(b"a\n\xFF\n".to_vec()));
        // From Python's zlib.compress(b"hello hello\r\n").
        let hello = b"\x78\x9c\xcb\x48\xcd\xc9\xc9\x57\xc8\x00\x91\xbc\x5c\x00\x22\x47\x04\x60";
        assert_eq!(received(Format { representation: Ascii, ..IMAGE }, hello), Ok(b"hello hello\n".to_vec()));
    }

    #[test]
    fn levels() {
        let stored = text(1, 100_000);
        let mut lengths = Vec::new();
        for level in 0..=9 {
            let (mut encoder, mut wire) = (Encoder::new(IMAGE, level, 0), Vec::new());
            stored.chunks(30_000).for_each(|piece| encoder.push(piece, &mut wire));
            encoder.finish(&mut wire);
            assert_eq!(received(IMAGE, &wire), Ok(stored.clone()), "{level}");
            lengths.push(wire.len());
        }
        assert!(lengths[0] > stored.len() && lengths[1] < stored.len() && lengths[9] <= lengths[1], "{lengths:?}");
    }

    #[test]
    fn bad_forms() {
        let mut behind = zlib(b"a");
        behind.push(0);
        let mut wrong = zlib(b"a");
        wrong[7] = b'b';
        for (format, wire, why) in [
            (IMAGE, behind, Malformed::Syntax),
            (IMAGE, wrong, Malformed::Syntax),
            (IMAGE, b"hello".to_vec(), Malformed::Syntax),
            (RECORDS, zlib(b"a\xFF\x01"), Malformed::Truncated),
            (RECORDS, zlib(b"\xFF\x02\xFF\x02"), Malformed::Syntax),
            (RECORDS, zlib(b"a\nb\xFF\x02"), Malformed::LineInRecord),
        ] {
            assert_eq!(received(format, &wire), Err(why), "{wire:X?}");
        }
    }

    #[test]
    fn bug_25_bombs() {
        let wire = sent(IMAGE, &vec![0; 129 << 20]);
        for size in [1000, wire.len()] {
            let (mut decoder, mut out, mut made) = (Decoder::new(IMAGE), Vec::new(), 0);
            let mut result = Ok(None);
            for mut piece in wire.chunks(size) {
                while !piece.is_empty() && result.is_ok() {
                    result = decoder.push(&mut piece, &mut out);
                    assert!(out.len() <= 2 * FULL, "{} octets at once", out.len());
                    made += out.len();
                    out.clear();
                }
            }
            assert_eq!(result, Err(Malformed::Expansion));
            assert!((127 << 20..=128 << 20).contains(&made));
        }
    }
}
