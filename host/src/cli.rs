//! What was typed, and the [`Setup`] that it means.

mod providers;
mod tls;

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};
use encoding_rs::Encoding;
use log::LevelFilter;
use providers::ProviderArgs;
pub(crate) use providers::{MAIN, Providers};
use tls::TlsArgs;

use crate::firewall::Tool;
use wasi_ftpd_host::accounts::{Password, User, Users, UsersFile, generate_password, is_anonymous};
use wasi_ftpd_host::config::{ActivePort, Config, LISTEN, Limits};
use wasi_ftpd_host::storage::{Permissions, Unfinished};

/// An FTP server that runs each session in a WebAssembly sandbox of its own.
#[derive(Parser)]
#[command(name = "wasi-ftpd", version, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// What was typed. Ends the process where that was a question (`--help`) or a mistake.
    pub(crate) fn parse() -> Self {
        Parser::parse()
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Serve(ServeArgs),
    Check(CheckArgs),
    Firewall(FirewallArgs),
}

/// Tell what is wrong with a configuration, with the options of serve
#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

/// Print the rules that a packet filter needs, with the options of serve
#[derive(Args)]
pub(crate) struct FirewallArgs {
    /// Only for this tool; repeatable
    #[arg(long = "for", value_name = "TOOL", value_enum)]
    pub(crate) tools: Vec<Tool>,

    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

// Each text is one line: a second paragraph would make clap spread `--help` over three screens.

/// Serve a directory: without options read-only, to everybody on this machine
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// The directory to serve; nothing outside it can be reached
    #[arg(value_name = "DIR", required_unless_present = "storage")]
    root: Option<PathBuf>,

    /// Let a user in; repeatable. Without PASSWORD (others see it in `ps`) one is made up
    #[arg(long = "user", value_name = "NAME[:PASSWORD]", help_heading = WHO)]
    users: Vec<String>,

    /// Let in whom FILE names, a line each: NAME:HASH (`openssl passwd -6`), and :ro or :rw behind it
    #[arg(long = "users", value_name = "FILE", help_heading = WHO)]
    users_file: Option<PathBuf>,

    /// Let those users change files, not only read them
    #[arg(long, help_heading = WHO)]
    writable: bool,

    /// Let anybody in, to read only [default: if there are no users]
    #[arg(long, help_heading = WHO)]
    anonymous: bool,

    /// Uploads cut short: keep (hidden, to resume), delete, or visible [default: keep]
    #[arg(long, value_name = "WHAT", value_parser = unfinished, help_heading = FILES)]
    unfinished_uploads: Option<Unfinished>,

    /// Say that a file is stored when it is at the disk and survives a power cut (fsync); slower
    #[arg(long, help_heading = FILES)]
    fsync: bool,

    /// Charset of names for clients that do not ask for UTF-8 [default: names are octets]
    #[arg(long, value_name = "NAME", value_parser = charset, help_heading = FILES)]
    charset: Option<String>,

    /// Where clients connect; repeatable [default: 127.0.0.1:2121]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen, help_heading = WHERE)]
    listen: Vec<SocketAddr>,

    /// Ports to which clients open data connections (passive mode) [default: 49152-65535]
    #[arg(long, value_name = "FIRST-LAST", value_parser = port_range, help_heading = WHERE)]
    passive_ports: Option<RangeInclusive<u16>>,

    /// The address to tell clients for these, if the server is behind NAT
    #[arg(long, value_name = "IP", value_parser = public_address, help_heading = WHERE)]
    public_address: Option<IpAddr>,

    /// Port from which to connect to clients (active mode); 0: any [default: listening port - 1]
    #[arg(long, value_name = "PORT", value_parser = port, help_heading = WHERE)]
    active_port: Option<u16>,

    #[command(flatten)]
    tls: TlsArgs,

    /// Clients at once [default: 2000]
    #[arg(long, value_name = "N", value_parser = count, help_heading = LIMITS)]
    max_connections: Option<usize>,

    /// Of these, from one address [default: 50; loopback: no limit]
    #[arg(long, value_name = "N", value_parser = count, help_heading = LIMITS)]
    max_connections_per_address: Option<usize>,

    /// How long a client may say nothing [default: 300]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = LIMITS)]
    idle_timeout: Option<Duration>,

    /// How long logging in may take [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = LIMITS)]
    login_timeout: Option<Duration>,

    /// How long a transfer may stand still [default: 120]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = LIMITS)]
    stall_timeout: Option<Duration>,

