//! Octets of the control connection to command lines.
//!
//! ```text
//! command line = octets , CR LF          (RFC 959 §5.3.1; a bare LF is taken for CR LF)
//! CR NUL       = a bare CR               (RFC 854, NVT printer)
//! IAC IAC      = the octet 255           (RFC 854)
//! IAC command  = dropped in front of the argument, with its option if it has one
//! ```
//!
//! Behind the first space stands a name, and there IAC is an octet like others unless it is doubled: few
//! clients double it (lftp does; curl, ncftp and wget do not), and none sends Telnet commands there.

/// Splits what the client sends into lines. Owns every octet it was given, so that waiting for more can
/// be cancelled at any time.
#[derive(Debug, Default)]
pub struct Lines {
    /// Octets not looked at yet.
    input: Vec<u8>,
    /// How many of `input` are used up.
    used: usize,
    /// The line so far, Telnet removed.
    line: Growing,
    state: State,
}

/// A line that grows.
#[derive(Debug, Default)]
struct Growing {
    octets: Vec<u8>,
    /// There were more than [`MAX_LINE`]; the rest of them is dropped.
    too_long: bool,
}

impl Growing {
    fn keep(&mut self, octets: &[u8]) {
        let room = MAX_LINE.saturating_sub(self.octets.len());
        self.too_long |= octets.len() > room;
        self.octets.extend_from_slice(octets.get(..room).unwrap_or(octets));
    }
}

/// Where in a Telnet or line-end sequence the last octet left us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    AfterCr,
    AfterIac,
    /// After WILL, WONT, DO or DONT: the option code is still to come.
    AfterOption,
}

/// What [`Lines::next_line`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its end.
    Complete(Vec<u8>),
    /// A line longer than [`MAX_LINE`], dropped.
    TooLong,
}

impl Lines {
    /// Where to append what the client sends.
    pub fn input(&mut self) -> &mut Vec<u8> {
        self.input.drain(..self.used);
        self.used = 0;
        &mut self.input
    }

    /// The next line, if all of it is here.
    pub fn next_line(&mut self) -> Option<Line> {
        loop {
            self.take_text();
            let octet = *self.input.get(self.used)?;
            self.used += 1;
            if self.step(octet) {
                let Growing { octets, too_long } = std::mem::take(&mut self.line);
                return Some(if too_long { Line::TooLong } else { Line::Complete(octets) });
            }
        }
    }

    /// Take what means itself, up to the first octet that may not.
    fn take_text(&mut self) {
        if self.state == State::Text {
            let rest = self.input.get(self.used..).unwrap_or_default();
            let text = rest.split(|octet| matches!(*octet, CR | LF | IAC)).next().unwrap_or_default();
            self.line.keep(text);
            self.used += text.len();
        }
    }

    /// Take one octet; true at the end of a line.
    fn step(&mut self, octet: u8) -> bool {
        let state = std::mem::take(&mut self.state);
        match (state, octet) {
            (State::AfterCr, NUL) => self.line.keep(&[CR]),
            (State::AfterCr, LF) => return true,
            (State::AfterCr, _) => {
                self.line.keep(&[CR]);
                return self.step(octet);
            }
            (State::AfterIac, IAC) => self.line.keep(&[IAC]),
            (State::AfterIac, WILL..=DONT) if !self.in_argument() => self.state = State::AfterOption,
            (State::AfterIac, FIRST_TELNET_COMMAND..) if !self.in_argument() => {}
            (State::AfterIac, _) => {
                self.line.keep(&[IAC]);
                return self.step(octet);
            }
            (State::AfterOption, _) => {}
            (State::Text, CR) => self.state = State::AfterCr,
            (State::Text, LF) => return true,
            (State::Text, IAC) => self.state = State::AfterIac,
            (State::Text, _) => self.line.keep(&[octet]),
        }
        false
    }

    fn in_argument(&self) -> bool {
        self.line.octets.contains(&b' ')
    }
}

