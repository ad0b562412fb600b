//! Framing and parsing: whatever a client sends, however it is split, is lines; a line printed is read
//! back as it was, and so is a command; a pathname never leaves the root.

#![no_main]

#[path = "../../tests/support/print.rs"]
mod print;

use libfuzzer_sys::fuzz_target;
use wasi_ftpd::proto::command;
use wasi_ftpd::proto::line::{Line, Lines, escape};
use wasi_ftpd::proto::path::VPath;

fn lines(octets: &[u8], piece: usize) -> Vec<Line> {
    let (mut lines, mut found) = (Lines::default(), Vec::new());
    for piece in octets.chunks(piece) {
        lines.input().extend_from_slice(piece);
        while let Some(line) = lines.next_line() {
            found.push(line);
        }
    }
    found
}

fuzz_target!(|octets: &[u8]| {
    let found = lines(octets, usize::MAX);
    assert_eq!(found, lines(octets, 1));
    for line in found {
        let Line::Complete(line) = line else { continue };
        let mut printed = Vec::new();
        escape(&line, &mut printed);
        printed.extend(b"\r\n");
        assert_eq!(lines(&printed, usize::MAX), [Line::Complete(line.clone())]);
        let Ok((row, argument)) = command::split(&line) else { continue };
        if let Ok(command) = command::parse(row, argument) {
            let printed = print::print(&command);
            let (row, argument) = command::split(&printed).expect("a verb");
            assert_eq!(command::parse(row, argument), Ok(command), "{}", printed.escape_ascii());
        }
        if let Ok(path) = VPath::root().join(argument) {
            assert!(path.as_bytes().starts_with(b"/"));
            assert!(path.as_bytes().split(|&octet| octet == b'/').all(|part| part != b".." && part != b"."));
            assert_eq!(VPath::root().join(path.as_bytes()), Ok(path));
        }
    }
});
