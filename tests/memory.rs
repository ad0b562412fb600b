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

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use transcript::Server;
use wasi_ftpd::env::memory::{Client, Memory};
use wasi_ftpd::env::{Ending, Outcome, StorageError, TlsPolicy};
use wasi_ftpd::proto::command;
use wasi_ftpd::proto::entry::Permissions;
use wasi_ftpd::proto::verb::{Argument, TABLE, Verb};
use wasi_ftpd::proto::wire::{Encoder, Format, Mode, Type};
use wasi_ftpd::session::serve;

/// A session in memory.
struct InMemory {
    ip: IpAddr,
    memory: Memory,
    client: Client,
    /// What has come and has not been taken.
    replies: Vec<u8>,
}

impl InMemory {
    fn start() -> Self {
        Self::start_over(Ipv4Addr::LOCALHOST.into())
    }

    fn start_over(ip: IpAddr) -> Self {
        let memory = Memory::new(SocketAddr::new(ip, 21), SocketAddr::new(ip, 33_333));
        memory.account(b"user", b"secret", Permissions::ALL);
        let served = memory.clone();
        let client = Client::new(memory.clone(), async move { serve(&served).await });
        Self { ip, client, memory, replies: Vec::new() }
    }

    /// Send a line and take all that comes: the codes.
    fn say(&mut self, line: &str) -> Vec<String> {
        self.send(format!("{line}\r\n").as_bytes());
        std::iter::from_fn(|| self.reply()).map(|reply| String::from_utf8_lossy(&reply[..3]).into_owned()).collect()
    }

    /// Open a passive data connection.
    fn passive(&mut self) {
        self.send(b"EPSV\r\n");
        let text = String::from_utf8(self.reply().unwrap()).unwrap();
        self.connect(text.split('|').nth(3).unwrap().parse().unwrap());
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
        SocketAddr::new(self.ip, 40_000)
    }

    fn not_listening(&mut self) -> SocketAddr {
        self.client.listen(false);
        SocketAddr::new(self.ip, 40_000)
    }

    fn connect(&mut self, port: u16) {
        assert!(self.client.connect(SocketAddr::new(self.ip, port)));
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
            "tls allowed" => self.memory.tls(TlsPolicy::Allowed),
            "tls required" => self.memory.tls(TlsPolicy::Required),
            "tls required-for-data" => self.memory.tls(TlsPolicy::RequiredForData),
            "fault busy" => self.memory.files(|files| files.fail(StorageError::Busy)),
            "fault full" => self.memory.files(|files| files.fail(StorageError::NoSpace)),
            "ending idle" => self.client.end(Ending::Idle),
            "ending shutdown" => self.client.end(Ending::Shutdown),
            _ => self.memory.charset(directive.strip_prefix("charset ").unwrap()),
        }
    }

    fn has(&self, _: &str) -> bool {
        true
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

#[test]
fn transcripts() {
    transcript::run_all(InMemory::start_over);
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
        server.memory.tls(TlsPolicy::Allowed);
        let mut mixed = row.name.to_lowercase();
        mixed[..1].make_ascii_uppercase();
        let codes = server.say(&mixed);
        assert!(!codes.is_empty() && !codes.iter().any(|code| code == "500" || code == "502"), "{mixed}: {codes:?}");
    }
}

