//! FTP over TLS (RFC 4217), with clients that mean well and others, against the real host.

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
#[path = "support/secure.rs"]
mod secure;

use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use std::{fs, thread};

use client::{Client, Control, until};
use host::Host;
use rcgen::{KeyPair, PKCS_ED25519};
use rustls::version::{TLS12, TLS13};
use secure::{Authority, Secure, VERSIONS, closed, wrap};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use wasi_ftpd_host::config::{ClientCertificates, Identities, SessionReuse, Tls, TlsPolicy};

/// A server with a certificate, implicit TLS too, and whatever `change` wants.
struct Protected {
    host: Host,
    authority: Authority,
    directory: TempDir,
}

impl Protected {
    fn start(change: impl FnOnce(&mut Tls)) -> Self {
        Self::start_with(|_, _, tls| change(tls))
    }

    fn start_with(change: impl FnOnce(&Authority, &TempDir, &mut Tls)) -> Self {
        let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
        let host = Host::start(|config| {
            let mut tls = authority.tls(directory.path());
            tls.implicit_listen = vec!["127.0.0.1:0".parse().unwrap()];
            change(&authority, &directory, &mut tls);
            config.tls = Some(tls);
            config.limits.data_connection = Duration::from_secs(2);
            config.limits.login = Duration::from_secs(3);
        });
        Self { host, authority, directory }
    }

    fn address(&self) -> SocketAddr {
        self.host.address()
    }

    fn login(&self) -> Secure {
        Secure::explicit(self.address(), self.authority.client(&TLS13)).login()
    }
}