    #[command(flatten)]
    providers: ProviderArgs,

    /// What to report: off, error, warn, info, debug, trace, or TARGET=LEVEL,...
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = filter, help_heading = LOGGING)]
    pub(crate) log: String,
}

/// What a server is to be made of.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) config: Config,
    /// The directory that is served, unless a component has the files.
    pub(crate) root: Option<PathBuf>,
    /// What becomes of uploads that are cut short.
    pub(crate) unfinished: Unfinished,
    /// Whether uploads are at the disk when their end is told.
    pub(crate) fsync: bool,
    /// Those that were typed, and anonymous.
    pub(crate) users: Users,
    pub(crate) users_file: Option<UsersFile>,
    pub(crate) providers: Providers,
    /// The passwords that the operator is to be told.
    pub(crate) generated: Vec<GeneratedPassword>,
}

/// A password that was made up and has to be told, once.
#[derive(Clone, Debug)]
pub(crate) struct GeneratedPassword {
    pub(crate) name: String,
    pub(crate) password: String,
}

impl ServeArgs {
    /// What it means. Errors are one line that says what to do.
    pub(crate) fn setup(self) -> Result<Setup> {
        if let Some(root) = &self.root {
            let root_name = root.display();
            let what = fs::metadata(root)
                .with_context(|| format!("cannot serve {root_name}: name a directory that exists"))?;
            ensure!(what.is_dir(), "cannot serve {root_name}: not a directory; name the one it is in");
        }
        let tls = self.tls.config()?;
        let implicit = tls.iter().flat_map(|tls| &tls.implicit_listen).map(|address| ("--implicit-listen", address));
        let listen: Vec<_> = self.listen.iter().map(|address| ("--listen", address)).chain(implicit).collect();
        for (at, (flag, address)) in listen.iter().enumerate() {
            ensure!(
                address.port() == 0 || !listen.iter().take(at).any(|(_, before)| before == address),
                "{flag} {address}: given twice; leave one out"
            );
        }
        ensure!(
            !self.writable || !self.users.is_empty() || self.users_file.is_some(),
            "--writable: nobody may write, since anonymous only reads; add --user NAME"
        );
        let providers = self.providers.providers()?;
        let nobody = self.users.is_empty() && self.users_file.is_none() && providers.accounts.is_none();
        let permissions = if self.writable { Permissions::ALL } else { Permissions::READ_ONLY };
        let (users, generated) = users(&self.users, permissions)?;
        let users_file = self.users_file.map(|path| UsersFile { path, permissions });
        if let (Some(file), Some(root)) = (&users_file, &self.root) {
            let path = &file.path;
            let real = |path: &Path| path.canonicalize().with_context(|| format!("cannot read {}", path.display()));
            ensure!(
                !real(path)?.starts_with(real(root)?),
                "--users {}: clients could read it, since it lies in the served directory; move it",
                path.display()
            );
        }

        let mut config = Config { tls, ..Config::default() };
        config.listen = if self.listen.is_empty() { vec![LISTEN] } else { self.listen };
        if let Some(ports) = self.passive_ports {
            config.passive_ports = ports;
        }
        config.public_address = self.public_address;
        config.active_port = match self.active_port {
            None => ActivePort::BesideControl,
            Some(0) => ActivePort::Any,
            Some(port) => ActivePort::Fixed(port),
        };
        config.charset = self.charset;
        let defaults = Limits::default();
        config.limits = Limits {
            connections: self.max_connections.unwrap_or(defaults.connections),
            connections_per_address: self.max_connections_per_address,
            idle: self.idle_timeout.unwrap_or(defaults.idle),
            login: self.login_timeout.unwrap_or(defaults.login),
            stall: self.stall_timeout.unwrap_or(defaults.stall),
            ..defaults
        };
        Ok(Setup {
            config,
            root: self.root,
            unfinished: self.unfinished_uploads.unwrap_or_default(),
            fsync: self.fsync,
            users: Users::new(users, self.anonymous || nobody),
            users_file,
            providers,
            generated,
        })
    }
}

