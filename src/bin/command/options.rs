//! What was typed behind `command.wasm`, and what is in the users file.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use encoding_rs::Encoding;
use log::LevelFilter;
use wasi_ftpd::proto::entry::Permissions;

use crate::accounts::{Password, User, is_anonymous};
use crate::limits::Limits;

/// What was typed.
pub(crate) enum Typed {
    Serve(Box<Options>),
    Help,
    Version,
}

/// How to serve.
pub(crate) struct Options {
    /// Where control connections are accepted; nothing: port 21 of all addresses there are.
    pub(crate) listen: Vec<SocketAddr>,
    /// `NAME` or `NAME:PASSWORD`.
    pub(crate) users: Vec<(String, Option<String>)>,
    /// Where there are more of them.
    pub(crate) users_file: Option<String>,
    pub(crate) anonymous: bool,
    pub(crate) writable: bool,
    /// Where clients may open data connections.
    pub(crate) passive_ports: RangeInclusive<u16>,
    /// The address told to clients for these, if it is not the one they came to.
    pub(crate) public_address: Option<IpAddr>,
    pub(crate) active_port: ActivePort,
    pub(crate) limits: Limits,
    /// Of pathnames, by its name in the WHATWG Encoding Standard.
    pub(crate) charset: Option<String>,
    pub(crate) log: LevelFilter,
}

/// The port from which data connections to clients are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActivePort {
    /// The one below the control connection's (RFC 959 §8: 20 beside 21).
    BesideControl,
    /// This one. Not 0.
    Fixed(u16),
    /// Any that is free. Strict firewalls of clients refuse it.
    Any,
}

/// Where control connections are accepted unless it is said: one for each protocol.
pub(crate) const LISTEN: [SocketAddr; 2] =
    [SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 21), SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 21)];

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            users: Vec::new(),
            users_file: None,
            anonymous: false,
            writable: false,
            passive_ports: PASSIVE_PORTS,
            public_address: None,
            active_port: ActivePort::BesideControl,
            limits: Limits::default(),
            charset: None,
            log: LevelFilter::Info,
        }
    }
}

impl Options {
    /// What these words mean. An error is one line that says what to do.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Typed, String> {
        let mut options = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let (flag, given) = match word.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag.to_owned(), Some(value.to_owned())),
                _ => (word, None),
            };
            match &*flag {
                "--help" | "-h" => return Ok(Typed::Help),
                "--version" | "-V" => return Ok(Typed::Version),
                "--anonymous" if given.is_none() => options.anonymous = true,
                "--writable" if given.is_none() => options.writable = true,
                _ => {
                    let value = given.or_else(|| FLAGS.contains(&&*flag).then(|| words.next()).flatten());
                    options.set(&flag, value)?;
                }
            }
        }
        if options.writable && options.users.is_empty() && options.users_file.is_none() {
            return Err("--writable: nobody may write, since anonymous only reads; add --user NAME".to_owned());
        }
        options.anonymous |= options.users.is_empty() && options.users_file.is_none();
        Ok(Typed::Serve(Box::new(options)))
    }

    fn set(&mut self, flag: &str, value: Option<String>) -> Result<(), String> {
        if !FLAGS.contains(&flag) {
            return Err(format!("{}: no such option, or no value for it; try --help", flag.escape_debug()));
        }
        let value = value.ok_or_else(|| format!("{flag}: its value is missing; try --help"))?;
        // A password is not repeated.
        if flag == "--user" {
            self.users.push(user(&value).map_err(|error| format!("--user: {error}"))?);
            return Ok(());
        }
        let limits = &mut self.limits;
        let set = match flag {
            "--listen" => listen(&value).and_then(|address| {
                if address.port() != 0 && self.listen.contains(&address) {
                    return Err("given twice; leave one out".into());
                }
                self.listen.push(address);
                Ok(())
            }),
            "--users" => {
                self.users_file = Some(value.clone());
                Ok(())
            }
            "--passive-ports" => port_range(&value).map(|range| self.passive_ports = range),
            "--public-address" => public_address(&value).map(|address| self.public_address = Some(address)),
            "--active-port" => active_port(&value).map(|port| self.active_port = port),
            "--max-connections" => count(&value).map(|count| limits.connections = count),
            "--max-connections-per-address" => count(&value).map(|count| limits.connections_per_address = Some(count)),
            "--idle-timeout" => seconds(&value).map(|time| limits.idle = time),
            "--login-timeout" => seconds(&value).map(|time| limits.login = time),
            "--stall-timeout" => seconds(&value).map(|time| limits.stall = time),
            "--charset" => charset(&value).map(|name| self.charset = Some(name)),
            _ => level(&value).map(|level| self.log = level),
        };
        set.map_err(|error| format!("{flag} {}: {error}", value.escape_debug()))
    }
}

