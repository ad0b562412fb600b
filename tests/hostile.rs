//! Clients that mean harm, or are merely broken, against the real host.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/client.rs"]
mod client;
#[path = "support/host.rs"]
mod host;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};
use std::{fs, thread};

use client::{Client, Control, data, read_all, send_all, stranger, until};
use host::Host;
use socket2::Socket;
use wasi_ftpd_host::config::ActivePort;

// Data connections.

#[test]
fn bug_01_no_packet_to_a_third_party() {
    let host = Host::start(|_| {});
    let third = TcpListener::bind("127.0.0.2:0").unwrap();
    third.set_nonblocking(true).unwrap();
    let port = third.local_addr().unwrap().port();
    let mut client = Client::login(host.address());
    fs::write(host.root().join("f"), "secret").unwrap();
    client.expect(format!("PORT 127,0,0,2,{},{}", port / 256, port % 256), 504);
    client.expect(format!("EPRT |1|127.0.0.2|{port}|"), 504);
    client.expect(format!("EPRT |2|::1|{port}|"), 504);
    client.expect("PORT 127,0,0,1,0,22", 504);
    client.expect("EPRT |1|127.0.0.1|1023|", 504);
    client.expect("PORT 127,0,0,1,0,0", 504);
    client.expect("RETR f", 425);
    assert_eq!(third.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn bug_02_no_packet_before_the_transfer() {
    let host = Host::start(|_| {});
    fs::write(host.root().join("f"), "content").unwrap();
    let mut client = Client::login(host.address());
    let mine = client.active();
    mine.set_nonblocking(true).unwrap();
    client.expect("NOOP", 200);
    assert_eq!(mine.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    mine.set_nonblocking(false).unwrap();
    client.send("RETR f\r\n");
    assert_eq!(read_all(mine.accept().unwrap().0), b"content");
    assert_eq!((client.reply().0, client.reply().0), (150, 226));
}

#[test]
fn active_connections_come_from_the_data_port() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = Host::start(|config| config.active_port = ActivePort::Fixed(port));
    fs::write(host.root().join("f"), "content").unwrap();
    // One after the other and at once: the port is shared.
    let mut clients = [Client::login(host.address()), Client::login(host.address())];
    for _ in 0..2 {
        let open = clients.each_mut().map(|client| {
            let mine = client.active();
            client.expect("RETR f", 150);
            mine.accept().unwrap()
        });
        for ((stream, peer), client) in open.into_iter().zip(&mut clients) {
            assert_eq!(peer.port(), port);
            assert_eq!(read_all(stream), b"content");
            assert_eq!(client.reply().0, 226);
        }
    }
}

#[test]
fn bug_02_an_active_port_that_is_closed() {
    let host = Host::start(|_| {});
    fs::write(host.root().join("f"), "content").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut client = Client::login(host.address());
    client.expect(format!("EPRT |1|127.0.0.1|{closed}|"), 200);
    client.expect("RETR f", 150);
    assert_eq!(client.reply().0, 425);
}

#[test]
fn bug_03_a_stranger_on_a_passive_port() {
    let host = Host::start(|_| {});
    fs::write(host.root().join("f"), "for the client alone").unwrap();
    let mut client = Client::login(host.address());
    let port = client.passive();
    // More than wait in any queue.
    let strangers: Vec<TcpStream> = (0..200).map(|_| stranger(port).unwrap()).collect();
    client.expect("RETR f", 150);
    let late = stranger(port).unwrap();
    let mine = data(port);
    assert_eq!(read_all(mine), b"for the client alone");
    assert_eq!(client.reply().0, 226);
    for mut stranger in strangers.into_iter().chain([late]) {
        stranger.set_read_timeout(Some(client::PATIENCE)).unwrap();
        assert!(!matches!(stranger.read(&mut [0; 100]), Ok(1..)), "a stranger got data");
    }
}

#[test]
fn bug_20_a_passive_port_that_nobody_uses_is_freed() {
    let host = Host::start(|config| config.limits.data_connection = Duration::from_millis(200));
    let mut client = Client::login(host.address());
    let port = client.passive();
    until(|| stranger(port).is_err(), "the port to be freed");
    client.expect("LIST", 150);
    assert_eq!(client.reply().0, 425);
    // A new one takes the place of the old.
    let first = client.passive();
    client.passive();
    assert!(TcpStream::connect(first).is_err());
    // And REIN gives up both.
    let last = client.passive();
    client.expect("REIN", 220);
    assert!(TcpStream::connect(last).is_err());
}

#[test]
fn bug_20_a_passive_range_that_is_used_up() {
    let host = Host::start(|config| {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        config.passive_ports = port..=port;
    });
    let (mut first, mut second) = (Client::login(host.address()), Client::login(host.address()));
    first.passive();
    second.expect("EPSV", 425);
    // Whoever gives it back gives it back at once, used or not.
    for _ in 0..100 {
        drop(data(first.passive()));
        first.expect("ABOR", 226);
        second.passive();
        second.expect("ABOR", 226);
    }
    first.send("EPSV\r\n".repeat(10));
    for _ in 0..10 {
        assert_eq!(first.reply().0, 229);
    }
}

// Transfers.

/// A file that no socket buffer holds, in octets.
const BIG: u64 = 200 << 20;

fn big_file(host: &Host) {
    fs::File::create(host.root().join("big")).unwrap().set_len(BIG).unwrap();
}

/// A client in the middle of a download, of which it has read 1000 octets.
fn downloading(host: &Host) -> (Client, TcpStream) {
    big_file(host);
    let mut client = Client::login(host.address());
    let mut stream = client.open_passive();
    client.expect("RETR big", 150);
    stream.read_exact(&mut [0; 1000]).unwrap();
    (client, stream)
}

#[test]
fn abort_of_a_download() {
    let host = Host::start(|_| {});
    let (mut client, _stream) = downloading(&host);
    let start = Instant::now();
    // As Telnet has it, with the mark as urgent data (RFC 959 §4.1.3).
    client.send(b"\xff\xf4");
    Socket::from(client.socket().try_clone().unwrap()).send_out_of_band(b"\xff\xf2").unwrap();
    client.expect("ABOR", 426);
    assert_eq!(client.reply().0, 226);
    assert!(start.elapsed() < Duration::from_secs(1));
    client.expect("NOOP", 200);
}

#[test]
fn abort_however_fast_the_client_reads() {
    let host = Host::start(|_| {});
    fs::create_dir(host.root().join("many")).unwrap();
    for number in 0..20_000 {
        fs::File::create(host.root().join(format!("many/{number}"))).unwrap();
    }
    big_file(&host);
    for (prelude, command) in [("TYPE A", "RETR big"), ("TYPE I", "RETR big"), ("TYPE A", "LIST many")] {
        let mut client = Client::login(host.address());
        client.expect(prelude, 200);
        let mut stream = client.open_passive();
        client.expect(command, 150);
        let reader = thread::spawn(move || {
            let (mut octets, mut total) = (vec![0; 1 << 20], 0);
            while let Ok(count @ 1..) = stream.read(&mut octets) {
                total += count as u64;
            }
            total
        });
        let reply = client.say("ABOR");
        let read = reader.join().unwrap();
        assert_eq!((reply.0, client.reply().0), (426, 226), "{command} in {prelude} after {read} octets");
    }
}

#[test]
fn a_transfer_is_not_idle() {
    let host = Host::start(|config| config.limits.idle = Duration::from_millis(200));
    let (mut client, stream) = downloading(&host);
    thread::sleep(Duration::from_millis(500));
    assert_eq!(read_all(stream).len() as u64, BIG - 1000);
    assert_eq!(client.reply().0, 226);
    assert_eq!(client.reply().0, 421);
}

#[test]
fn a_file_that_becomes_shorter_while_it_is_sent() {
    let host = Host::start(|_| {});
    let (mut client, mut stream) = downloading(&host);
    fs::File::options().write(true).open(host.root().join("big")).unwrap().set_len(5_000_000).unwrap();
    let mut rest = Vec::new();
    assert!(stream.read_to_end(&mut rest).is_err(), "a part must not look like the whole");
    assert_eq!(client.reply().0, 451);
}

#[test]
fn abort_of_an_upload_and_of_a_connection_that_never_comes() {
    let host = Host::start(|_| {});
    let mut client = Client::login(host.address());
    let mut stream = client.open_passive();
    client.expect("STOR f", 150);
    stream.write_all(b"some").unwrap();
    client.expect("ABOR", 426);
    assert_eq!(client.reply().0, 226);
    client.passive();
    client.expect("LIST", 150);
    client.expect("ABOR", 426);
    assert_eq!(client.reply().0, 226);
    client.expect("ABOR", 226);
}

#[test]
fn a_client_that_vanishes_during_a_download() {
    let host = Host::start(|_| {});
    let (mut client, stream) = downloading(&host);
    drop(stream);
    let (code, text) = client.reply();
    assert_eq!(code, 426, "{text}");
    drop(client);
    // A client that takes its control connection along leaves nothing behind.
    let (client, mut stream) = downloading(&host);
    drop(client);
    host.until_sessions(0);
    let mut rest = Vec::new();
    let end = stream.read_to_end(&mut rest);
    assert!(end.is_err() && (rest.len() as u64) < BIG - 1000, "a part must not look like the whole");
}

#[test]
fn a_client_that_vanishes_during_an_upload() {
    let host = Host::start(|_| {});
    let mut client = Client::login(host.address());
    let mut stream = client.open_passive();
    client.expect("STOR f", 150);
    stream.write_all(b"some").unwrap();
    until(|| fs::read(host.root().join(".in.f.")).is_ok_and(|content| content == b"some"), "the octets to arrive");
    // Its kernel closes the sockets in this order, and no reply must be 226.
    let mut control = client.socket().try_clone().unwrap();
    control.shutdown(std::net::Shutdown::Write).unwrap();
    drop(stream);
    let mut replies = String::new();
    control.read_to_string(&mut replies).unwrap();
    assert!(!replies.contains("226"), "{replies}");
    host.until_sessions(0);
}

#[test]
fn bug_20_a_transfer_that_stands_still() {
    let host = Host::start(|config| config.limits.stall = Duration::from_millis(200));
    big_file(&host);
    for (command, prelude) in
        [("RETR big", "TYPE I"), ("RETR big", "TYPE A"), ("STOR f", "TYPE I"), ("STOR f", "TYPE A")]
    {
        let mut client = Client::login(host.address());
        client.expect(prelude, 200);
        let _stream = client.open_passive();
        client.expect(command, 150);
        assert_eq!(client.reply().0, 426, "{command} in {prelude}");
        client.expect("NOOP", 200);
    }
}

#[test]
fn bug_19_commands_during_a_transfer_keep_their_order() {
    let host = Host::start(|_| {});
    fs::write(host.root().join("f"), "content").unwrap();
    let mut client = Client::login(host.address());
    let port = client.passive();
    client.send("RETR f\r\nNOOP\r\nPWD\r\nSIZE f\r\nNOOP\r\nQUIT\r\n");
    assert_eq!((client.reply().0, client.reply().0), (150, 200));
    assert_eq!(read_all(data(port)), b"content");
    let rest: Vec<u16> = std::iter::from_fn(|| client.try_reply()).map(|reply| reply.0).collect();
    assert_eq!(rest, [226, 257, 213, 200, 221]);
}

#[test]
fn status_during_a_transfer() {
    let host = Host::start(|_| {});
    let (mut client, stream) = downloading(&host);
    assert!(client.expect("STAT", 211).contains("bytes so far"));
    drop(stream);
    assert_eq!(client.reply().0, 426);
}

// Limits.

#[test]
fn bug_20_time_limits() {
    let host = Host::start(|config| {
        config.limits.login = Duration::from_millis(300);
        config.limits.idle = Duration::from_millis(600);
    });
    let mut late = Client::connect(host.address());
    let mut idle = Client::login(host.address());
    let dribble = Client::connect(host.address());
    let start = Instant::now();
    while dribble.socket().write_all(b"x").is_ok() && start.elapsed() < Duration::from_secs(5) {
        thread::sleep(Duration::from_millis(20));
        if host.sessions() == 0 {
            break;
        }
    }
    assert_eq!(late.reply().0, 421);
    assert!(late.try_reply().is_none());
    assert_eq!(idle.reply().0, 421);
    host.until_sessions(0);
}

#[test]
fn bug_22_guesses_are_counted_and_slow() {
    let host = Host::start(|config| config.limits.failure_delay = Duration::from_millis(50));
    let mut client = Client::connect(host.address());
    let start = Instant::now();
    let mut texts = Vec::new();
    for name in ["user", "nobody", "user"] {
        client.expect(format!("USER {name}"), 331);
        texts.push(client.expect("PASS wrong", 530));
    }
    assert!(start.elapsed() >= Duration::from_millis(150));
    assert!(texts.windows(2).all(|pair| matches!(pair, [a, b] if a == b)), "{texts:?}");
    assert_eq!(client.reply().0, 421);
    assert!(client.try_reply().is_none());
}

#[test]
fn bug_20_too_many_connections() {
    let host = Host::start(|config| config.limits.connections = 2);
    let (first, mut second) = (Client::connect(host.address()), Client::connect(host.address6()));
    assert_eq!(Client::silent(host.address()).reply().0, 421);
    second.expect("NOOP", 200);
    drop(first);
    host.until_sessions(1);
    Client::connect(host.address());

    let host = Host::start(|config| config.limits.connections_per_address = Some(1));
    let _first = Client::connect(host.address());
    assert_eq!(Client::silent(host.address()).reply().0, 421);
    Client::connect(host.address6());
}

#[test]
fn bug_20_a_thousand_sessions_at_once() {
    let files = rustix::process::Resource::Nofile;
    let limit = rustix::process::getrlimit(files);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(files, raised).unwrap();
    let host = Host::start(|config| config.limits.connections = 1000);
    let mut clients: Vec<Client> = (0..1000).map(|_| Client::login(host.address())).collect();
    assert_eq!(host.sessions(), 1000);
    for client in &mut clients {
        client.expect("PWD", 257);
    }
    assert_eq!(Client::silent(host.address()).reply().0, 421);
    drop(clients);
    host.until_sessions(0);
}

#[test]
fn as_many_as_there_may_be_come_as_soon_as_others_have_gone() {
    const MOST: usize = 8;
    let host = Host::start(|config| config.limits.connections = MOST);
    for _ in 0..200 {
        let clients: Vec<Client> = (0..MOST).map(|_| Client::silent(host.address())).collect();
        for mut client in clients {
            assert_eq!(client.reply().0, 220);
            client.send("QUIT\r\n");
        }
        host.until_sessions(0);
    }
}

#[test]
fn a_server_that_is_dropped_leaves_nothing_behind() {
    let mut host = Host::start(|_| {});
    let mut client = Client::login(host.address());
    host.abandon();
    assert_eq!(client.try_reply_octets(), None);
    assert!(TcpStream::connect(host.address()).is_err());
}

#[test]
fn a_stop_tells_everybody_and_lets_transfers_end() {
    let mut host = Host::start(|config| config.limits.grace = Duration::from_secs(5));
    let mut idle = Client::login(host.address());
    let (mut busy, stream) = downloading(&host);
    let reader = thread::spawn(move || {
        assert_eq!(idle.reply().0, 421);
        let rest = read_all(stream).len() as u64;
        (rest, busy.reply().0, busy.reply().0)
    });
    host.stop();
    assert_eq!(reader.join().unwrap(), (BIG - 1000, 226, 421));
}

#[test]
fn bug_17_lines_of_any_length_and_number() {
    let host = Host::start(|_| {});
    let mut client = Client::connect(host.address());
    client.send(vec![b'A'; 64 * 1024]);
    client.expect("", 500);
    client.send("NOOP\r\n".repeat(10_000));
    for _ in 0..10_000 {
        assert_eq!(client.reply().0, 200);
    }
    let mut octets = Vec::new();
    for round in 0..2000u32 {
        octets.extend(round.wrapping_mul(2_654_435_761).to_le_bytes());
    }
    let mut noise = Client::connect(host.address());
    noise.send(&octets);
    noise.send("\r\nQUIT\r\n");
    while noise.try_reply().is_some() {}
}

// Names.

#[test]
fn bug_11_nothing_outside_the_root() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let host = Host::start(|_| {});
    let root = host.root();
    fs::create_dir(root.join("dir")).unwrap();
    symlink(outside.path(), root.join("absolute")).unwrap();
    symlink(outside.path().join("secret"), root.join("file")).unwrap();
    symlink("../../../../../../../../etc", root.join("dir/relative")).unwrap();
    symlink("dir", root.join("inside")).unwrap();
    let mut client = Client::login(host.address());
    for path in ["absolute", "dir/relative", "/absolute/../absolute"] {
        client.expect(format!("CWD {path}"), 550);
    }
    for path in ["absolute/secret", "file", "dir/relative/passwd", "../../etc/passwd", "/../etc/passwd"] {
        for command in ["SIZE", "MDTM"] {
            let reply = client.say(format!("{command} {path}"));
            assert!(reply.0 == 550 || path == "file" && command == "MDTM", "{command} {path}: {}", reply.1);
        }
        client.passive();
        client.expect(format!("RETR {path}"), 550);
        client.passive();
        client.expect(format!("STOR {path}"), 550);
    }
    client.expect("MKD absolute/new", 550);
    client.expect("RNFR dir", 350);
    client.expect("RNTO absolute/dir", 550);
    client.expect("CWD inside", 250);
    client.expect("CWD ../../../..", 250);
    assert!(client.expect("PWD", 257).contains("\"/\""));
    let port = client.passive();
    client.send("LIST\r\n");
    let listing = String::from_utf8(read_all(data(port))).unwrap();
    assert!(!listing.contains(outside.path().to_str().unwrap()) && !listing.contains("->"), "{listing}");
    assert_eq!((client.reply().0, client.reply().0), (150, 226));
    // The link itself may go.
    client.expect("DELE file", 250);
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn bug_27_names_exactly_as_they_are_or_not_at_all() {
    let host = Host::start(|_| {});
    let mut client = Client::login(host.address());
    let long = "n".repeat(255);
    for name in
        ["a \"quoted\" name", " leading and trailing ", "back\\slash", "...", "~", "-la", "*", "\u{fc}\u{202e}", &long]
    {
        let port = client.passive();
        client.send(format!("STOR {name}\r\n"));
        send_all(data(port), name.as_bytes());
        assert_eq!((client.reply().0, client.reply().0), (150, 226), "{name}");
        assert_eq!(fs::read(host.root().join(name)).unwrap(), name.as_bytes());
        client.expect(format!("DELE {name}"), 250);
    }
    for name in [&b"nul\0"[..], b"cr\r\0x", &[b'n'; 256], &b"d/".repeat(3000)] {
        client.passive();
        let stor = [b"STOR ", name].concat();
        client.expect(&stor, 553);
        client.expect([b"MKD ", name].concat(), 550);
        client.expect([b"RETR ", name].concat(), 425);
    }
    let quoted = client.expect("MKD say \"hi\"", 257);
    assert!(quoted.contains("\"/say \"\"hi\"\"\""), "{quoted}");
    assert_eq!(fs::read_dir(host.root()).unwrap().count(), 1);
}
