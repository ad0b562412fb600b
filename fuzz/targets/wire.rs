//! Representations: whatever comes over a data connection is decoded into bounded memory or refused, the same
//! however it is cut; what is encoded is decoded to the same.
//!
//! The first octet chooses the format, the rest is the data.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wasi_ftpd::proto::wire::{Decoder, Encoder, FULL, Format, Malformed, Mode, Structure, Type};

/// What is stored, and the markers; how much comes at once matters to neither.
fn decode(format: Format, octets: &[u8], piece: usize) -> Result<(Vec<u8>, Vec<Vec<u8>>), Malformed> {
    let (mut decoder, mut stored, mut markers) = (Decoder::new(format), Vec::new(), Vec::new());
    let mut out = Vec::new();
    for mut piece in octets.chunks(piece) {
        while !piece.is_empty() {
            markers.extend(decoder.push(&mut piece, &mut out)?);
            assert!(out.len() < 2 * FULL);
            stored.append(&mut out);
        }
    }
    decoder.finish(&mut out)?;
    stored.append(&mut out);
    Ok((stored, markers))
}

fuzz_target!(|input: &[u8]| {
    let Some((&choice, octets)) = input.split_first() else { return };
    let format = Format {
        representation: [Type::Ascii, Type::Ebcdic, Type::Image][usize::from(choice) % 3],
        structure: [Structure::File, Structure::Record][usize::from(choice / 3) % 2],
        mode: [Mode::Stream, Mode::Block, Mode::Compressed, Mode::Deflate][usize::from(choice / 6) % 4],
    };
    // Of two mistakes, the pieces may tell which is seen first.
    assert_eq!(decode(format, octets, usize::MAX).ok(), decode(format, octets, 1).ok());

    let (mut encoder, mut wire) = (Encoder::new(format, choice % 10, 0), Vec::new());
    let (first, second) = octets.split_at(octets.len() / 2);
    encoder.push(first, &mut wire);
    if encoder.at_boundary() {
        encoder.mark(b"here", &mut wire);
    }
    encoder.push(second, &mut wire);
    encoder.finish(&mut wire);
    let (stored, _) = decode(format, &wire, 7).expect("what was encoded can be decoded");
    let mut expected = octets.to_vec();
    if format.structure == Structure::Record && !expected.is_empty() && !expected.ends_with(b"\n") {
        expected.push(b'\n');
    }
    assert_eq!(stored, expected);
});