fn content() -> Vec<u8> {
    (0..3_000_000_u32).flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn files_and_listings_both_ways() {
    let server = Protected::start(|tls| tls.session_reuse = SessionReuse::Enforce);
    let content = content();
    for version in VERSIONS {
        for implicit in [false, true] {
            let config = server.authority.client(version);
            let mut client = match implicit {
                false => Secure::explicit(server.address(), config),
                true => Secure::implicit(server.host.implicit_address(), config),
            }
            .login();
            for passive in [true, false] {
                client.store(passive, "STOR f", &content);
                assert_eq!(fs::read(server.host.root().join("f")).unwrap(), content);
                assert!(client.receive(passive, "RETR f") == content);
                let listing = String::from_utf8(client.receive(passive, "LIST")).unwrap();
                assert!(listing.contains(" 12000000 ") && listing.contains(" f\r\n"), "{listing}");
                client.store(passive, "STOR empty", b"");
                assert!(client.receive(passive, "RETR empty").is_empty());
                client.expect("TYPE A", 200);
                client.store(passive, "STOR text", b"one\r\ntwo\r\n");
                assert_eq!(client.receive(passive, "RETR text"), b"one\r\ntwo\r\n");
                client.expect("TYPE I", 200);
                client.expect("REST 5", 350);
                assert!(client.receive(passive, "RETR f") == content[5..]);
            }
            client.expect("QUIT", 221);
            // To the close_notify.
            assert_eq!(client.stream.read(&mut [0]).unwrap(), 0);
        }
    }
    server.host.until_sessions(0);
}

#[test]
fn active_connections_come_from_the_port_below() {
    // An address that nobody else uses, so that the port is free: 989 beside 990 (RFC 959 §8).
    let server = Protected::start(|tls| tls.implicit_listen = vec!["127.9.9.0:0".parse().unwrap()]);
    fs::write(server.host.root().join("f"), "content").unwrap();
    let control = server.host.implicit_address();
    for version in VERSIONS {
        let mut client = Secure::implicit(control, server.authority.client(version)).login();
        for _ in 0..2 {
            let mine = client.active();
            client.send("RETR f\r\n");
            let (socket, peer) = mine.accept().unwrap();
            assert_eq!(peer, SocketAddr::new(control.ip(), control.port() - 1));
            let mut content = Vec::new();
            client.wrap(socket).read_to_end(&mut content).unwrap();
            assert_eq!(content, b"content");
            assert_eq!((client.reply().0, client.reply().0), (150, 226));
        }
    }
}

#[test]
fn many_small_files_over_one_session() {
    let server = Protected::start(|tls| tls.session_reuse = SessionReuse::Enforce);
    for version in VERSIONS {
        let mut client = Secure::explicit(server.address(), server.authority.client(version)).login();
        for number in 0..60 {
            client.store(true, &format!("STOR {number}"), b"small");
            assert_eq!(client.receive(true, &format!("RETR {number}")), b"small");
        }
    }
}

#[test]
fn nobody_logs_in_without_tls_where_it_is_required() {
    for policy in [TlsPolicy::Required, TlsPolicy::RequiredForData] {
        let server = Protected::start(|tls| tls.policy = policy);
        let mut clear = Client::connect(server.address());
        assert!(matches!(clear.say("USER user").0, 530..=534));
        assert!(matches!(clear.say("PASS secret").0, 503 | 530..=534));
        let mut client = server.login();
        fs::write(server.host.root().join("f"), "content").unwrap();
        assert_eq!(client.receive(true, "RETR f"), b"content");
        if policy == TlsPolicy::RequiredForData {
            client.expect("PROT C", 534);
        } else {
            client.expect("PROT C", 200);
            let port = client.passive();
            client.send("RETR f\r\n");
            assert_eq!(client::read_all(client::data(port)), b"content");
        }
    }
}

#[test]
fn bug_26_an_upload_without_close_notify_is_cut_short() {
    for version in VERSIONS {
        let server = Protected::start(|_| {});
        let mut client = Secure::explicit(server.address(), server.authority.client(version)).login();
        for command in ["STOR f", "STOR f"] {
            let mut stream = client.open(true, command);
            stream.write_all(&[1; 100_000]).unwrap();
            stream.flush().unwrap();
            stream.sock.shutdown(Shutdown::Write).unwrap();
            assert_eq!(client.reply().0, 150);
            assert_eq!(client.reply().0, 426);
            assert!(!server.host.root().join("f").exists());
            closed(&stream.sock);
        }
        // Text goes another way.
        client.expect("TYPE A", 200);
        let mut stream = client.open(true, "STOR text");
        stream.write_all(b"one\r\n").unwrap();
        stream.flush().unwrap();
        stream.sock.shutdown(Shutdown::Write).unwrap();
        assert_eq!((client.reply().0, client.reply().0), (150, 426));
        assert!(!server.host.root().join("text").exists());
    }
}

#[test]
fn an_upload_without_close_notify_is_whole_where_the_operator_says_so() {
    let server = Protected::start(|tls| tls.close_notify = false);
    let content = content();
    for version in VERSIONS {
        let mut client = Secure::explicit(server.address(), server.authority.client(version)).login();
        for (content, gone) in [(&b"content"[..], false), (b"content", true), (&content, true)] {
            let mut stream = client.open(true, "STOR f");
            stream.write_all(content).unwrap();
            stream.flush().unwrap();
            stream.sock.shutdown(Shutdown::Write).unwrap();
            // Closed: it resets what the server says to it.
            let open = (!gone).then_some(stream);
            assert_eq!((client.reply().0, client.reply().0), (150, 226));
            drop(open);
            assert!(fs::read(server.host.root().join("f")).unwrap() == content);
        }
        // Not in the middle of a record.
        let mut stream = client.open(true, "STOR cut");
        stream.write_all(b"content").unwrap();
        stream.flush().unwrap();
        stream.sock.write_all(b"\x17\x03\x03\x01").unwrap();
        stream.sock.shutdown(Shutdown::Write).unwrap();
        assert_eq!((client.reply().0, client.reply().0), (150, 426));
        assert!(!server.host.root().join("cut").exists());
    }
}

#[test]
fn uploads_of_clients_that_never_read() {
    let content = content();
    for (reuse, times) in [(SessionReuse::Allow, 5), (SessionReuse::Enforce, 1)] {
        let server = Protected::start(|tls| tls.session_reuse = reuse);
        for version in VERSIONS {
            let mut client = Secure::explicit(server.address(), server.authority.client(version)).login();
            for content in [&content[..], b"content"].repeat(times) {
                let mut stream = client.open(true, "STOR f");
                stream.write_all(content).unwrap();
                stream.conn.send_close_notify();
                stream.flush().unwrap();
                // With anything unread, such as a ticket, that is a reset.
                drop(stream);
                assert_eq!((client.reply().0, client.reply().0), (150, 226), "{reuse:?}");
                assert!(fs::read(server.host.root().join("f")).unwrap() == content);
            }
        }
    }
}

#[test]
fn downloads_of_clients_that_are_slow_or_gone() {
    let server = Protected::start(|_| {});
    let content = content();
    fs::write(server.host.root().join("f"), &content).unwrap();
    let mut client = server.login();
    let mut stream = client.open(true, "RETR f");
    let mut octets = Vec::new();
    while octets.len() < content.len() {
        let mut piece = vec![0; 300_000];
        let count = stream.read(&mut piece).unwrap();
        assert_ne!(count, 0);
        octets.extend_from_slice(&piece[..count]);
        if octets.len() % 7 == 0 {
            thread::sleep(Duration::from_millis(5));
        }
    }
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert!(octets == content);
    assert_eq!((client.reply().0, client.reply().0), (150, 226));

    let mut stream = client.open(true, "RETR f");
    stream.read_exact(&mut octets[..1000]).unwrap();
    drop(stream);
    assert_eq!((client.reply().0, client.reply().0), (150, 426));
    // Stopped by the client: no close_notify, so that a part is not taken for the whole.
    let mut stream = client.open(true, "RETR f");
    stream.read_exact(&mut octets[..1000]).unwrap();
    assert_eq!(client.reply().0, 150);
    client.expect("ABOR", 426);
    assert_eq!(client.reply().0, 226);
    assert!(stream.read_to_end(&mut Vec::new()).is_err());
    assert_eq!(client.receive(false, "RETR f").len(), content.len());
}

#[test]
fn clients_that_know_the_end_by_themselves() {
    let server = Protected::start(|_| {});
    fs::write(server.host.root().join("f"), content()[..3000].repeat(2)).unwrap();
    for version in VERSIONS {
        let mut client = Secure::explicit(server.address(), server.authority.client(version)).login();
        for mode in ["B", "C", "Z"] {
            client.expect(format!("MODE {mode}"), 200);
            let mut octets = client.receive(true, "RETR f");
            for _ in 0..100 {
                let mut stream = client.open(true, "RETR f");
                stream.read_exact(&mut octets).unwrap();
                // What the server says to end TLS is not waited for (lftp).
                stream.conn.send_close_notify();
                stream.flush().unwrap();
                drop(stream);
                assert_eq!((client.reply().0, client.reply().0), (150, 226), "MODE {mode}");
            }
        }
    }
}

#[test]
fn bug_03_a_thief_with_a_session_of_its_own() {
    for reuse in [SessionReuse::Enforce, SessionReuse::Allow, SessionReuse::Off] {
        for version in VERSIONS {
            let server = Protected::start(|tls| tls.session_reuse = reuse);
            fs::write(server.host.root().join("f"), "content").unwrap();
            let victim_config = server.authority.client(version);
            let mut victim = Secure::explicit(server.address(), victim_config).login();
            let mut thief = Secure::explicit(server.address(), server.authority.client(version)).login();
            // Has tickets, of control and data connections.
            assert_eq!(thief.receive(true, "RETR f"), b"content");
            let port = victim.passive();
            let mut stolen = thief.wrap(client::data(port));
            victim.send("RETR f\r\n");
            let mut octets = Vec::new();
            let read = stolen.read_to_end(&mut octets);
            assert_eq!(victim.reply().0, 150);
            if reuse == SessionReuse::Enforce {
                assert!(read.is_err() || octets.is_empty());
                assert_eq!(victim.reply().0, 522);
            } else {
                assert_eq!(octets, b"content");
                assert_eq!(victim.reply().0, 226);
            }
            assert_eq!(victim.receive(true, "RETR f"), b"content");
        }
    }
}

#[test]
fn handshakes_that_never_end() {
    let server = Protected::start(|_| {});
    let begun = Instant::now();
    let silent: Vec<_> = (0..20).map(|_| TcpStream::connect(server.host.implicit_address()).unwrap()).collect();
    let mut dribbling = TcpStream::connect(server.host.implicit_address()).unwrap();
    let mut explicit = Client::connect(server.address());
    explicit.expect("AUTH TLS", 234);
    explicit.send("\x16");
    // Meanwhile others are served.
    fs::write(server.host.root().join("f"), "content").unwrap();
    let mut client = server.login();
    let port = client.passive();
    client.send("RETR f\r\n");
    let data = TcpStream::connect(port).unwrap();
    assert_eq!(client.reply().0, 150);
    assert!(matches!(client.reply().0, 425 | 522));
    assert!(closed(&data));
    assert_eq!(client.receive(true, "RETR f"), b"content");
    for octet in b"\x16\x03\x01\x02\x00\x01" {
        let _ = dribbling.write_all(&[*octet]);
        thread::sleep(Duration::from_millis(50));
    }
    for socket in silent.iter().chain([&dribbling, explicit.socket()]) {
        assert!(closed(socket));
    }
    assert!(begun.elapsed() < Duration::from_secs(15));
    client.expect("QUIT", 221);
    server.host.until_sessions(0);
}

#[test]
fn what_is_not_tls_ends_the_session() {
    let server = Protected::start(|_| {});
    let request = "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n";
    let mut implicit = TcpStream::connect(server.host.implicit_address()).unwrap();
    implicit.write_all(request.as_bytes()).unwrap();
    assert!(closed(&implicit));
    let mut explicit = Client::connect(server.address());
    explicit.expect("AUTH TLS", 234);
    explicit.send(request);
    assert!(closed(explicit.socket()));
    server.host.until_sessions(0);
}

#[test]
fn bug_05_commands_before_the_handshake_are_not_run() {
    let server = Protected::start(|_| {});
    let mut client = Client::connect(server.address());
    client.send("AUTH TLS\r\nUSER user\r\nPASS secret\r\nDELE f\r\n");
    assert_eq!(client.reply().0, 234);
    let mut client = Secure::over(client, server.authority.client(&TLS13), "127.0.0.1");
    client.expect("PWD", 530);
}

#[test]
fn only_the_protocol_ftp() {
    let server = Protected::start(|_| {});
    for (protocols, accepted) in [(&["ftp"][..], true), (&["h2", "ftp"], true), (&["http/1.1"], false)] {
        let mut config = server.authority.client(&TLS13);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let mut client = Client::connect(server.address());
        client.expect("AUTH TLS", 234);
        let mut client = Secure::over(client, config, "127.0.0.1");
        assert_eq!(client.stream.get_mut().write_all(b"NOOP\r\n").is_ok() && accepted, accepted);
        if accepted {
            client.reply();
        } else {
            assert!(client.stream.read(&mut [0]).is_err());
        }
    }
}

#[test]
fn the_name_picks_the_certificate() {
    let server = Protected::start_with(|authority, directory, tls| {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let Identities::Files(files) = &mut tls.identities else { panic!("files") };
        files.push(authority.files(directory.path(), &["one.example"]));
        files.push(authority.files_with(directory.path(), &["two.example"], &key));
    });
    // Each client checks the name.
    for name in ["127.0.0.1", "one.example", "two.example"] {
        let mut client = Secure::explicit_to(server.address(), server.authority.client(&TLS13), name).login();
        fs::write(server.host.root().join("f"), "content").unwrap();
        assert_eq!(client.receive(true, "RETR f"), b"content");
    }
    // HOST does for clients that say no name.
    let mut config = server.authority.client(&TLS13);
    config.enable_sni = false;
    let mut client = Client::connect(server.address());
    client.expect("HOST three.example", 504);
    client.expect("HOST two.example", 220);
    client.expect("AUTH TLS", 234);
    Secure::over(client, config, "two.example").login();
}

#[test]
fn a_certificate_is_changed_under_live_sessions() {
    let server = Protected::start(|_| {});
    let content = content();
    fs::write(server.host.root().join("f"), &content).unwrap();
    let mut clients: Vec<_> = (0..100).map(|_| server.login()).collect();
    let old = clients[0].certificate();
    // One in the middle of a transfer.
    let mut stream = clients[0].open(true, "RETR f");
    let mut octets = vec![0; 1000];
    stream.read_exact(&mut octets).unwrap();

    // A half-written one changes nothing.
    let files = server.authority.files(server.directory.path(), &["127.0.0.1"]);
    let key = fs::read(&files.key).unwrap();
    fs::write(&files.key, &key[..50]).unwrap();
    thread::sleep(Duration::from_secs(5));
    assert_eq!(server.login().certificate(), old);
    fs::write(&files.key, &key).unwrap();
    until(|| server.login().certificate() != old, "the new certificate");

    stream.read_to_end(&mut octets).unwrap();
    assert!(octets == content);
    assert_eq!((clients[0].reply().0, clients[0].reply().0), (150, 226));
    for mut client in clients {
        assert!(client.receive(true, "LIST").ends_with(b" f\r\n"));
        assert_eq!(client.certificate(), old);
        client.expect("QUIT", 221);
    }
}

#[test]
fn what_is_stapled_to_the_certificate() {
    let staple = |number: u8| [b"\x30\x03\x0a\x01".as_slice(), &[number]].concat();
    let server = Protected::start_with(|_, directory, tls| {
        let Identities::Files(files) = &mut tls.identities else { panic!("files") };
        let response = directory.path().join("response.der");
        fs::write(&response, staple(1)).unwrap();
        files[0].ocsp = Some(response);
    });
    let seen = |implicit: bool, version| {
        let (config, staples) = server.authority.client_that_keeps_staples(version);
        match implicit {
            false => Secure::explicit(server.address(), config).login(),
            true => Secure::implicit(server.host.implicit_address(), config).login(),
        };
        staples.last()
    };
    for version in VERSIONS {
        assert_eq!((seen(false, version), seen(true, version)), (staple(1), staple(1)));
    }
    // They are renewed more often than certificates.
    fs::write(server.directory.path().join("response.der"), staple(2)).unwrap();
    until(|| seen(false, &TLS13) == staple(2), "the new response");
}

#[test]
fn commands_in_clear_again() {
    let server = Protected::start(|tls| tls.clear_commands = true);
    fs::write(server.host.root().join("f"), "content").unwrap();
    for polite in [true, false] {
        let mut secure = server.login();
        secure.expect("CCC", 200);
        // Who we are is still known, and what follows the close_notify is clear.
        let config = secure.config.clone();
        let socket = secure.socket().try_clone().unwrap();
        if polite {
            assert_eq!(secure.stream.read(&mut [0]).unwrap(), 0);
            let stream = secure.stream.get_mut();
            stream.conn.send_close_notify();
            let mut last = Vec::new();
            while stream.conn.wants_write() {
                stream.conn.write_tls(&mut last).unwrap();
            }
            last.extend_from_slice(b"NOOP\r\n");
            (&socket).write_all(&last).unwrap();
        } else {
            // To the end of the server's TLS.
            assert_eq!(secure.stream.read(&mut [0]).unwrap(), 0);
            (&socket).write_all(b"NOOP\r\n").unwrap();
        }
        let mut client = Client::from(socket);
        assert_eq!(client.reply().0, 200);
        // Data connections stay private.
        let port = client.passive();
        client.send("RETR f\r\n");
        let mut stream = wrap(&config, "127.0.0.1", client::data(port));
        let mut octets = Vec::new();
        stream.read_to_end(&mut octets).unwrap();
        assert_eq!(octets, b"content");
        assert_eq!((client.reply().0, client.reply().0), (150, 226));
    }
    let server = Protected::start(|_| {});
    server.login().expect("CCC", 534);
}

#[test]
fn a_client_certificate_in_the_place_of_a_password() {
    for required in [true, false] {
        let server = Protected::start_with(|authority, directory, tls| {
            let authorities = directory.path().join("authorities.pem");
            fs::write(&authorities, authority.pem()).unwrap();
            tls.client_certificates = Some(ClientCertificates { authorities, required });
        });
        fs::write(server.host.root().join("f"), "content").unwrap();
        let mut client = Secure::explicit(server.address(), server.authority.client_as("user"));
        client.expect("USER user", 232);
        client.expect("PBSZ 0", 200);
        client.expect("PROT P", 200);
        assert_eq!(client.receive(true, "RETR f"), b"content");
        // Another's does not do.
        let mut client = Secure::explicit(server.address(), server.authority.client_as("other"));
        client.expect("USER user", 331);
        client.expect("USER other", 331);
        // Nor one that nobody vouches for, or none.
        let mut config = server.authority.client(&TLS12);
        if required {
            let mut client = Client::connect(server.address());
            client.expect("AUTH TLS", 234);
            let mut client = Secure::over(client, config, "127.0.0.1");
            let _ = client.stream.get_mut().write_all(b"NOOP\r\n");
            assert!(client.stream.read(&mut [0]).is_err());
        } else {
            config.enable_sni = false;
            Secure::explicit(server.address(), config).login();
        }
    }
}

#[test]
fn nothing_works_without_tls_where_there_is_none() {
    let host = Host::start(|_| {});
    let mut client = Client::connect(host.address());
    assert!(matches!(client.say("AUTH TLS").0, 431 | 500..=504 | 534));
    client.expect("USER user", 331);
}

#[test]
fn a_self_signed_certificate() {
    let host = Host::start(|config| config.tls = Some(Tls::new(Identities::SelfSigned(None))));
    let fingerprint = host.fingerprint().unwrap();
    assert_eq!(fingerprint.split(':').count(), 32);
}

/// What instances have in their memories, and what follows these: whatever the engine maps from an image.
fn instance_memories() -> Vec<u8> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut memory = fs::File::open("/proc/self/mem").unwrap();
    let (mut octets, mut end_of_image) = (Vec::new(), 0);
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        // An image, and the pages that the memory has grown by.
        if rest.contains("wasm-memory-image") || rest.starts_with("rw") && from == end_of_image {
            end_of_image = to;
            let mut part = vec![0; usize::try_from(to - from).unwrap()];
            memory.seek(SeekFrom::Start(from)).unwrap();
            memory.read_exact(&mut part).unwrap();
            octets.extend(part);
        }
    }
    octets
}

#[test]
fn no_key_and_no_digest_of_a_password_in_an_instance() {
    let server = Protected::start(|_| {});
    let mut client = server.login();
    client.expect("MKD seen-by-the-instance", 257);
    let key =
        KeyPair::from_pem(&fs::read_to_string(server.directory.path().join("127.0.0.1.key.pem")).unwrap()).unwrap();
    let memories = instance_memories();
    let holds = |part: &[u8]| memories.windows(part.len()).any(|window| window == part);
    assert!(holds(b"seen-by-the-instance"), "this is the memory of the session");
    // The scalar in the middle of the key, and the digest that the host keeps of the password.
    assert!(!holds(&key.serialize_der()[36..60]));
    assert!(!holds(&Sha256::digest(b"secret")[..16]));
}
