//! Transcripts: what a client says and must hear, run against any server.
//!
//! ```text
//! only memory                 skip it elsewhere
//! needs modes                 what follows is for servers alone that have it (`Server::has`)
//! over ipv6                   the control connection, which is over IPv4 without it
//! tls allowed                 what the operator offers (memory, where TLS is nothing real);  tls required …
//! charset koi8-r              of pathnames, as an operator configures it (memory)
//! given file /p "content"     also: given dir /p, given link /p (which leads nowhere)
//! login                       USER user, PASS secret;  anonymous: USER anonymous
//! C: LINE                     send a line; escapes \r \n \0 \\ \" \xNN
//! raw: "octets"               send octets as they are
//! S: 257 text                 a reply of that code, in which the text occurs, if there is one
//! S| text                     a whole line of that reply, without its code;  S~ text: in which it occurs
//! passive                     EPSV, and connect;  active: EPRT, and listen
//! deaf                        EPRT of a port where nobody listens
//! data: "octets"              what comes over the data connection, to its end;  data~ text: in which it occurs
//! send: "octets"              send, then end of file;  send+: without it
//! moved 4                     STAT, until so many octets of the transfer have moved
//! reset                       break the data connection
//! closed                      the server closes the control connection; else it must be ready for QUIT
//! then file /p "content"      what is stored;  then dir /p;  then missing /p
//! fault io                    reads and writes fail from now on (memory);  fault full;  fault busy: so does opening
//! ending idle                 the host ends the session (memory);  ending shutdown
//! ```

use std::fmt::Debug;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// What a transcript is run against: a server with a client connected, who has not been greeted yet. It
/// knows `user` with `secret`, who may do everything, and anonymous, who may read.
pub trait Server {
    /// What `only` calls it.
    const NAME: &'static str;

    /// Send octets over the control connection.
    fn send(&mut self, octets: &[u8]);
    /// A reply, all of its lines; `None` if there is none.
    fn reply(&mut self) -> Option<Vec<u8>>;
    /// Whether the server has closed the control connection, and nothing came before that.
    fn is_closed(&mut self) -> bool;
    /// Listen for an active data connection, and where.
    fn listen(&mut self) -> SocketAddr;
    /// Where nobody listens.
    fn not_listening(&mut self) -> SocketAddr;
    /// Open a passive data connection.
    fn connect(&mut self, port: u16);
    /// Send over the data connection.
    fn send_data(&mut self, octets: &[u8], end: bool);
    /// What comes over the data connection, to its end.
    fn receive_data(&mut self) -> Vec<u8>;
    /// Break the data connection.
    fn reset_data(&mut self);
    /// Something only this server can do.
    fn special(&mut self, directive: &str);
    /// Whether it has what not every server can have: `octets` in names that are no UTF-8, Unix `modes`, a word
    /// of how much `space` there is.
    fn has(&self, what: &str) -> bool;

    /// Store something: `None` is a directory.
    fn put(&mut self, path: &[u8], content: Option<&[u8]>);
    /// Store a link that leads nowhere.
    fn put_link(&mut self, path: &[u8]);
    /// What is stored: `Some(None)` is a directory.
    fn stored(&mut self, path: &[u8]) -> Option<Option<Vec<u8>>>;
}

/// All transcripts and their texts, by path.
pub fn all() -> Vec<(PathBuf, String)> {
    // The package that is being tested is the workspace's root, or in it.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = package.ancestors().map(|path| path.join("tests/transcripts")).find(|path| path.is_dir());
    let entries = fs::read_dir(directory.unwrap()).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// Run every transcript against a server of its own, to which a client has connected from this address.
pub fn run_all<S: Server>(start: impl Fn(IpAddr) -> S) {
    let mut failures = Vec::new();
    for (path, text) in all() {
        let restricted = text.lines().find_map(|line| line.strip_prefix("only "));
        if restricted.is_none_or(|name| name == S::NAME)
            && let Err(failure) = run(&mut start(client(&text)), &text)
        {
            failures.push(format!("{}:{failure}", path.display()));
        }
    }
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n"));
}

fn client(text: &str) -> IpAddr {
    if text.lines().any(|line| line == "over ipv6") { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() }
}

/// Run one; the error begins with the number of the line.
pub fn run(server: &mut impl Server, text: &str) -> Result<(), String> {
    let mut reply = Vec::new();
    expect(&mut reply, server, b"220")?;
    for (index, line) in text.lines().enumerate() {
        if line.strip_prefix("needs ").is_some_and(|what| !server.has(what)) {
            break;
        }
        obey(server, line, &mut reply).map_err(|error| format!("{}: {line}: {error}", index + 1))?;
    }
    if !text.lines().any(|line| line == "closed") {
        // Nothing was said that the transcript does not have.
        obey(server, "C: QUIT", &mut reply).and_then(|()| obey(server, "S: 221", &mut reply))?;
        obey(server, "closed", &mut reply)?;
    }
    Ok(())
}

fn obey(server: &mut impl Server, line: &str, reply: &mut Vec<u8>) -> Result<(), String> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "" | "#" | "only" | "over" | "needs" => {}
        "given" => {
            let (what, path, content) = storage(rest)?;
            match what {
                "file" => server.put(&path, Some(&content)),
                "dir" => server.put(&path, None),
                "link" => server.put_link(&path),
                _ => return Err("no such thing".to_owned()),
            }
        }
        "then" => {
            let (what, path, content) = storage(rest)?;
            let expected = match what {
                "file" => Some(Some(content)),
                "dir" => Some(None),
                "missing" => None,
                _ => return Err("no such thing".to_owned()),
            };
            same(&server.stored(&path), &expected)?;
        }
        "login" | "anonymous" => {
            let user = if word == "login" { "user" } else { word };
            server.send(format!("USER {user}\r\nPASS secret\r\n").as_bytes());
            expect(reply, server, b"331")?;
            expect(reply, server, b"230")?;
        }
        "C:" => server.send(&[octets(rest)?, b"\r\n".to_vec()].concat()),
        "raw:" => server.send(&quoted(rest)?),
        "S:" => expect(reply, server, rest.as_bytes())?,
        "S|" => {
            let wanted = octets(rest)?;
            let lines = reply.split(|&octet| octet == b'\n').map(<[u8]>::trim_ascii);
            contains_line(lines, &wanted).ok_or_else(|| format!("not in {}", reply.escape_ascii()))?;
        }
        "S~" => contains(reply, &octets(rest)?).ok_or_else(|| format!("not in {}", reply.escape_ascii()))?,
        "passive" => {
            server.send(b"EPSV\r\n");
            expect(reply, server, b"229")?;
            let text = String::from_utf8_lossy(reply).into_owned();
            let port = text.split('|').nth(3).and_then(|port| port.parse().ok()).ok_or(text)?;
            server.connect(port);
        }
        "active" => {
            let address = server.listen();
            active(server, address, reply)?;
        }
        "deaf" => {
            let address = server.not_listening();
            active(server, address, reply)?;
        }
        "data:" => same(&server.receive_data(), &quoted(rest)?)?,
        "data~" => {
            let (got, wanted) = (server.receive_data(), octets(rest)?);
            contains(&got, &wanted).ok_or_else(|| format!("got {}", got.escape_ascii()))?;
        }
        "send:" => server.send_data(&quoted(rest)?, true),
        "send+" => server.send_data(&quoted(rest)?, false),
        "moved" => moved(server, rest, reply)?,
        "reset" => server.reset_data(),
        "closed" if !server.is_closed() => return Err("it is not".to_owned()),
        "closed" => {}
        "fault" | "ending" | "charset" | "tls" => server.special(line),
        _ => return Err("no such directive".to_owned()),
    }
    Ok(())
}

