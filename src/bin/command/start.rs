//! What is asked of the runtime before the first client: with errors that say what to do.

use std::net::SocketAddr;

use wasi::filesystem::preopens::get_directories;
use wasi::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};
use wasi::random::random::get_random_bytes;
use wasi::sockets::network::ErrorCode;

use crate::accounts::{Accounts, Password, User, letters};
use crate::net::{Listener, bind};
use crate::options::{LISTEN, Options, permissions, users_file};
use crate::port::from_port;

/// A password that was made up and has to be told, once.
pub(crate) struct GeneratedPassword {
    pub(crate) name: String,
    pub(crate) password: String,
}

/// The directory that is served, and what else the runtime has opened, by its names for them.
pub(crate) fn directories() -> Result<(Descriptor, Vec<(Descriptor, String)>), String> {
    let mut directories = get_directories();
    let root = directories.iter().position(|(_, name)| name == "/").ok_or_else(|| {
        let given: Vec<&str> = directories.iter().map(|(_, name)| name.as_str()).collect();
        format!(
            "there is no directory to serve: give the runtime one as /, as in wasmtime run --dir DIR::/ (given: {})",
            if given.is_empty() { "none".to_owned() } else { given.join(", ") }
        )
    })?;
    let (root, _) = directories.swap_remove(root);
    Ok((root, directories))
}

/// Who may log in, and the passwords that had to be made up for them.
pub(crate) fn accounts(
    options: &Options,
    others: &[(Descriptor, String)],
) -> Result<(Accounts, Vec<GeneratedPassword>), String> {
    let mut users = match &options.users_file {
        Some(path) => {
            let text = read(path, others).map_err(|error| format!("--users {path}: {error}"))?;
            users_file(&text, options.writable).map_err(|error| format!("--users {path}: {error}"))?
        }
        None => Vec::new(),
    };
    let mut generated = Vec::new();
    for (name, password) in &options.users {
        if users.iter().any(|user| user.name == name.as_bytes()) {
            return Err(format!("--user {}: there is one of that name; leave one out", name.escape_debug()));
        }
        let password = password.clone().unwrap_or_else(|| {
            let password = letters(&get_random_bytes(PASSWORD_LENGTH));
            generated.push(GeneratedPassword { name: name.clone(), password: password.clone() });
            password
        });
        let password = Password::hash(password.as_bytes(), letters(&get_random_bytes(SALT_LENGTH)))
            .ok_or_else(|| format!("--user {}: that is no password", name.escape_debug()))?;
        users.push(User { name: name.clone().into(), password, permissions: permissions(options.writable) });
    }
    Ok((Accounts::new(users, options.anonymous), generated))
}

/// A small file of one of the other directories, so that no client can read it.
fn read(path: &str, others: &[(Descriptor, String)]) -> Result<String, String> {
    let beneath = |name: &str| {
        let rest = path.strip_prefix(name.trim_end_matches('/'))?.strip_prefix('/')?;
        Some(rest.to_owned())
    };
    let (directory, rest) = others.iter().find_map(|(directory, name)| Some((directory, beneath(name)?))).ok_or(
        "the runtime has not opened its directory, or only to be served; give it one of its own, as in \
             --dir CONF::/conf, and write /conf/users",
    )?;
    let file = directory
        .open_at(PathFlags::SYMLINK_FOLLOW, &rest, OpenFlags::empty(), DescriptorFlags::READ)
        .map_err(|code| format!("cannot be opened: {code}"))?;
    let mut octets = Vec::new();
    loop {
        let at = u64::try_from(octets.len()).unwrap_or(u64::MAX);
        let (more, end) = file.read(MAX_FILE, at).map_err(|code| format!("cannot be read: {code}"))?;
        octets.extend(more);
        if octets.len() as u64 > MAX_FILE {
            return Err("it is too large to be a file of users".to_owned());
        }
        if end {
            return String::from_utf8(octets).map_err(|_| "it is not UTF-8".to_owned());
        }
    }
}

/// Listeners for control connections, after a look at the ports that go with them for active data connections.
pub(crate) fn listeners(options: &Options) -> Result<Vec<Listener>, String> {
    let (addresses, chosen) = match &options.listen[..] {
        [] => (&LISTEN[..], false),
        addresses => (addresses, true),
    };
    let mut listeners = Vec::new();
    for &address in addresses {
        match Listener::new(address, CONTROL_BACKLOG) {
            Ok(listener) => {
                let mut from = listener.address();
                from.set_port(from_port(options.active_port, from.port()));
                try_active(from)?;
                listeners.push(listener);
            }
            // A machine without IPv6 is served all the same.
            Err(ErrorCode::NotSupported | ErrorCode::AddressNotBindable) if !chosen && address.is_ipv6() => {}
            Err(code) => return Err(format!("cannot listen on {address}: {}", explain(code, address))),
        }
    }
    Ok(listeners)
}

/// A port that only a privileged process may bind must be found out now, not at the first transfer. One that is in
/// use may be free by then.
fn try_active(from: SocketAddr) -> Result<(), String> {
    match bind(from) {
        Err(ErrorCode::AccessDenied) => Err(format!(
            "port {} for active data connections needs the right to bind ports below 1024; run the runtime as root or \
             with CAP_NET_BIND_SERVICE, or use --active-port 0",
            from.port()
        )),
        _ => Ok(()),
    }
}

fn explain(code: ErrorCode, address: SocketAddr) -> String {
    let mut anywhere = address;
    anywhere.set_port(0);
    match code {
        ErrorCode::AccessDenied if matches!(bind(anywhere), Err(ErrorCode::AccessDenied)) => {
            "the runtime gives no network; let it, as in wasmtime run -S inherit-network (without tcp=n)".to_owned()
        }
        ErrorCode::AccessDenied => format!(
            "ports below 1024 need root or CAP_NET_BIND_SERVICE for the runtime; or use a port above, such as --listen \
             {}",
            SocketAddr::new(address.ip(), 2121)
        ),
        ErrorCode::AddressInUse => "another program has that port; stop it or choose another with --listen".to_owned(),
        ErrorCode::AddressNotBindable => "this machine has no such address; --listen takes one of its own".to_owned(),
        code => code.to_string(),
    }
}

/// Letters of a generated password: 80 bits, beyond guessing even without a delay.
const PASSWORD_LENGTH: u64 = 16;

/// Letters of a salt: as many as count.
const SALT_LENGTH: u64 = 16;

/// Octets of a users file: ten thousand users.
const MAX_FILE: u64 = 1024 * 1024;

/// Clients that may wait to be accepted: a flood of log-ins at the start of a shift.
const CONTROL_BACKLOG: u64 = 1024;
