//! Accounts from a file: a component of world `accounts-provider`.
//!
//! It reads `users` in the directory that the host lends it, one account a line:
//!
//! ```text
//! anna:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08:main:rw
//! ```
//!
//! name, SHA-256 of the password in hexadecimal, root, and `r` or `rw`.

use std::fs;

use sha2::{Digest, Sha256};

use bindings::exports::ftpd::server::accounts_backend::{Account, Denial, Guest, LogIn, Permissions};

#[allow(missing_docs, clippy::all, clippy::restriction, unsafe_op_in_unsafe_fn, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "accounts-provider" });
    use super::File;
    export!(File);
}

struct File;

impl Guest for File {
    fn check(log_in: LogIn) -> Result<Account, Denial> {
        let name = String::from_utf8(log_in.name).map_err(|_| Denial::Denied)?;
        let users = fs::read_to_string("/users").map_err(|_| Denial::Unavailable)?;
        let given = log_in.password.map(|password| hexadecimal(&Sha256::digest(password)));
        for line in users.lines() {
            let [known, digest, root, rights] = line.split(':').collect::<Vec<_>>()[..] else { continue };
            // Without a password, the host has checked a certificate.
            if known == name && given.as_deref().is_none_or(|given| given == digest) {
                return Ok(Account {
                    name: name.into_bytes(),
                    root: root.to_owned(),
                    start: b"/".to_vec(),
                    permissions: match rights {
                        "rw" => Permissions::all(),
                        _ => Permissions::LIST | Permissions::READ,
                    },
                    message: None,
                });
            }
        }
        Err(Denial::Denied)
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
