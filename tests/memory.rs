//! Transcripts against sessions in memory, and the tests that the verb table generates.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/transcript.rs"]
mod transcript;

use std::net::SocketAddr;

use transcript::Server;
use wasi_ftpd::env::memory::{Client, Memory};
use wasi_ftpd::env::{Ending, Outcome, StorageError};
use wasi_ftpd::proto::command;
use wasi_ftpd::proto::entry::Permissions;
use wasi_ftpd::proto::verb::{Argument, TABLE, Verb};
use wasi_ftpd::session::serve;

/// A session in memory.
struct InMemory {
    memory: Memory,
    client: Client,
    /// What has come and has not been taken.
    replies: Vec<u8>,
}

impl InMemory {
    fn start() -> Self {
        let memory = Memory::new(SERVER.parse().unwrap(), CLIENT.parse().unwrap());
        memory.account(b"user", b"secret", Permissions::ALL);
        let served = memory.clone();
        let client = Client::new(memory.clone(), async move { serve(&served).await });
        Self { client, memory, replies: Vec::new() }
    }

    /// Send a line and take all that comes: the codes.
    fn say(&mut self, line: &str) -> Vec<String> {
        self.send(format!("{line}\r\n").as_bytes());
        std::iter::from_fn(|| self.reply()).map(|reply| String::from_utf8_lossy(&reply[..3]).into_owned()).collect()
    }

    fn logged_in() -> Self {
        let mut server = Self::start();
        assert_eq!(server.say("USER user"), ["220", "331"]);
        assert_eq!(server.say("PASS secret"), ["230"]);
        server
    }
}

impl Server for InMemory {
    const NAME: &'static str = "memory";

    fn send(&mut self, octets: &[u8]) {
        self.client.send(octets);
    }

    fn reply(&mut self) -> Option<Vec<u8>> {
        self.replies.extend(self.client.receive());
        let mut end = 0;
        for line in self.replies.split_inclusive(|&octet| octet == b'\n') {
            end += line.len();
            if line.get(3) == Some(&b' ') && line.iter().take(3).all(u8::is_ascii_digit) {
                return Some(self.replies.drain(..end).collect());
            }
        }
        None
    }

    fn is_closed(&mut self) -> bool {
        self.reply().is_none() && self.replies.is_empty() && self.client.is_closed()
    }

    fn listen(&mut self) -> SocketAddr {
        self.client.listen(true);
        SocketAddr::new(CLIENT.parse::<SocketAddr>().unwrap().ip(), 40_000)
    }

    fn connect(&mut self, port: u16) {
        assert!(self.client.connect(SocketAddr::new(SERVER.parse::<SocketAddr>().unwrap().ip(), port)));
    }

    fn send_data(&mut self, octets: &[u8], end: bool) {
        assert!(self.client.send_data(octets, end), "no data connection");
    }

    fn receive_data(&mut self) -> Vec<u8> {
        let (octets, whole) = self.client.receive_data();
        assert!(whole, "the data connection did not end well, after {}", octets.escape_ascii());
        octets
    }

    fn reset_data(&mut self) {
        self.client.reset_data();
    }

    fn special(&mut self, directive: &str) {
        match directive {
            "fault io" => self.memory.files(|files| files.fail(StorageError::Io)),
            "fault full" => self.memory.files(|files| files.fail(StorageError::NoSpace)),
            "ending idle" => self.client.end(Ending::Idle),
            "ending shutdown" => self.client.end(Ending::Shutdown),
            _ => panic!("{directive}"),
        }
    }

    fn put(&mut self, path: &[u8], content: Option<&[u8]>) {
        self.memory.files(|files| match content {
            Some(content) => files.put_file(path, content),
            None => files.put_directory(path),
        });
    }

    fn put_link(&mut self, path: &[u8]) {
        self.memory.files(|files| files.put_link(path));
    }

    fn stored(&mut self, path: &[u8]) -> Option<Option<Vec<u8>>> {
        self.memory.files(|files| match files.content(path) {
            Some(content) => Some(Some(content)),
            None => files.has_directory(path).then_some(None),
        })
    }
}

const SERVER: &str = "127.0.0.1:21";
const CLIENT: &str = "127.0.0.1:33333";

#[test]
fn transcripts() {
    transcript::run_all(InMemory::start);
}

#[test]
fn every_verb_has_a_transcript() {
    let mut missing: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
    for (_, text) in transcript::all() {
        let lines = text.lines().filter_map(|line| line.strip_prefix("C: "));
        for (row, _) in lines.filter_map(|line| command::split(line.as_bytes()).ok()) {
            missing.retain(|name| *name != row.name);
        }
    }
    assert_eq!(missing, [] as [&str; 0]);
}

