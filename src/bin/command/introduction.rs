//! What the server says of itself when it starts: where it is, who may come in, and a line to try.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::accounts::Accounts;
use crate::start::GeneratedPassword;

pub(crate) fn text(accounts: &Accounts, passwords: &[GeneratedPassword], addresses: &[SocketAddr]) -> String {
    let mut text = "Serving the directory that the runtime calls /\n".to_owned();
    for &address in addresses {
        let _ = writeln!(text, "  at   ftp://{}/", reachable(address));
    }
    if accounts.anonymous {
        text.push_str("  to   anonymous, to read\n");
    }
    for user in accounts.users() {
        let (name, writes) = (String::from_utf8_lossy(&user.name), user.permissions.write);
        let _ = writeln!(text, "  to   {name}, to read{}", if writes { " and write" } else { "" });
    }
    for GeneratedPassword { name, password } in passwords {
        let _ = writeln!(text, "  with password {password} for {name} (not shown again)");
    }
    if let Some(&address) = addresses.first() {
        let user = match (passwords, accounts.users()) {
            ([GeneratedPassword { name, password }, ..], _) => {
                format!("--user {} ", quoted(&format!("{name}:{password}")))
            }
            (_, [user, ..]) if !accounts.anonymous => {
                format!("--user {} ", quoted(&String::from_utf8_lossy(&user.name)))
            }
            _ => String::new(),
        };
        let _ = writeln!(text, "Try    curl {user}ftp://{}/", reachable(address));
    }
    text
}

/// Say it on standard output. Whoever started us may have closed that; it is no reason to end.
pub(crate) fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
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
