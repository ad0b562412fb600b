//! Stored octets to those of the data connection.

use super::{Format, Mode, Structure, block, compressed, deflate, records};

/// Turns stored octets, in pieces of any size, into those for the data connection.
#[derive(Debug)]
pub struct Encoder {
    format: Format,
    /// Octets that are still to be dropped.
    skip: u64,
    /// A record has begun and has not ended.
    in_record: bool,
    /// In MODE Z.
    deflater: Option<deflate::Deflater>,
}

impl Encoder {
    /// Of a file. `level` is that of MODE Z, from 0 to 9; `skip` is for stream mode and MODE Z: octets of the stream
    /// that are not sent (REST, RFC 3659 §5).
    pub fn new(format: Format, level: u8, skip: u64) -> Self {
        let deflater = (format.mode == Mode::Deflate).then(|| deflate::Deflater::new(level));
        Self { format, skip, in_record: false, deflater }
    }

    /// Append what the next piece becomes.
    pub fn push(&mut self, stored: &[u8], out: &mut Vec<u8>) {
        self.send(false, out, |encoder, out| match encoder.format.structure {
            Structure::File => encoder.piece(stored, false, out),
            Structure::Record => {
                for line in stored.split_inclusive(|&octet| octet == records::LF) {
                    match line {
                        [record @ .., records::LF] => encoder.piece(record, true, out),
                        record => encoder.piece(record, false, out),
                    }
                }
            }
        });
    }

    /// Append a restart marker that stands for this place (RFC 959 §3.5): in MODE B (at most 65535 octets of it) and
    /// MODE C (127) alone.
    pub fn mark(&mut self, marker: &[u8], out: &mut Vec<u8>) {
        match self.format.mode {
            Mode::Block => block::put_block(block::MARKER, marker, out),
            Mode::Compressed => compressed::put_marker(marker, out),
            Mode::Stream | Mode::Deflate => {}
        }
    }

    /// There is nothing more: append what is left to say.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.send(true, out, |encoder, out| {
            if !encoder.at_boundary() {
                encoder.piece(b"", true, out);
            }
            match (encoder.format.mode, encoder.format.structure) {
                (Mode::Stream | Mode::Deflate, Structure::File) => {}
                (Mode::Stream | Mode::Deflate, Structure::Record) => out.extend(records::END_OF_FILE),
                (Mode::Block, _) => block::put_block(block::END_OF_FILE, b"", out),
                (Mode::Compressed, _) => compressed::put_end(out),
            }
        });
    }

    /// Octets of `skip` that are still to be dropped; if any are after the end, the file is shorter.
    pub fn still_to_skip(&self) -> u64 {
        self.skip
    }

    /// Whether a marker may stand here: in a file of records only behind one of them.
    pub fn at_boundary(&self) -> bool {
        self.format.structure == Structure::File || !self.in_record
    }

    /// A piece of the file, or of a record; `end`: the record ends with it.
    fn piece(&mut self, stored: &[u8], end: bool, out: &mut Vec<u8>) {
        self.in_record = !end;
        let octets = self.format.typed(stored);
        match (self.format.mode, self.format.structure) {
            (Mode::Stream | Mode::Deflate, Structure::File) => out.extend_from_slice(&octets),
            (Mode::Stream | Mode::Deflate, Structure::Record) => records::escape(&octets, end, out),
            _ if octets.is_empty() && !end => {}
            (Mode::Block, _) => block::put(&octets, end, out),
            (Mode::Compressed, _) => compressed::put(self.format.representation, &octets, end, out),
        }
    }

    /// What `make` appends, without the octets that are to be skipped, and deflated in MODE Z.
    fn send(&mut self, last: bool, out: &mut Vec<u8>, make: impl FnOnce(&mut Self, &mut Vec<u8>)) {
        let from = out.len();
        make(self, out);
        let made = out.len() - from;
        let skipped = usize::try_from(self.skip).map_or(made, |skip| skip.min(made));
        self.skip -= skipped as u64;
        out.drain(from..from + skipped);
        if let Some(deflater) = &mut self.deflater {
            let plain = out.split_off(from);
            deflater.push(&plain, last, out);
        }
    }
}
