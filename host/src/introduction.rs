//! What a server says of itself when it starts: where it is, who may come in, and a line to try.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use wasi_ftpd_host::config::{Identities, Tls, TlsPolicy};
use wasi_ftpd_host::storage::Permissions;

use crate::cli::{GeneratedPassword, Setup};

/// What can be said before the ports are known.
pub(crate) struct Introduction {
    /// The directory or the component that has the files.
    root: PathBuf,
    /// The component that says who may log in.
    accounts: Option<PathBuf>,
    /// The file of its users.
    users_file: Option<PathBuf>,
    anonymous: bool,
    users: Vec<String>,
    writable: bool,
    passwords: Vec<GeneratedPassword>,
    tls: Option<TlsPolicy>,
    /// Where a certificate of the server's own making is kept.
    kept: Option<PathBuf>,
}

impl Introduction {
    pub(crate) fn new(setup: &Setup) -> Self {
        let users = setup.users.users();
        let storage = setup.providers.storage.as_ref().map(|settings| settings.component.clone());
        Self {
            root: storage.or(setup.root.clone()).unwrap_or_default(),
            accounts: setup.providers.accounts.as_ref().map(|settings| settings.component.clone()),
            users_file: setup.users_file.as_ref().map(|file| file.path.clone()),
            anonymous: setup.users.anonymous(),
            users: users.iter().map(|user| String::from_utf8_lossy(&user.name).into_owned()).collect(),
            writable: users.iter().any(|user| user.permissions.contains(Permissions::WRITE)),
            passwords: setup.generated.clone(),
            tls: setup.config.tls.as_ref().map(|tls| tls.policy),
            kept: match &setup.config.tls {
                Some(Tls { identities: Identities::SelfSigned(file), .. }) => file.clone(),
                _ => None,
            },
        }
    }

    /// `implicit`: the addresses of implicit TLS. `fingerprint`: of a certificate that nobody can check.
    pub(crate) fn text(
        &self,
        addresses: &[SocketAddr],
        implicit: &[SocketAddr],
        fingerprint: Option<String>,
    ) -> String {
        let mut text = format!("Serving {}\n", self.root.display());
        for &address in addresses {
            let _ = writeln!(text, "  at   ftp://{}/", reachable(address));
        }
        for &address in implicit {
            let _ = writeln!(text, "  at   ftps://{}/", reachable(address));
        }
        if let Some(policy) = self.tls {
            text.push_str(match policy {
                TlsPolicy::Allowed => "  with TLS, for those who want it\n",
                TlsPolicy::Required => "  with TLS, and to nobody without\n",
                TlsPolicy::RequiredForData => "  with TLS, and no file and no listing without\n",
            });
        }
        if let Some(fingerprint) = &fingerprint {
            let kept = match &self.kept {
                Some(file) => format!("kept in {}", file.display()),
                None => "made now, gone at the end".to_owned(),
            };
            let _ = writeln!(text, "  with certificate SHA-256 {fingerprint} ({kept})");
        }
        if let Some(accounts) = &self.accounts {
            let _ = writeln!(text, "  to   whom {} lets in", accounts.display());
        }
        if let Some(file) = &self.users_file {
            let _ = writeln!(text, "  to   whom {} names", file.display());
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
            let tls = match (self.tls, &fingerprint) {
                (None, _) => "",
                // Who made the certificate is not known to curl.
                (_, Some(_)) => "--ssl-reqd --insecure ",
                (_, None) => "--ssl-reqd ",
            };
            let _ = writeln!(text, "Try    curl {tls}{user}ftp://{}/", reachable(address));
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