#[test]
fn before_login() {
    for row in TABLE.iter().filter(|row| row.login) {
        for argument in ["", " argument"] {
            let mut server = InMemory::start();
            assert_eq!(server.say(&format!("{}{argument}", row.name)), ["220", "530"], "{}", row.name);
        }
    }
    for row in TABLE.iter().filter(|row| !row.login) {
        let mut server = InMemory::start();
        assert_ne!(server.say(row.name)[1], "530", "{}", row.name);
    }
}

#[test]
fn arguments_that_are_missing_or_too_many() {
    for row in TABLE {
        let line = match row.argument {
            Argument::Required => row.name.to_owned(),
            Argument::None => format!("{} one", row.name),
            Argument::Optional => continue,
        };
        let mut server = InMemory::logged_in();
        assert_eq!(server.say(&line), ["501"], "{line}");
        assert_eq!(server.say("NOOP"), ["200"]);
    }
}

#[test]
fn in_any_case() {
    for row in TABLE {
        let mut server = InMemory::logged_in();
        let mut mixed = row.name.to_lowercase();
        mixed[..1].make_ascii_uppercase();
        let codes = server.say(&mixed);
        assert!(!codes.is_empty() && !codes.iter().any(|code| code == "500" || code == "502"), "{mixed}: {codes:?}");
    }
}

#[test]
fn during_a_transfer() {
    for row in TABLE {
        let mut server = InMemory::logged_in();
        server.memory.files(|files| files.put_file(b"/big", &[b'x'; 1_000_000]));
        assert_eq!(server.say("TYPE I"), ["200"]);
        server.send(b"EPSV\r\n");
        let text = String::from_utf8(server.reply().unwrap()).unwrap();
        server.connect(text.split('|').nth(3).unwrap().parse().unwrap());
        assert_eq!(server.say("RETR big"), ["150"]);
        let codes = server.say(row.name);
        match (row.verb, row.during_transfer) {
            (Verb::Abor, _) => assert_eq!(codes, ["426", "226"]),
            (_, true) => {
                assert_eq!(codes.len(), 1, "{}: {codes:?}", row.name);
                assert_eq!(server.receive_data().len(), 1_000_000);
                assert_eq!(server.say(""), ["226", "500"], "{}", row.name);
            }
            (_, false) => {
                assert_eq!(codes, [] as [&str; 0], "{}", row.name);
                assert_eq!(server.receive_data().len(), 1_000_000);
                let codes = server.say("");
                assert_eq!(codes[0], "226", "{}", row.name);
                assert!(codes.len() >= 2, "{} was forgotten: {codes:?}", row.name);
            }
        }
    }
}

#[test]
fn help_and_features_come_from_the_table() {
    let mut server = InMemory::logged_in();
    server.send(b"HELP\r\n");
    let help = String::from_utf8(server.reply().unwrap()).unwrap();
    server.send(b"FEAT\r\n");
    let features = String::from_utf8(server.reply().unwrap()).unwrap();
    for row in TABLE {
        assert!(help.split_whitespace().any(|word| word == row.name), "{}", row.name);
        assert_eq!(server.say(&format!("HELP {}", row.name)), ["214"]);
        if let Some(feature) = row.feature {
            assert!(features.contains(&format!("\r\n {feature}\r\n")), "{feature}");
        }
    }
}

#[test]
fn transfers_are_reported_as_they_ended() {
    let mut server = InMemory::logged_in();
    for (end, outcome) in [
        ("end", Outcome::Complete),
        ("ABOR", Outcome::Aborted),
        ("reset", Outcome::Failed),
        ("close", Outcome::Aborted),
    ] {
        server.send(b"EPSV\r\n");
        let text = String::from_utf8(server.reply().unwrap()).unwrap();
        server.connect(text.split('|').nth(3).unwrap().parse().unwrap());
        assert_eq!(server.say("STOR f"), ["150"]);
        server.send_data(b"some", false);
        match end {
            "end" => server.send_data(b"", true),
            "reset" => server.reset_data(),
            "close" => server.client.close(),
            line => drop(server.say(line)),
        }
        while server.reply().is_some() {}
        assert_eq!(server.memory.outcomes().last(), Some(&outcome), "{end}");
    }
    assert_eq!(server.memory.outcomes().len(), 4);
}

#[test]
fn a_client_that_goes_away() {
    let mut server = InMemory::logged_in();
    server.client.close();
    assert!(server.client.is_closed());
}