/// Append `text` in the form it has on the control connection: 255 is doubled, and CR is followed by
/// NUL, so that no pathname ends a line or becomes a Telnet command (RFC 854). LF becomes `?`.
pub fn escape(text: &[u8], out: &mut Vec<u8>) {
    for part in text.split_inclusive(|octet| matches!(*octet, IAC | CR | LF)) {
        out.extend_from_slice(part);
        match out.last_mut() {
            Some(&mut IAC) => out.push(IAC),
            Some(&mut CR) => out.push(NUL),
            Some(last @ &mut LF) => *last = b'?',
            _ => {}
        }
    }
}

const NUL: u8 = 0;
const LF: u8 = b'\n';
const CR: u8 = b'\r';

/// Telnet: interpret as command.
const IAC: u8 = 255;
/// Telnet: WILL, WONT, DO, DONT are followed by an option code.
const WILL: u8 = 251;
const DONT: u8 = 254;
/// Telnet: the lowest command code (RFC 854: SE is 240; EOF, SUSP and ABORT of RFC 1184 lie below it).
const FIRST_TELNET_COMMAND: u8 = 236;

/// Octets in a command line: a verb, and a pathname of PATH_MAX (4096) with room to spare.
pub const MAX_LINE: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<Line> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for chunk in chunks {
            lines.input().extend_from_slice(chunk);
            while let Some(line) = lines.next_line() {
                found.push(line);
            }
        }
        found
    }

    fn texts(octets: &[u8]) -> Vec<Vec<u8>> {
        let whole = lines(&[octets]);
        let split: Vec<&[u8]> = octets.chunks(1).collect();
        assert_eq!(whole, lines(&split), "the same however it is split");
        whole
            .into_iter()
            .map(|line| match line {
                Line::Complete(text) => text,
                Line::TooLong => panic!("too long"),
            })
            .collect()
    }

    #[test]
    fn bug_17_line_ends() {
        assert_eq!(texts(b"NOOP\r\nPWD\nSYST"), [b"NOOP".to_vec(), b"PWD".to_vec()]);
        assert_eq!(texts(b"\r\n\n"), [b"".to_vec(), b"".to_vec()]);
        assert_eq!(texts(b"a\rb\r\0c\r\r\n"), [b"a\rb\rc\r".to_vec()]);
    }

    #[test]
    fn bug_16_telnet() {
        assert_eq!(texts(b"\xff\xf4\xff\xf2ABOR\r\n"), [b"ABOR".to_vec()]);
        assert_eq!(texts(b"NO\xff\xfb\x01OP\xff\xfe\xff\r\n"), [b"NOOP".to_vec()]);
        assert_eq!(texts(b"RETR \xff\xff\xffa\xff\r\n"), [b"RETR \xff\xffa\xff".to_vec()]);
        assert_eq!(texts(b"RETR \xff\xfe.bin\xff\xff\xf4\r\n"), [b"RETR \xff\xfe.bin\xff\xf4".to_vec()]);
    }

    #[test]
    fn bug_17_too_long_lines_are_dropped_whole() {
        let mut octets = vec![b'x'; MAX_LINE * 3];
        octets.extend(b"\r\nNOOP\r\n");
        assert_eq!(lines(&[&octets]), [Line::TooLong, Line::Complete(b"NOOP".to_vec())]);
        let fits = [&octets[..MAX_LINE], b"\r\n"].concat();
        assert_eq!(lines(&[&fits]), [Line::Complete(octets[..MAX_LINE].to_vec())]);
        assert_eq!(lines(&[b"x", &fits]), [Line::TooLong]);
    }

    #[test]
    fn escaping_is_undone_by_reading() {
        let mut out = Vec::new();
        escape(b"a\xffb\rc", &mut out);
        out.extend(b"\r\n");
        assert_eq!(texts(&out), [b"a\xffb\rc".to_vec()]);
    }
}