/// The users in a users file. An error is one line that names the line.
pub(crate) fn users_file(text: &str, writable: bool) -> Result<Vec<User>, String> {
    let mut users = Vec::<User>::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let user = users_line(line, writable).map_err(|error| format!("line {}: {error}", number + 1))?;
        if users.iter().any(|other| other.name == user.name) {
            return Err(format!("line {}: that name is there twice; leave one out", number + 1));
        }
        users.push(user);
    }
    Ok(users)
}

/// `NAME:HASH` or `NAME:HASH:RIGHTS`.
fn users_line(line: &str, writable: bool) -> Result<User, String> {
    let mut fields = line.split(':');
    let (Some(name), Some(hash), rights, None) = (fields.next(), fields.next(), fields.next(), fields.next()) else {
        return Err("write NAME:HASH, NAME:HASH:ro or NAME:HASH:rw".to_owned());
    };
    check_name(name)?;
    let password = Password::parse(hash).ok_or(
        "that is no hash of at most 100000 rounds; make one with `openssl passwd -6` or `mkpasswd -m sha-512`",
    )?;
    let writes = match rights {
        None => writable,
        Some("rw") => true,
        Some("ro") => false,
        Some(_) => return Err("rights are ro (to read) or rw (to read and write)".to_owned()),
    };
    Ok(User { name: name.into(), password, permissions: permissions(writes) })
}

/// What those may who have a name.
pub(crate) fn permissions(writes: bool) -> Permissions {
    // No time of creation in WASI.
    if writes { Permissions { set_created: false, ..Permissions::ALL } } else { Permissions::READ_ONLY }
}

fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the name is missing".to_owned());
    }
    if name.contains(char::is_control) {
        return Err("no client can send control characters; leave them out".to_owned());
    }
    if is_anonymous(name.as_bytes()) {
        return Err("that name needs no password; write --anonymous instead".to_owned());
    }
    Ok(())
}

fn user(typed: &str) -> Result<(String, Option<String>), String> {
    let (name, password) = typed.split_once(':').map_or((typed, None), |(name, password)| (name, Some(password)));
    check_name(name)?;
    match password {
        Some("") => Err("the password is empty; write one, or leave out the colon too".to_owned()),
        Some(password) if password.len() > 256 => Err("the password is too long; 256 octets are enough".to_owned()),
        password => Ok((name.to_owned(), password.map(str::to_owned))),
    }
}

fn listen(typed: &str) -> Result<SocketAddr, String> {
    typed.parse().map_err(|_| {
        if let Ok(port) = typed.parse::<u16>() {
            format!("the address is missing: write 127.0.0.1:{port} for this machine alone, or 0.0.0.0:{port} for all")
        } else if let Ok(ip) = typed.trim_matches(['[', ']']).parse::<IpAddr>() {
            format!("the port is missing: write {}", SocketAddr::new(ip, 2121))
        } else {
            "write an IP address and a port, such as 127.0.0.1:2121 or [::1]:2121".into()
        }
    })
}

fn port_range(typed: &str) -> Result<RangeInclusive<u16>, String> {
    let range = typed.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    match range {
        None => Err("write the first port and the last, such as 50000-50100".into()),
        Some((0, _)) => Err("there is no port 0: begin at 1 or higher, best above 1023".into()),
        Some((first, last)) if first > last => Err(format!("the first port is above the last: write {last}-{first}")),
        Some((first, last)) => Ok(first..=last),
    }
}

fn public_address(typed: &str) -> Result<IpAddr, String> {
    match typed.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() || address.is_multicast() => {
            Err("no client can connect to that: write the address by which clients reach this server".into())
        }
        Ok(address) => Ok(address),
        Err(_) => Err("write an IP address, such as 192.0.2.1; names are not looked up".into()),
    }
}