#[test]
fn bug_19_during_a_transfer() {
    for row in TABLE {
        let mut server = InMemory::logged_in();
        server.memory.files(|files| files.put_file(b"/big", &[b'x'; 1_000_000]));
        assert_eq!(server.say("TYPE I"), ["200"]);
        server.passive();
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
        server.passive();
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

#[test]
fn bug_06_lines_of_other_protocols() {
    for line in [
        "GET / HTTP/1.1",
        "head / http/1.0",
        "POST /f HTTP/1.1",
        "PUT /f HTTP/1.1",
        "DELETE /f HTTP/1.1",
        "PATCH /f HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "TRACE / HTTP/1.1",
        "CONNECT 127.0.0.1:25 HTTP/1.1",
        "Host: example.com",
        "EHLO example.com",
        "helo example.com",
    ] {
        let mut server = InMemory::logged_in();
        assert_eq!(server.say(&format!("{line}\r\nMKD d")), ["500"], "{line}");
        assert!(server.is_closed() && server.stored(b"/d").is_none(), "{line}");
    }
}

#[test]
fn bug_06_lines_without_end_that_are_no_commands() {
    let mut server = InMemory::logged_in();
    for _ in 0..100 {
        assert_eq!(server.say("X-Header"), ["500"]);
    }
    assert_eq!(server.say("NOOP"), ["200"]);
    for _ in 0..100 {
        assert_eq!(server.say("X-Header"), ["500"]);
    }
    assert_eq!(server.say("X-Header"), ["421"]);
    assert!(server.is_closed());
}

#[test]
fn bug_12_a_copy_needs_leave_to_read_and_to_write() {
    let all = Permissions::ALL;
    for permissions in [all, Permissions { read: false, ..all }, Permissions { write: false, ..all }] {
        let mut server = InMemory::start();
        server.memory.account(b"other", b"secret", permissions);
        server.put(b"/f", Some(b"content"));
        assert_eq!(server.say("USER other\r\nPASS secret"), ["220", "331", "230"]);
        let may = permissions == all;
        let code = if may { "250" } else { "550" };
        assert_eq!(server.say("SITE COPY f a"), [code]);
        assert_eq!(server.say("SITE CPFR f\r\nSITE CPTO b"), ["350", code]);
        assert_eq!(server.say("COMB c f"), [code]);
        for path in ["/a", "/b", "/c"] {
            assert_eq!(server.stored(path.as_bytes()).is_some(), may, "{path}");
        }
    }
}

#[test]
fn bug_20_floods_of_commands() {
    let mut server = InMemory::logged_in();
    let answered = |server: &mut InMemory, code: &[u8]| {
        (0..10_000).all(|_| server.reply().is_some_and(|reply| reply.starts_with(code)))
    };
    server.send("PASV\r\n".repeat(10_000).as_bytes());
    assert!(answered(&mut server, b"227"));
    server.passive();
    assert_eq!(server.say("STOR f"), ["150"]);
    server.send("PWD\r\n".repeat(10_000).as_bytes());
    assert_eq!(server.reply(), None);
    server.send_data(b"content", true);
    assert!(server.reply().unwrap().starts_with(b"226"));
    assert!(answered(&mut server, b"257"));
    assert_eq!(server.say("NOOP"), ["200"]);
}

#[test]
fn bug_25_a_bomb_is_told_and_not_stored() {
    let format = Format { representation: Type::Image, mode: Mode::Deflate, ..Format::default() };
    let (mut encoder, mut bomb) = (Encoder::new(format, 9, 0), Vec::new());
    encoder.push(&vec![0; 129 << 20], &mut bomb);
    encoder.finish(&mut bomb);
    let mut server = InMemory::logged_in();
    assert_eq!(server.say("TYPE I\r\nMODE Z"), ["200", "200"]);
    for (representation, command) in [("I", "STOR f"), ("A", "STOU")] {
        assert_eq!(server.say(&format!("TYPE {representation}")), ["200"]);
        server.passive();
        assert_eq!(server.say(command), ["150"]);
        for piece in bomb.chunks(10_000) {
            server.send_data(piece, false);
        }
        let reply = server.reply().unwrap();
        assert!(reply.starts_with(b"552"), "{command}: {}", reply.escape_ascii());
        assert_eq!((server.stored(b"/f"), server.stored(b"/stou")), (None, None));
        server.send(b"TYPE I\r\n");
        server.reply();
        assert_eq!(server.say("SIZE f"), ["550"], "nor kept to be gone on with");
    }
    assert_eq!(server.say("NOOP"), ["200"]);
}
