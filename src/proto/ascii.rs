//! TYPE A (RFC 959 §3.1.1.1): LF here, CR LF on the data connection.
//!
//! Exact: what [`to_wire`] makes of any octets, [`FromWire`] turns back into the same.

use std::iter;

/// Append `octets` as they go over the data connection: each LF becomes CR LF, all else stays.
pub fn to_wire(octets: &[u8], out: &mut Vec<u8>) {
    for (index, run) in runs(octets, LF).enumerate() {
        if index > 0 {
            out.extend_from_slice(&[CR, LF]);
        }
        out.extend_from_slice(run);
    }
}

/// Turns octets of the data connection, in pieces of any size, into those to be stored: each CR LF
/// becomes LF, a bare CR or LF stays.
#[derive(Debug, Default)]
pub struct FromWire {
    /// The last octet was a CR, which is not written yet.
    after_cr: bool,
}

impl FromWire {
    /// Append what the next piece means.
    pub fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        for (index, run) in runs(octets, CR).enumerate() {
            if index > 0 {
                self.finish(out);
                self.after_cr = true;
            }
            match run {
                [] => {}
                // The LF itself comes with its run.
                [LF, ..] => self.after_cr = false,
                _ => self.finish(out),
            }
            out.extend_from_slice(run);
        }
    }

    /// There is nothing more: a CR at the end was a bare one.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.after_cr) {
            out.push(CR);
        }
    }
}

/// As `octets.split`, and many octets at a time.
fn runs(octets: &[u8], end: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(octets);
    iter::from_fn(move || {
        let octets = rest.take()?;
        let Some((run, after)) = find(octets, end).and_then(|at| octets.split_at_checked(at)) else {
            return Some(octets);
        };
        rest = after.get(1..);
        Some(run)
    })
}

fn find(octets: &[u8], wanted: u8) -> Option<usize> {
    let (chunks, _) = octets.as_chunks::<CHUNK>();
    // Without a branch inside a chunk, so that the compiler can use vectors.
    let has = |chunk: &[u8; CHUNK]| chunk.iter().fold(false, |found, &octet| found | (octet == wanted));
    let passed = chunks.iter().take_while(|chunk| !has(chunk)).count() * CHUNK;
    let at = octets.get(passed..)?.iter().position(|&octet| octet == wanted)?;
    Some(passed + at)
}

const CR: u8 = b'\r';
const LF: u8 = b'\n';

/// Octets that are looked at together: a vector register.
const CHUNK: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(octets: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        to_wire(octets, &mut out);
        out
    }

    fn local(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut from, mut out) = (FromWire::default(), Vec::new());
        pieces.iter().for_each(|piece| from.push(piece, &mut out));
        from.finish(&mut out);
        out
    }

    #[test]
    fn lines_to_the_wire() {
        assert_eq!(wire(b""), b"");
        assert_eq!(wire(b"a\nb"), b"a\r\nb");
        assert_eq!(wire(b"\n\na\n"), b"\r\n\r\na\r\n");
        assert_eq!(wire(b"a\r\nb\r"), b"a\r\r\nb\r");
        assert_eq!(wire(b"\0\xFF"), b"\0\xFF");
    }

    #[test]
    fn lines_from_the_wire() {
        assert_eq!(local(&[b"a\r\nb"]), b"a\nb");
        assert_eq!(local(&[b"a\r", b"\nb"]), b"a\nb");
        assert_eq!(local(&[b"a\r", b"", b"\nb"]), b"a\nb");
        assert_eq!(local(&[b"a\rb\nc"]), b"a\rb\nc");
        assert_eq!(local(&[b"\r\r\n\r", b"\r", b"\n\r"]), b"\r\n\r\n\r");
        assert_eq!(local(&[b"\r\0"]), b"\r\0");
    }

    /// Every text of four kinds of octet, in three pieces cut anywhere.
    #[test]
    fn identity_for_all_splits() {
        for number in 0..4usize.pow(7) {
            let text: Vec<u8> = (0..7).map(|at| b"\r\na\xFF"[number >> (2 * at) & 3]).collect();
            let wire = wire(&text);
            for first in 0..=wire.len() {
                let (head, rest) = wire.split_at(first);
                for second in 0..=rest.len().min(3) {
                    let (middle, tail) = rest.split_at(second);
                    assert_eq!(local(&[head, middle, tail]), text);
                }
            }
        }
    }

    #[test]
    fn identity_over_many_chunks() {
        let mut random = 7u32;
        for length in 0..500 {
            let mut text = vec![b'x'; length];
            for octet in &mut text {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                match random >> 24 {
                    0..8 => *octet = LF,
                    8..12 => *octet = CR,
                    _ => {}
                }
            }
            let wire = wire(&text);
            assert_eq!(wire, String::from_utf8(text.clone()).unwrap().replace('\n', "\r\n").into_bytes());
            assert_eq!(local(&wire.chunks(37).collect::<Vec<_>>()), text);
        }
    }
}