fn active_port(typed: &str) -> Result<ActivePort, String> {
    match typed.parse() {
        Ok(0) => Ok(ActivePort::Any),
        Ok(port) => Ok(ActivePort::Fixed(port)),
        Err(_) => Err("write a port from 1 to 65535, or 0 for any".into()),
    }
}

fn count(typed: &str) -> Result<usize, String> {
    number(typed, COUNT_MAX).ok_or_else(|| format!("write a whole number from 1 to {COUNT_MAX}"))
}

fn seconds(typed: &str) -> Result<Duration, String> {
    let seconds = number(typed, SECONDS_MAX);
    seconds.map(Duration::from_secs).ok_or_else(|| format!("write a whole number of seconds from 1 to {SECONDS_MAX}"))
}

fn number<N: FromStr + PartialOrd + From<u8>>(typed: &str, most: N) -> Option<N> {
    typed.parse().ok().filter(|number| (N::from(1)..=most).contains(number))
}

/// The canonical name of a charset. Commands and slashes must be ASCII in it.
fn charset(typed: &str) -> Result<String, String> {
    match Encoding::for_label_no_replacement(typed.as_bytes()) {
        Some(encoding) if encoding.is_ascii_compatible() => Ok(encoding.name().to_owned()),
        Some(_) => Err("FTP needs a charset in which ASCII stays as it is: write another, such as UTF-8".into()),
        None => Err("write a name of the WHATWG Encoding Standard, such as windows-1252 or Shift_JIS".into()),
    }
}

fn level(typed: &str) -> Result<LevelFilter, String> {
    typed.parse().map_err(|_| "write off, error, warn, info or debug".into())
}

/// Options that have a value.
const FLAGS: [&str; 13] = [
    "--listen",
    "--user",
    "--users",
    "--passive-ports",
    "--public-address",
    "--active-port",
    "--max-connections",
    "--max-connections-per-address",
    "--idle-timeout",
    "--login-timeout",
    "--stall-timeout",
    "--charset",
    "--log",
];

/// The dynamic ports (RFC 6335 §6): no service is registered there.
const PASSIVE_PORTS: RangeInclusive<u16> = 49152..=65535;

/// Beyond what one instance can serve.
const COUNT_MAX: usize = 100_000;

/// A day: nothing that takes longer is worth a connection.
const SECONDS_MAX: u64 = 86_400;

pub(crate) const HELP: &str = "\
An FTP server in one WebAssembly component

Usage: wasmtime run -S inherit-network --dir DIR::/ command.wasm [OPTIONS]

Serves DIR, and nothing outside it: without options read-only, to everybody. There is no TLS:
passwords and files can be read on the way.

Who may log in:
  --user NAME[:PASSWORD]      Let a user in; repeatable. Without PASSWORD (others see it in `ps`)
                              one is made up
  --users FILE                Let in whom FILE names, a line each: NAME:HASH, and :ro or :rw behind
                              it. HASH is what `openssl passwd -6` prints. FILE must be in a
                              directory of its own: --dir CONF::/conf, --users /conf/users
  --writable                  Let those users change files, not only read them
  --anonymous                 Let anybody in, to read only [default: if there are no users]

Files:
  --charset NAME              Charset of names for clients that do not ask for UTF-8

Where:
  --listen ADDRESS:PORT       Where clients connect; repeatable [default: 0.0.0.0:21 and [::]:21]
  --passive-ports FIRST-LAST  Ports to which clients open data connections (passive mode)
                              [default: 49152-65535]
  --public-address IP         The address to tell clients for these, if the server is behind NAT
  --active-port PORT          Port from which to connect to clients (active mode); 0: any
                              [default: listening port - 1]

Limits:
  --max-connections N         Clients at once [default: 300]
  --max-connections-per-address N
                              Of these, from one address [default: 50; loopback: no limit]
  --idle-timeout SECONDS      How long a client may say nothing [default: 300]
  --login-timeout SECONDS     How long logging in may take [default: 60]
  --stall-timeout SECONDS     How long a transfer may stand still [default: 120]

Logging, to standard error:
  --log LEVEL                 off, error, warn, info or debug [default: info]

  -h, --help                  Print this
  -V, --version               Print the version
";

#[cfg(test)]
mod tests;
