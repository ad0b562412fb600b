//! The hosts of `examples/python` and `examples/node`, with the same component as ours and with real clients.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/client.rs"]
mod control;
#[path = "support/guest.rs"]
mod guest;
#[path = "support/process.rs"]
mod process;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use control::{Client, Control, PATIENCE, data, read_all, send_all, stranger};
use process::{Serve, client, installed, run};
use tempfile::{TempDir, tempdir};
use wasi_ftpd_host::SESSION_COMPONENT;

/// A host in another language.
#[derive(Clone, Copy)]
enum Language {
    Python,
    Node,
}

use Language::{Node, Python};

/// One that serves, to `u` with `p` and to `user` with `secret`, and what it needs.
struct Plugin {
    serve: Serve,
    scratch: TempDir,
}

impl Plugin {
    /// `None`, which skips the test, if the language or its packages are not installed. In CI they must be.
    fn start(language: Language, listen: &str, component: &[u8]) -> Option<Self> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let examples = repository.join("examples");
        let scratch = tempdir().unwrap();
        let session = scratch.path().join("session.wasm");
        fs::write(&session, component).unwrap();
        let mut command = match language {
            Python => {
                let packages = repository.join("target/plugins");
                if !installed("wasmtime for Python", &packages.join("wasmtime")) {
                    return None;
                }
                let mut python = Command::new("python3");
                python.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
                python.arg(examples.join("python/main.py")).arg(&session).arg(scratch.path().join("files.sqlite"));
                python
            }
            Node => {
                let node = examples.join("node/node_modules/.bin/node");
                if !installed("node for examples/node", &node) {
                    return None;
                }
                let mut node = Command::new(node);
                node.arg(examples.join("node/main.mjs")).arg(&session);
                node
            }
        };
        command.args(["--user", "u:p", "--user", "user:secret", "--listen", listen]);
        let log = fs::File::create(scratch.path().join("log")).unwrap();
        Some(Self { serve: Serve::run(command.stderr(log)), scratch })
    }

    /// What it said of its sessions so far.
    fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("log")).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }
}

const IPV4: &str = "127.0.0.1:0";
const IPV6: &str = "[::1]:0";

/// Something to send that is another each time.
fn octets(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn ftplib(language: Language) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop/ftplib_session.py");
    for (listen, host) in [(IPV4, "127.0.0.1"), (IPV6, "::1")] {
        let Some(plugin) = Plugin::start(language, listen, SESSION_COMPONENT) else { return };
        for passive in ["1", "0"] {
            let Some(mut python) = client("python3") else { return };
            python.arg(&script).args([host, plugin.serve.port(0), passive]);
            if let Node = language {
                // It has no way to ask for urgent data in its place.
                python.env("LACKS", "urgent");
            }
            run(&mut python);
        }
        plugin.serve.stop();
    }
}

#[test]
fn ftplib_and_python() {
    ftplib(Python);
}

#[test]
fn ftplib_and_node() {
    ftplib(Node);
}

fn curl(language: Language) {
    let Some(plugin) = Plugin::start(language, IPV4, SESSION_COMPONENT) else { return };
    let octets = octets(1, 3_000_000);
    let (file, part) = (plugin.path("file"), plugin.path("part"));
    fs::write(&file, &octets).unwrap();
    let root = format!("ftp://u:p@{}/", plugin.serve.addresses[0]);
    for (number, mode) in
        [&["--ftp-pasv"][..], &["--disable-epsv"], &["--ftp-port", "-"], &["--disable-eprt", "--ftp-port", "-"]]
            .into_iter()
            .enumerate()
    {
        let directory = format!("{root}dir%20{number}/");
        let url = format!("{directory}a%20%23%ff%20name");
        let curl = |url: &str| {
            let mut curl = client("curl").expect("curl");
            curl.args(["-sS", "--max-time", "60"]).args(mode).arg(url);
            curl
        };
        run(curl(&url).arg("--ftp-create-dirs").arg("-T").arg(&file));
        assert!(run(&mut curl(&url)) == octets, "{mode:?}");
        // Resume down …
        fs::write(&part, &octets[..1_000_000]).unwrap();
        run(curl(&url).args(["-C", "-", "-o"]).arg(&part));
        assert!(fs::read(&part).unwrap() == octets);
        assert_eq!(run(curl(&url).args(["-r", "100-199"])), octets[100..200]);
        // … and up.
        fs::write(&part, &octets[..1_000_000]).unwrap();
        run(curl(&url).arg("-T").arg(&part));
        run(curl(&url).args(["-C", "-"]).arg("-T").arg(&file));
        assert!(run(&mut curl(&url)) == octets);
        assert_eq!(run(curl(&directory).arg("-l")), b"a #\xff name\n");
        let rename = [format!("RNFR dir {number}"), format!("RNTO moved {number}")];
        run(curl(&root).arg("-l").args(rename.iter().flat_map(|command| ["-Q", command])));
        assert!(run(&mut curl(&url.replace("dir", "moved"))) == octets);
    }
    plugin.serve.stop();
}

#[test]
fn curl_and_python() {
    curl(Python);
}

#[test]
fn curl_and_node() {
    curl(Node);
}

