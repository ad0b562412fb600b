//! The whole server as one component, under the wasmtime CLI as a user would start it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/client.rs"]
mod client;
#[path = "support/command.rs"]
mod command;
#[path = "support/over_tcp.rs"]
mod over_tcp;
#[path = "support/process.rs"]
mod process;
#[path = "support/transcript.rs"]
mod transcript;

use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::process::Output;
use std::time::{Duration, Instant, UNIX_EPOCH};
use std::{fs, thread};

use client::{Client, Control, PATIENCE, data, read_all, send_all, stranger, until};
use command::NOT_OFFERED;
use over_tcp::OverTcp;
use process::Serve;
use tempfile::{TempDir, tempdir};

/// A server for `user` with `secret`, who may write, and for anonymous. `None`: the test is skipped.
fn start(options: &[&str]) -> Option<(Serve, TempDir)> {
    let root = tempdir().unwrap();
    let mut command = command::serving(root.path())?;
    if !options.iter().any(|option| option.starts_with("--listen")) {
        command.args(["--listen=127.0.0.1:0", "--listen=[::1]:0"]);
    }
    command.args(["--user=user:secret", "--writable", "--anonymous", "--log=off"]).args(options);
    Some((Serve::run(&mut command), root))
}

#[test]
fn transcripts() {
    if command::command(&[]).is_none() {
        return;
    }
    transcript::run_all(|ip: IpAddr| {
        let listen = format!("--listen={}", SocketAddr::new(ip, 0));
        let (serve, root) = start(&[&listen]).unwrap();
        let (address, path) = (serve.address(), root.path().to_owned());
        OverTcp::new(address, path, Box::new((serve, root))).without(NOT_OFFERED.map(|(what, _)| what))
    });
}

// What it is given, and what not.

fn output(runtime: &[&str], options: &[&str]) -> Option<(Output, String)> {
    let output = command::command(runtime)?.args(options).output().unwrap();
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    Some((output, said))
}

