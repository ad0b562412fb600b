//! Octets of the data connection to stored ones.

use super::{Format, Malformed, Mode, block, compressed, deflate, records};

/// Turns octets of the data connection, in pieces of any size, into those to be stored.
#[derive(Debug)]
pub struct Decoder {
    local: records::Local,
    mode: ModeDecoder,
}

#[derive(Debug)]
enum ModeDecoder {
    Stream(records::Stream),
    Block(block::Blocks),
    Compressed(compressed::Strings),
    Deflate(deflate::Inflater),
}

impl Decoder {
    /// Of a file.
    pub fn new(format: Format) -> Self {
        let mode = match format.mode {
            Mode::Stream => ModeDecoder::Stream(records::Stream::default()),
            Mode::Block => ModeDecoder::Block(block::Blocks::default()),
            Mode::Compressed => ModeDecoder::Compressed(compressed::Strings::new(format.representation)),
            Mode::Deflate => ModeDecoder::Deflate(deflate::Inflater::new()),
        };
        Self { local: records::Local::new(format), mode }
    }

    /// Take octets from the front of `wire` and append what is to be stored. Stops early, with octets left in
    /// `wire`, once `out` holds [`FULL`]; it never grows to twice that.
    ///
    /// Stops behind a restart marker, too, and returns it: it stands for the place behind all that was appended. In
    /// TYPE A a marker behind a CR is passed over: whether the CR is stored depends on what follows.
    pub fn push(&mut self, wire: &mut &[u8], out: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Malformed> {
        while !wire.is_empty() && out.len() < FULL {
            if self.has_ended() {
                return Err(Malformed::Syntax);
            }
            let local = &mut self.local;
            let marker = match &mut self.mode {
                ModeDecoder::Stream(stream) => {
                    stream.push(take(wire, FULL - out.len()), local, out)?;
                    None
                }
                ModeDecoder::Block(blocks) => blocks.step(wire, local, out)?,
                ModeDecoder::Compressed(strings) => strings.step(wire, local, out)?,
                ModeDecoder::Deflate(inflater) => {
                    inflater.step(wire, local, out)?;
                    None
                }
            };
            if marker.is_some() && local.is_settled() {
                return Ok(marker);
            }
        }
        Ok(None)
    }

    /// The connection has ended: append what is left, which is little.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if let ModeDecoder::Compressed(strings) = &mut self.mode {
            strings.finish(&mut self.local, out);
        }
        let is_whole = match &self.mode {
            ModeDecoder::Stream(_) => self.local.is_whole(),
            ModeDecoder::Deflate(inflater) => inflater.ended && self.local.is_whole(),
            _ => self.local.ended,
        };
        if !is_whole {
            return Err(Malformed::Truncated);
        }
        if !self.local.ended {
            self.local.end_file(out);
        }
        Ok(())
    }

    /// Whether the end of the file was said in a mode that need not close the connection to say it (RFC 959 §3.4.2).
    pub fn need_not_close(&self) -> bool {
        matches!(self.mode, ModeDecoder::Block(_) | ModeDecoder::Compressed(_)) && self.has_ended()
    }

    /// Whether the mode allows no more octets.
    fn has_ended(&self) -> bool {
        match &self.mode {
            ModeDecoder::Deflate(inflater) => inflater.ended,
            _ => self.local.ended,
        }
    }
}

/// At most so many octets, taken off the front.
pub(super) fn take<'a>(octets: &mut &'a [u8], most: usize) -> &'a [u8] {
    octets.split_off(..most.min(octets.len())).unwrap_or_default()
}

/// Octets at which [`Decoder::push`] stops.
pub const FULL: usize = 64 * 1024;