/// Many at once, each with files of its own: nobody gets what is another's.
fn many_sessions(language: Language) {
    let Some(plugin) = Plugin::start(language, IPV4, SESSION_COMPONENT) else { return };
    let address = plugin.serve.address();
    let sessions: Vec<_> = (0..SESSIONS)
        .map(|number| {
            thread::spawn(move || {
                let mut client = Client::login(address);
                let octets = octets(number, 300_000);
                for round in 0..3 {
                    client.expect(format!("MKD {number}-{round}"), 257);
                    let connection = client.open_passive();
                    client.expect(format!("STOR {number}-{round}/file"), 150);
                    send_all(connection, &octets);
                    assert_eq!(client.reply().0, 226);
                    let connection = client.open_passive();
                    client.expect(format!("RETR {number}-{round}/file"), 150);
                    assert!(read_all(connection) == octets);
                    assert_eq!(client.reply().0, 226);
                    let connection = client.open_passive();
                    client.expect(format!("NLST {number}-{round}"), 150);
                    assert_eq!(read_all(connection), format!("{number}-{round}/file\r\n").into_bytes());
                    assert_eq!(client.reply().0, 226);
                    client.expect(format!("DELE {number}-{round}/file"), 250);
                    client.expect(format!("RMD {number}-{round}"), 250);
                }
                client.expect("QUIT", 221);
            })
        })
        .collect();
    for session in sessions {
        session.join().unwrap();
    }
    plugin.serve.stop();
}

#[test]
fn many_sessions_and_python() {
    many_sessions(Python);
}

#[test]
fn many_sessions_and_node() {
    many_sessions(Node);
}

/// What the WIT leaves to the host.
fn rules(language: Language) {
    let Some(plugin) = Plugin::start(language, IPV4, SESSION_COMPONENT) else { return };
    let address = plugin.serve.address();
    let mut client = Client::connect(address);
    client.expect("USER user", 331);
    client.expect("PASS wrong", 530);
    client.expect("USER stranger", 331);
    client.expect("PASS secret", 530);
    let mut client = Client::login(address);

    // A stranger is turned away, and the client still served.
    let port = client.passive();
    let mut turned_away = stranger(port).unwrap();
    turned_away.set_read_timeout(Some(PATIENCE)).unwrap();
    let connection = data(port);
    client.expect("STOR file", 150);
    assert!(matches!(turned_away.read(&mut [0]), Ok(0) | Err(_)), "closed");
    send_all(connection, b"content");
    assert_eq!(client.reply().0, 226);

    // A connection that breaks is no end of a file: what was there stays. (More than the kernel holds, so that some
    // of it has been taken.)
    let mut connection = client.open_passive();
    client.expect("STOR file", 150);
    connection.write_all(&vec![0; 16 * 1024 * 1024]).unwrap();
    socket2::SockRef::from(&connection).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(connection);
    assert_eq!(client.reply().0, 426);
    let connection = client.open_passive();
    client.expect("RETR file", 150);
    assert_eq!(read_all(connection), b"content");
    assert_eq!(client.reply().0, 226);

    // Neither to another machine nor to a service.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let [high, low] = listener.local_addr().unwrap().port().to_be_bytes();
    for to in [format!("PORT 127,0,0,2,{high},{low}"), "PORT 127,0,0,1,3,255".to_owned()] {
        assert!(client.say(to).0 >= 500);
    }
    client.expect(format!("PORT 127,0,0,1,{high},{low}"), 200);
    client.expect("RETR file", 150);
    assert_eq!(read_all(listener.accept().unwrap().0), b"content");
    assert_eq!(client.reply().0, 226);
    for checksum in ["XCRC file", "XSHA256 file"] {
        client.expect(checksum, 250);
    }

    // Those that have half closed still get their replies; and whoever is there at the end is told.
    let mut leaving = Client::login(address);
    leaving.send("NOOP\r\nQUIT\r\n");
    leaving.socket().shutdown(Shutdown::Write).unwrap();
    assert_eq!((leaving.reply().0, leaving.reply().0), (200, 221));
    assert!(leaving.try_reply().is_none());
    plugin.serve.stop();
    assert_eq!(client.reply().0, 421);
    assert!(client.try_reply().is_none());
}

#[test]
fn rules_of_python() {
    rules(Python);
}

#[test]
fn rules_of_node() {
    rules(Node);
}

/// A guest that fails loses its session, and is told from one that ended; the server goes on.
#[track_caller]
fn loses_its_session(language: Language, body: &str, why: &str) {
    let Some(plugin) = Plugin::start(language, IPV4, &guest::guest(body)) else { return };
    for _ in 0..2 {
        let mut client = Client::silent(plugin.serve.address());
        assert_eq!(client.reply().0, 421);
        assert!(client.try_reply().is_none());
    }
    let log = plugin.log();
    assert!(log.contains(why), "{log}");
    plugin.serve.stop();
}

/// What neither the size of a memory nor a clock can say no to.
const FAILING: [(&str, &str); 4] = [
    ("unreachable", "unreachable"),
    ("i32.const 1", "session failed"),
    ("(call $deep)", "stack"),
    ("(loop (drop (call $get)) (br 0)) unreachable", "too many handles"),
];

#[test]
fn guests_that_fail_in_python() {
    for (body, why) in FAILING {
        loses_its_session(Python, body, why);
    }
    loses_its_session(Python, "(loop (br 0)) unreachable", "interrupt");
    let grow = "(loop (br_if 0 (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)))) unreachable";
    loses_its_session(Python, grow, "unreachable");
}

#[test]
fn guests_that_fail_in_node() {
    for (body, why) in FAILING {
        loses_its_session(Node, body, why);
    }
}

/// Sessions at once.
const SESSIONS: u32 = 20;