#[test]
fn help_needs_no_rights() {
    let Some((output, said)) = output(&[], &["--help"]) else { return };
    assert!(output.status.success() && said.is_empty(), "{said}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("\nUsage: wasmtime run "));
}

#[test]
fn what_the_runtime_withholds_is_one_line_that_says_what_to_do() {
    let (root, conf) = (tempdir().unwrap(), tempdir().unwrap());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _taken = TcpListener::bind(taken).unwrap();
    let taken = format!("--listen={taken}");
    fs::write(conf.path().join("users"), "anna:secret\n").unwrap();
    let (served, other) = (format!("{}::/", root.path().display()), format!("{}::/conf", conf.path().display()));
    let network = ["-S", "inherit-network", "--dir", &*served];
    for (runtime, options, hint) in [
        (&[][..], &["--listen=127.0.0.1:0"][..], "--dir DIR::/ "),
        (&["--dir", &*other], &["--listen=127.0.0.1:0"], "--dir DIR::/ (given: /conf)"),
        (&["--dir", &*served], &[], "-S inherit-network"),
        (&["--dir", &*served], &["--listen=[::1]:2121"], "-S inherit-network"),
        (&["-S", "inherit-network,tcp=n", "--dir", &*served], &["--listen=127.0.0.1:0"], "tcp=n"),
        (&network, &[&*taken], "another program has that port"),
        (&network, &["--listen=192.0.2.1:2121"], "no such address"),
        (&network, &["--writable"], "add --user NAME"),
        (&network, &["--users=/conf/users"], "--dir CONF::/conf"),
        (&network, &["--users=/users"], "only to be served"),
        (&[&network[..], &["--dir", &*other]].concat(), &["--users=/conf/none"], "/conf/none: cannot be opened"),
        (&[&network[..], &["--dir", &*other]].concat(), &["--users=/conf/users"], "line 1: that is no hash"),
    ] {
        let Some((output, said)) = output(runtime, options) else { return };
        assert!(!output.status.success());
        assert!(said.lines().count() == 1 && said.contains(hint), "{runtime:?} {options:?}: {said}");
    }
}

#[test]
fn users_of_a_file() {
    // What `openssl passwd -6 -salt saltsalt secret` prints.
    const HASH: &str =
        "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1";
    let (root, conf) = (tempdir().unwrap(), tempdir().unwrap());
    fs::write(conf.path().join("users"), format!("anna:{HASH}\nbert:{HASH}:rw\n")).unwrap();
    let directories = [&root, &conf].map(|directory| directory.path().display().to_string());
    let [served, conf] = [format!("{}::/", directories[0]), format!("{}::/conf", directories[1])];
    let Some(mut command) = command::command(&["-S", "inherit-network", "--dir", &served, "--dir", &conf]) else {
        return;
    };
    let serve = Serve::run(command.args(["--listen=127.0.0.1:0", "--users=/conf/users", "--log=off"]));
    for (name, password, code, may_write) in [
        ("anna", "secret", 230, 550),
        ("bert", "secret", 230, 257),
        ("anna", "Secret", 530, 530),
        ("carl", "secret", 530, 530),
        ("ftp", "x", 530, 530),
    ] {
        let mut client = Client::connect(serve.address());
        client.expect(format!("USER {name}"), 331);
        client.expect(format!("PASS {password}"), code);
        client.expect("MKD d", may_write);
        client.expect("SIZE /conf/users", if code == 230 { 550 } else { 530 });
    }
}

#[test]
fn a_generated_password_is_shown_once_and_works() {
    let root = tempdir().unwrap();
    let Some(mut command) = command::serving(root.path()) else { return };
    let serve = Serve::run(command.args(["--listen=127.0.0.1:0", "--user=anna", "--log=off"]));
    let password = serve.introduction.split("with password ").nth(1).unwrap().split(' ').next().unwrap();
    let mut client = Client::connect(serve.address());
    client.expect("USER anna", 331);
    client.expect(format!("PASS {password}"), 230);
    client.expect("MKD d", 550);
}

// Whom it lets do what.

#[test]
fn bug_01_no_packet_to_a_third_party_and_none_before_the_transfer() {
    let Some((serve, root)) = start(&[]) else { return };
    fs::write(root.path().join("f"), "content").unwrap();
    let (third, mine) = (TcpListener::bind("127.0.0.2:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = third.local_addr().unwrap().port();
    let mut client = Client::login(serve.address());
    client.expect(format!("EPRT |1|127.0.0.2|{port}|"), 504);
    client.expect("EPRT |1|127.0.0.1|1023|", 504);
    client.expect("RETR f", 425);
    client.expect(format!("EPRT |1|127.0.0.1|{}|", mine.local_addr().unwrap().port()), 200);
    client.expect("NOOP", 200);
    for listener in [&third, &mine] {
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    mine.set_nonblocking(false).unwrap();
    client.send("RETR f\r\n");
    assert_eq!(read_all(mine.accept().unwrap().0), b"content");
}

#[test]
fn active_connections_come_from_the_data_port() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let Some((serve, root)) = start(&[&format!("--active-port={port}")]) else { return };
    fs::write(root.path().join("f"), "content").unwrap();
    // One after the other and at once: the port is shared.
    let mut clients = [Client::login(serve.address()), Client::login(serve.address())];
    for _ in 0..2 {
        let open = clients.each_mut().map(|client| {
            let mine = TcpListener::bind("127.0.0.1:0").unwrap();
            client.expect(format!("EPRT |1|127.0.0.1|{}|", mine.local_addr().unwrap().port()), 200);
            client.send("RETR f\r\n");
            mine.accept().unwrap()
        });
        for ((stream, peer), client) in open.into_iter().zip(&mut clients) {
            assert_eq!((peer.port(), client.reply().0), (port, 150));
            assert_eq!((read_all(stream), client.reply().0), (b"content".to_vec(), 226));
        }
    }
}

#[test]
fn bug_03_a_stranger_on_a_passive_port() {
    let Some((serve, root)) = start(&[]) else { return };
    fs::write(root.path().join("f"), "for the client alone").unwrap();
    let mut client = Client::login(serve.address());
    let port = client.passive();
    // More than wait in any queue.
    let strangers: Vec<TcpStream> = (0..200).map(|_| stranger(port).unwrap()).collect();
    client.expect("RETR f", 150);
    let late = stranger(port).unwrap();
    assert_eq!(read_all(data(port)), b"for the client alone");
    assert_eq!(client.reply().0, 226);
    for mut stranger in strangers.into_iter().chain([late]) {
        stranger.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(!matches!(stranger.read(&mut [0; 100]), Ok(1..)), "a stranger got data");
    }
}

#[test]
fn bug_20_limits() {
    let limits = ["--max-connections=2", "--login-timeout=1", "--idle-timeout=2", "--stall-timeout=1"];
    let Some((serve, root)) = start(&limits) else { return };
    fs::File::create(root.path().join("big")).unwrap().set_len(BIG).unwrap();
    let (mut late, mut idle) = (Client::connect(serve.address()), Client::login(serve.address()));
    assert_eq!(Client::silent(serve.address()).reply().0, 421);
    assert_eq!((late.reply().0, late.try_reply()), (421, None));
    // What transfers is not idle, but it must move; and its end is the beginning of another rest.
    for command in ["RETR big", "STOR f"] {
        let _stream = idle.open_passive();
        idle.expect(command, 150);
        assert_eq!(idle.reply().0, 426, "{command}");
    }
    assert_eq!((idle.reply().0, idle.try_reply()), (421, None));
    Client::connect(serve.address());

    let Some((serve, _root)) = start(&["--max-connections-per-address=1"]) else { return };
    let _first = Client::connect(serve.address());
    assert_eq!(Client::silent(serve.address()).reply().0, 421);
    Client::connect(serve.addresses[1].parse().unwrap());
}

#[test]
fn bug_22_guesses_are_counted_and_slow() {
    let Some((serve, _root)) = start(&[]) else { return };
    let mut client = Client::connect(serve.address());
    let start = Instant::now();
    let mut texts = Vec::new();
    for name in ["user", "nobody", "user"] {
        client.expect(format!("USER {name}"), 331);
        texts.push(client.expect("PASS wrong", 530));
    }
    assert!(start.elapsed() >= Duration::from_millis(1500));
    assert!(texts.windows(2).all(|pair| pair[0] == pair[1]), "{texts:?}");
    assert_eq!((client.reply().0, client.try_reply()), (421, None));
}

#[test]
fn bug_19_an_upload_cut_short_is_not_seen() {
    let Some((serve, root)) = start(&[]) else { return };
    let mut client = Client::login(serve.address());
    let mut stream = client.open_passive();
    client.expect("STOR f", 150);
    stream.write_all(b"some").unwrap();
    until(|| fs::read(root.path().join(".in.f.")).is_ok_and(|content| content == b"some"), "the octets to arrive");
    // A process that is killed: its kernel closes the sockets in this order, and no reply must be 226.
    let mut control = client.socket().try_clone().unwrap();
    control.shutdown(std::net::Shutdown::Write).unwrap();
    drop(stream);
    let mut replies = String::new();
    control.read_to_string(&mut replies).unwrap();
    assert!(!replies.contains("226") && !root.path().join("f").exists(), "{replies}");
    // Two who write one name do not mix.
    let mut clients = [Client::login(serve.address()), Client::login(serve.address())];
    let streams = clients.each_mut().map(|client| {
        let stream = client.open_passive();
        client.expect("STOR f", 150);
        stream
    });
    for (stream, octets) in streams.into_iter().zip([b"one", b"two"]) {
        send_all(stream, octets);
    }
    for client in &mut clients {
        assert_eq!(client.reply().0, 226);
    }
    assert!([b"one", b"two"].contains(&fs::read(root.path().join("f")).unwrap().as_slice().try_into().unwrap()));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
}

#[test]
fn what_wasi_has_no_words_for_is_refused_or_left_out() {
    let Some((serve, root)) = start(&[]) else { return };
    for name in [&b"\xff"[..], b"f"] {
        fs::write(root.path().join(OsStr::from_bytes(name)), "content").unwrap();
    }
    let old = fs::File::create(root.path().join("old")).unwrap();
    old.set_modified(UNIX_EPOCH - Duration::from_secs(1_000_000)).unwrap();
    let mut client = Client::login(serve.address());
    let stream = client.open_passive();
    client.expect("NLST", 150);
    assert_eq!(read_all(stream), b"f\r\nold\r\n");
    assert_eq!(client.reply().0, 226);
    client.expect(b"SIZE \xff", 550);
    client.expect(b"MKD \xfe", 550);
    assert!(client.expect("MDTM old", 213).contains("19700101000000"));
    for command in ["MFMT 19690101000000 f", "SITE CHMOD 600 f", "MFF UNIX.mode=0600; f", "SITE UMASK", "AVBL"] {
        client.expect(command, 504);
    }
    client.expect("ALLO 18446744073709551615", 200);
    let features = client.expect("FEAT", 211);
    for feature in ["AUTH", "AVBL", "CHMOD", "UMASK", "UNIX", "MFCT"] {
        assert!(!features.contains(feature), "{feature} in {features}");
    }
    // A pipe would be waited for, by everybody.
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    client.passive();
    client.expect("RETR pipe", 550);
    client.passive();
    client.expect("STOR pipe", 553);
}

// Nobody waits for anybody.

/// A file that no socket buffer holds, in octets.
const BIG: u64 = 200 << 20;

#[test]
fn whoever_does_not_read_keeps_nobody_waiting() {
    let Some((serve, root)) = start(&[]) else { return };
    fs::File::create(root.path().join("big")).unwrap().set_len(BIG).unwrap();
    let (mut deaf, mut other) = (Client::login(serve.address()), Client::login(serve.address()));
    // What the runtime has taken cannot be taken back from it: such a connection stays until its client goes, and
    // counts as its session's.
    let mut unread = Vec::new();
    while deaf.say("EPSV").0 == 229 {
        let stream = deaf.open_passive();
        deaf.expect("RETR big", 150);
        until(|| stalled(&mut deaf), "the transfer to stand still");
        deaf.expect("ABOR", 426);
        assert_eq!(deaf.reply().0, 226);
        unread.push(stream);
        assert!(unread.len() < 10, "there is no end to it");
        other.expect("NOOP", 200);
    }
    assert!(!unread.is_empty());
    unread.clear();
    until(|| deaf.say("EPSV").0 == 229, "a data connection to be free again");
    // A client that reads no replies.
    deaf.socket().set_nonblocking(true).unwrap();
    while deaf.socket().write_all(&b"HELP\r\n".repeat(1000)).is_ok() {}
    other.expect("NOOP", 200);
    drop(deaf);
    other.expect("NOOP", 200);
}

/// Whether as many octets have moved as a moment before.
fn stalled(client: &mut Client) -> bool {
    client.say("STAT").1 == client.say("STAT").1
}

#[test]
fn two_hundred_sessions_at_once_and_none_is_starved() {
    const SESSIONS: usize = 200;
    let Some((serve, root)) = start(&[]) else { return };
    let address = serve.address();
    let content: Vec<u8> = (0..8_000_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(root.path().join("f"), &content).unwrap();
    fs::File::create(root.path().join("big")).unwrap().set_len(BIG).unwrap();
    let mut clients: Vec<Client> = (0..SESSIONS).map(|_| Client::login(address)).collect();
    assert_eq!(Client::connect(address).say("NOOP").0, 200, "there is room for more");

    // Twenty that download, twenty that upload, twenty that begin to and then do nothing; and the others talk
    // meanwhile.
    let (busy, talking) = clients.split_at_mut(60);
    let content = &content;
    let slowest = thread::scope(|scope| {
        let transfers: Vec<_> = busy
            .iter_mut()
            .enumerate()
            .map(|(number, client)| {
                scope.spawn(move || {
                    let mut stream = client.open_passive();
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    match number % 3 {
                        0 => {
                            client.expect("RETR f", 150);
                            assert!(read_all(stream) == *content);
                            assert_eq!(client.reply().0, 226);
                        }
                        1 => {
                            client.expect(format!("STOR {number}"), 150);
                            send_all(stream, content);
                            assert_eq!(client.reply().0, 226);
                        }
                        _ => {
                            client.expect("RETR big", 150);
                            stream.read_exact(&mut [0; 1000]).unwrap();
                            // Kept until all others are done.
                            return Some(stream);
                        }
                    }
                    None
                })
            })
            .collect();
        let mut slowest = Duration::ZERO;
        while !transfers.iter().all(thread::ScopedJoinHandle::is_finished) {
            for client in talking.iter_mut() {
                let start = Instant::now();
                client.expect("PWD", 257);
                slowest = slowest.max(start.elapsed());
            }
        }
        let unread = transfers.into_iter().filter_map(|transfer| transfer.join().unwrap());
        assert_eq!(unread.count(), 20);
        slowest
    });
    eprintln!("the slowest reply beside 60 transfers took {slowest:?}");
    assert!(slowest < Duration::from_secs(5), "a session had to wait for {slowest:?}");
    for number in (1..60).step_by(3) {
        assert!(fs::read(root.path().join(number.to_string())).unwrap() == *content);
    }
    for client in talking {
        client.expect("QUIT", 221);
    }
}
