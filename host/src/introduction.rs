//! What a server says of itself when it starts: where it is, who may come in, and a line to try.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use wasi_ftpd_host::config::Config;
use wasi_ftpd_host::storage::Permissions;

use crate::cli::GeneratedPassword;

/// What can be said before the ports are known.
pub(crate) struct Introduction {
    root: PathBuf,
    anonymous: bool,
    users: Vec<String>,
    writable: bool,
    passwords: Vec<GeneratedPassword>,
}

impl Introduction {
    pub(crate) fn new(config: &Config, passwords: Vec<GeneratedPassword>) -> Self {
        let users = config.accounts.users();
        Self {
            root: config.root.clone(),
            anonymous: config.accounts.anonymous(),
            users: users.iter().map(|user| String::from_utf8_lossy(&user.name).into_owned()).collect(),
            writable: users.iter().any(|user| user.permissions.contains(Permissions::WRITE)),
            passwords,
        }
    }

    pub(crate) fn text(&self, addresses: &[SocketAddr]) -> String {
        let mut text = format!("Serving {}\n", self.root.display());
        for &address in addresses {
            let _ = writeln!(text, "  at   ftp://{}/", reachable(address));
        }
        if self.anonymous {
            text.push_str("  to   anonymous, to read\n");
        }
        for user in &self.users {
            let _ = writeln!(text, "  to   {user}, to read{}", if self.writable { " and write" } else { "" });
        }
        for GeneratedPassword { name, password } in &self.passwords {
            let _ = writeln!(text, "  with password {password} for {name} (not shown again)");
        }
        if let Some(&address) = addresses.first() {
            let user = match (&self.passwords[..], &self.users[..]) {
                ([GeneratedPassword { name, password }, ..], _) => {
                    format!("--user {} ", quoted(&format!("{name}:{password}")))
                }
                (_, [name, ..]) if !self.anonymous => format!("--user {} ", quoted(name)),
                _ => String::new(),
            };
            let _ = writeln!(text, "Try    curl {user}ftp://{}/", reachable(address));
        }
        text
    }
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// An address to connect to from this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback = if address.is_ipv4() { IpAddr::from(Ipv4Addr::LOCALHOST) } else { Ipv6Addr::LOCALHOST.into() };
        address.set_ip(loopback);
    }
    address
}