/// The users, and the passwords that had to be made up for them. Checked here and not by clap, which would
/// repeat a password in its error.
fn users(typed: &[String], permissions: Permissions) -> Result<(Vec<User>, Vec<GeneratedPassword>)> {
    let (mut users, mut generated) = (Vec::<User>::new(), Vec::new());
    for typed in typed {
        let (name, password) = typed.split_once(':').map_or((&typed[..], None), |(name, after)| (name, Some(after)));
        let flag = format!("--user {}", name.escape_debug());
        ensure!(!name.is_empty(), "{flag}: the name is missing; write NAME or NAME:PASSWORD");
        ensure!(!typed.contains(char::is_control), "{flag}: no client can send control characters; leave them out");
        ensure!(!is_anonymous(name.as_bytes()), "{flag}: that name needs no password; write --anonymous instead");
        ensure!(!users.iter().any(|user| user.name == name.as_bytes()), "{flag}: given twice; leave one out");
        let password = match password {
            Some(password) => password.to_owned(),
            None => {
                let password = generate_password().with_context(|| format!("{flag}: cannot make up a password"))?;
                generated.push(GeneratedPassword { name: name.to_owned(), password: password.clone() });
                password
            }
        };
        let password = Password::new(password.as_bytes())
            .with_context(|| format!("{flag}: the password is empty; write one, or leave out the colon too"))?;
        users.push(User { name: name.into(), password, permissions });
    }
    Ok((users, generated))
}

// What clap calls for each value. It puts flag and value in front of the error.

fn unfinished(typed: &str) -> Result<Unfinished, String> {
    match typed {
        "keep" => Ok(Unfinished::Keep),
        "delete" => Ok(Unfinished::Delete),
        "visible" => Ok(Unfinished::InPlace),
        _ => Err("write keep, delete or visible".into()),
    }
}

/// The canonical name of a charset. Commands and slashes must be ASCII in it.
fn charset(typed: &str) -> Result<String, String> {
    match Encoding::for_label_no_replacement(typed.as_bytes()) {
        Some(encoding) if encoding.is_ascii_compatible() => Ok(encoding.name().to_owned()),
        Some(_) => Err("FTP needs a charset in which ASCII stays as it is: write another, such as UTF-8".into()),
        None => Err("write a name of the WHATWG Encoding Standard, such as windows-1252 or Shift_JIS".into()),
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

fn port(typed: &str) -> Result<u16, String> {
    typed.parse().map_err(|_| "write a port from 1 to 65535, or 0 for any".into())
}

fn count(typed: &str) -> Result<usize, String> {
    match typed.parse() {
        Ok(count @ 1..=COUNT_MAX) => Ok(count),
        _ => Err(format!("write a whole number from 1 to {COUNT_MAX}")),
    }
}

fn seconds(typed: &str) -> Result<Duration, String> {
    match typed.parse() {
        Ok(seconds @ 1..=SECONDS_MAX) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("write a whole number of seconds from 1 to {SECONDS_MAX}, a day")),
    }
}

/// One word must be a level: env_logger would take another for a target and show all of it.
fn filter(typed: &str) -> Result<String, String> {
    if typed.contains(['=', ',']) || typed.parse::<LevelFilter>().is_ok() {
        Ok(typed.to_owned())
    } else {
        Err("write off, error, warn, info, debug or trace, or a filter such as wasi_ftpd_host=debug".into())
    }
}

const WHO: &str = "Who may log in";
const FILES: &str = "Files";
const WHERE: &str = "Where";
const LIMITS: &str = "Limits";
const TLS: &str = "TLS";
const PROVIDERS: &str = "Components";
const LOGGING: &str = "Logging";

const EXAMPLES: &str = "\
Examples:
  wasi-ftpd serve .
      Show this directory to everybody on this machine; try curl ftp://127.0.0.1:2121/
  wasi-ftpd serve /srv/ftp --listen 0.0.0.0:2121 --user anna --writable
      Let anna, with a password that is printed, up- and download from anywhere
  wasi-ftpd serve /srv/ftp --listen 0.0.0.0:2121 --user anna --tls self-signed --tls-policy required
      The same, and no password and no file name is sent in clear
  wasi-ftpd serve /srv/ftp --listen 0.0.0.0:21 --listen [::]:21 \\
      --passive-ports 50000-50100 --public-address 192.0.2.1
      A public archive behind NAT, for IPv4 and IPv6 (port 21 needs CAP_NET_BIND_SERVICE)";

/// Beyond any machine; below what the engine's sums overflow at.
const COUNT_MAX: usize = 1_000_000;

/// Nothing that takes longer is worth a connection, and clocks can add it without overflow.
const SECONDS_MAX: u64 = 86_400;

#[cfg(test)]
mod tests;