/// What is sent on one connection may arrive after what is sent later on another.
fn moved(server: &mut impl Server, octets: &str, reply: &mut Vec<u8>) -> Result<(), String> {
    let wanted = format!(", {octets} bytes so far");
    for _ in 0..MAX_LOOKS {
        server.send(b"STAT\r\n");
        expect(reply, server, b"211")?;
        if contains(reply, wanted.as_bytes()).is_some() {
            return Ok(());
        }
    }
    Err(format!("got {}", reply.escape_ascii()))
}

/// EPRT.
fn active(server: &mut impl Server, address: SocketAddr, reply: &mut Vec<u8>) -> Result<(), String> {
    let family = if address.is_ipv4() { 1 } else { 2 };
    server.send(format!("EPRT |{family}|{}|{}|\r\n", address.ip(), address.port()).as_bytes());
    expect(reply, server, b"200")
}

/// Take a reply, which must have this code and contain this text.
fn expect(reply: &mut Vec<u8>, server: &mut impl Server, wanted: &[u8]) -> Result<(), String> {
    *reply = server.reply().ok_or("the connection was closed")?;
    let (code, text) = wanted.split_at_checked(3).ok_or("a code has three digits")?;
    let text = octets(std::str::from_utf8(text.trim_ascii()).unwrap_or_default())?;
    if reply.starts_with(code) && contains(reply, &text).is_some() {
        return Ok(());
    }
    Err(format!("got {}", reply.escape_ascii()))
}

fn contains(octets: &[u8], part: &[u8]) -> Option<()> {
    (part.is_empty() || octets.windows(part.len()).any(|window| window == part)).then_some(())
}

fn contains_line<'a>(mut lines: impl Iterator<Item = &'a [u8]>, wanted: &[u8]) -> Option<()> {
    lines.find(|line| line == &wanted || line.get(4..) == Some(wanted)).map(|_| ())
}

fn same<T: PartialEq + Debug>(got: &T, wanted: &T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("got {got:?}, wanted {wanted:?}")) }
}

/// `file /path "content"`: what, the path, the content.
fn storage(text: &str) -> Result<(&str, Vec<u8>, Vec<u8>), String> {
    let (what, rest) = text.split_once(' ').ok_or("a path is missing")?;
    match rest.split_once(" \"") {
        Some((path, content)) => Ok((what, octets(path)?, octets(content.strip_suffix('"').ok_or("no end")?)?)),
        None => Ok((what, octets(rest)?, Vec::new())),
    }
}

fn quoted(text: &str) -> Result<Vec<u8>, String> {
    octets(text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).ok_or("must be in quotes")?)
}

/// Undo the escapes.
pub fn octets(text: &str) -> Result<Vec<u8>, String> {
    let (mut octets, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            octets.push(*first);
            continue;
        }
        let (octet, after) = match rest {
            [b'r', after @ ..] => (b'\r', after),
            [b'n', after @ ..] => (b'\n', after),
            [b'0', after @ ..] => (0, after),
            [b'x', high, low, after @ ..] => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).map_err(|error| error.to_string())?;
                (u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?, after)
            }
            [other, after @ ..] => (*other, after),
            [] => return Err("a lone backslash".to_owned()),
        };
        octets.push(octet);
        rest = after;
    }
    Ok(octets)
}

/// How often a transfer is looked at until its octets have arrived.
const MAX_LOOKS: u32 = 10_000;
