//! Every reply that the verb table has for a verb is in a transcript, and no other is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "only the texts are needed")]
#[path = "support/transcript.rs"]
mod transcript;

use std::collections::BTreeSet;

use wasi_ftpd::proto::command;
use wasi_ftpd::proto::line::{Line, Lines};
use wasi_ftpd::proto::verb::{Row, TABLE};

/// Verbs and the codes that transcripts have for them. Replies come in the order of their commands, but for
/// what the table answers during a transfer.
fn shown() -> BTreeSet<(&'static str, u16)> {
    let mut shown = BTreeSet::new();
    for (_, text) in transcript::all() {
        let (mut waiting, mut lines) = (Vec::<&'static Row>::new(), Lines::default());
        for line in text.lines() {
            if let Some(line) = line.strip_prefix("C: ") {
                waiting.extend(command::split(line.as_bytes()).map(|(row, _)| row));
            } else if let Some(raw) = line.strip_prefix("raw: ") {
                lines.input().extend(transcript::octets(raw.trim_matches('"')).unwrap());
                while let Some(Line::Complete(line)) = lines.next_line() {
                    waiting.extend(command::split(&line).map(|(row, _)| row));
                }
            } else if let Some(code) = line.strip_prefix("S: ") {
                let code = code.get(..3).unwrap().parse().unwrap();
                let at = waiting.iter().position(|row| row.replies.contains(&code)).unwrap_or(0);
                let Some(row) = waiting.get(at) else { continue };
                shown.insert((row.name, code));
                if code >= 200 {
                    waiting.remove(at);
                }
                if code == 234 {
                    // What was sent before the handshake is dropped.
                    waiting.clear();
                }
            }
        }
    }
    shown
}

#[test]
fn every_reply_of_every_verb() {
    let shown = shown();
    let of_all = [421, 500, 501, 530];
    let promised: BTreeSet<(&str, u16)> =
        TABLE.iter().flat_map(|row| row.replies.iter().map(|&code| (row.name, code))).collect();
    let missing: Vec<_> = promised.difference(&shown).collect();
    let unknown: Vec<_> = shown.difference(&promised).filter(|(_, code)| !of_all.contains(code)).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "without a transcript: {missing:?}\nnot in the table: {unknown:?}"
    );
}
