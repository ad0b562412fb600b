//! `wasi-ftpd check`: what would go wrong with a configuration, before clients find out.

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use wasi_ftpd_host::accounts::UsersFile;
use wasi_ftpd_host::certificate_faults;
use wasi_ftpd_host::config::{ActivePort, Config};

use crate::cli::Setup;
use crate::firewall::control_addresses;

/// Something that is wrong, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    what: String,
    remedy: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

/// Everything that is wrong.
pub(crate) fn findings(setup: &Setup) -> Vec<Finding> {
    let config = &setup.config;
    let mut found = Vec::new();
    let addresses = control_addresses(config);
    for &address in &addresses {
        found.extend(cannot_bind(address, "the control port"));
    }
    if let ActivePort::Fixed(port) = config.active_port
        && let Some(address) = addresses.first()
    {
        found.extend(cannot_bind(SocketAddr::new(address.ip(), port), "--active-port"));
    }
    found.extend(passive_ports(config));
    found.extend(public_address(config));
    let roots = setup.root.iter().chain(setup.providers.roots.values());
    found.extend(roots.filter_map(|root| unfit(root)));
    found.extend(setup.users_file.as_ref().and_then(open_to_all));
    let faults = certificate_faults(config).into_iter();
    found.extend(faults.map(|what| Finding { what, remedy: "give --tls good certificates, each with its key" }));
    found
}

fn finding(what: String, remedy: &'static str) -> Option<Finding> {
    Some(Finding { what, remedy })
}

fn cannot_bind(address: SocketAddr, flag: &str) -> Option<Finding> {
    let error = TcpListener::bind(address).err()?;
    let remedy = match error.kind() {
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need root or CAP_NET_BIND_SERVICE",
        std::io::ErrorKind::AddrInUse => "another program has that port, or this server is running already",
        std::io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address",
        _ => "choose another",
    };
    finding(format!("{flag} {address} cannot be bound ({error})"), remedy)
}

fn passive_ports(config: &Config) -> Option<Finding> {
    let (first, last) = (*config.passive_ports.start(), *config.passive_ports.end());
    let ports = usize::from(last - first) + 1;
    if let Some(address) =
        control_addresses(config).iter().find(|address| config.passive_ports.contains(&address.port()))
    {
        return finding(
            format!("--passive-ports {first}-{last} has the port of {address}"),
            "keep the port of control connections out of the range",
        );
    }
    if ports < config.limits.connections {
        return finding(
            format!("--passive-ports {first}-{last} are {ports} ports for {} clients", config.limits.connections),
            "widen the range, or lower --max-connections",
        );
    }
    None
}

fn public_address(config: &Config) -> Option<Finding> {
    let address = config.public_address?;
    let private = match address {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_shared(ip),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    let what = format!("--public-address {address} is private");
    private.then_some(()).and_then(|()| finding(what, "give the address by which clients outside reach this server"))
}

/// Of the carriers' own NAT (RFC 6598).
fn is_shared(ip: Ipv4Addr) -> bool {
    matches!(ip.octets(), [100, 64..128, ..])
}

fn unfit(path: &Path) -> Option<Finding> {
    let root = path.display();
    match fs::metadata(path) {
        Err(error) => finding(format!("{root} cannot be served ({error})"), "name a directory that exists"),
        Ok(what) if !what.is_dir() => finding(format!("{root} is no directory"), "name the one it is in"),
        Ok(what) if what.mode() & 0o002 != 0 => {
            finding(format!("{root} can be written by everybody on this machine"), "chmod o-w it")
        }
        Ok(_) => fs::read_dir(path)
            .err()
            .and_then(|error| finding(format!("{root} cannot be read ({error})"), "let the server's user read it")),
    }
}

/// Whatever else is wrong with it, `serve` says at once.
fn open_to_all(file: &UsersFile) -> Option<Finding> {
    let mode = fs::metadata(&file.path).ok()?.mode();
    let what = format!("--users {} can be read or written by everybody on this machine", file.path.display());
    (mode & 0o006 != 0).then_some(()).and_then(|()| finding(what, "chmod o-rw it"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use wasi_ftpd_host::config::{Identities, IdentityFiles, Tls};

    use wasi_ftpd_host::accounts::Users;
    use wasi_ftpd_host::storage::Unfinished;

    use super::*;
    use crate::cli::Providers;

    fn said(setup: &Setup) -> Vec<String> {
        findings(setup).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn each_mistake_is_found_and_a_good_configuration_is_not() {
        let root = tempfile::tempdir().unwrap();
        let config = Config::default();
        let (users, unfinished) = (Users::default(), Unfinished::default());
        let (providers, generated) = (Providers::default(), Vec::new());
        let (root_path, fsync) = (Some(root.path().into()), false);
        let mut good =
            Setup { config, root: root_path, unfinished, fsync, users, users_file: None, providers, generated };
        good.config.listen = vec!["127.0.0.1:0".parse().unwrap()];
        assert_eq!(said(&good), [] as [&str; 0]);

        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let mut changed = good.clone();
        changed.config.listen = vec![taken.local_addr().unwrap()];
        changed.config.passive_ports = 1024..=65535;
        changed.config.public_address = Some("10.1.2.3".parse().unwrap());
        let said_of = said(&changed);
        assert_eq!(said_of.len(), 3, "{said_of:?}");
        assert!(said_of[0].contains("another program"), "{said_of:?}");
        assert!(said_of[1].contains(&port.to_string()), "{said_of:?}");
        assert!(said_of[2].contains("private"), "{said_of:?}");

        let mut narrow = good.clone();
        narrow.config.passive_ports = 50_000..=50_010;
        assert!(said(&narrow)[0].contains("11 ports for 2000 clients"));

        let mut public = good.clone();
        for (address, private) in [
            ("192.168.1.1", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("127.0.0.1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2001:db8::1", false),
        ] {
            public.config.public_address = Some(address.parse().unwrap());
            assert_eq!(said(&public).iter().any(|line| line.contains("is private")), private, "{address}");
        }

        let mut tls = good.clone();
        let nothing = PathBuf::from("/no/such");
        let files = IdentityFiles { certificate: nothing.clone(), key: nothing, ocsp: None };
        tls.config.tls = Some(Tls::new(Identities::Files(vec![files])));
        assert!(said(&tls)[0].contains("cannot read /no/such"), "{:?}", said(&tls));

        // The sticky bit keeps others from removing files, and not from bringing some.
        for mode in [0o777, 0o1777, 0o702] {
            fs::set_permissions(root.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert!(said(&good)[0].contains("chmod"), "{mode:o}: {:?}", said(&good));
        }
        good.root = Some(root.path().join("missing"));
        assert!(said(&good)[0].contains("exists"));
    }
}
