//! A certificate of the server's own making, for clients that keep its fingerprint.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Result};
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;

use super::identity::Identity;
use crate::config::IdentityFiles;

/// The one in `file`, which is made if it is not there; without a file one that nobody keeps. A new one is for
/// this machine's names and `addresses`.
pub(super) fn identity(provider: &CryptoProvider, file: Option<&Path>, addresses: &[IpAddr]) -> Result<Identity> {
    let made = || make(addresses).context("cannot make a certificate");
    let Some(file) = file else { return Identity::from_pem(provider, &made()?) };
    if !file.exists() {
        keep(file, &made()?).with_context(|| format!("cannot keep a certificate in {}", file.display()))?;
    }
    Identity::load(provider, &in_one_file(file))
}

/// Certificate and key in one file.
pub(super) fn in_one_file(file: &Path) -> IdentityFiles {
    IdentityFiles { certificate: file.to_owned(), key: file.to_owned(), ocsp: None }
}

/// Certificate and key, in PEM.
fn make(addresses: &[IpAddr]) -> Result<String> {
    let name = fs::read_to_string(HOSTNAME).unwrap_or_default();
    let host = Some(name.trim()).filter(|name| ServerName::try_from(*name).is_ok());
    let addresses = addresses.iter().map(IpAddr::to_canonical).filter(|ip| !ip.is_unspecified());
    let mut names: Vec<String> =
        host.map(str::to_owned).into_iter().chain(addresses.map(|ip| ip.to_string())).collect();
    names.push("localhost".to_owned());
    names.sort_unstable();
    names.dedup();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, host.unwrap_or("localhost"));
    // Clients that keep a time in 32 bits take later dates for long past.
    params.not_after = date_time_ymd(2037, 12, 31);
    let key = KeyPair::generate()?;
    Ok(params.self_signed(&key)?.pem() + &key.serialize_pem())
}

/// Write a file that only its owner reads, all at once. Whoever else has written it meanwhile was first.
fn keep(file: &Path, pem: &str) -> io::Result<()> {
    if let Some(directory) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let unfinished = file.with_extension(format!("{:x}.new", getrandom::u64()?));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut opened| opened.write_all(pem.as_bytes()).and_then(|()| opened.sync_all()))
        .and_then(|()| match fs::hard_link(&unfinished, file) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        });
    let _ = fs::remove_file(&unfinished);
    written
}

/// The name of this machine.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustls::crypto::aws_lc_rs::default_provider;

    use super::*;

    fn addresses() -> [IpAddr; 4] {
        ["192.0.2.1", "0.0.0.0", "2001:db8::1", "::ffff:192.0.2.1"].map(|address| address.parse().unwrap())
    }

    #[test]
    fn for_the_names_and_addresses_of_this_machine() {
        let identity = identity(&default_provider(), None, &addresses()).unwrap();
        for name in ["localhost", "192.0.2.1", "2001:db8::1"] {
            assert!(identity.is_for(&ServerName::try_from(name).unwrap()), "{name}");
        }
        assert!(!identity.is_for(&ServerName::try_from("0.0.0.0").unwrap()));
        assert_eq!(identity.fingerprint().unwrap().len(), 32 * 3 - 1);
        assert_eq!(identity.out_of_date(), None);
    }

    #[test]
    fn made_once_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("state/kept.pem");
        let fingerprint = || identity(&default_provider(), Some(&file), &addresses()).unwrap().fingerprint().unwrap();
        let first = std::thread::scope(|scope| {
            let both = [scope.spawn(fingerprint), scope.spawn(fingerprint)].map(|one| one.join().unwrap());
            assert_eq!(both[0], both[1], "two that start at once");
            both[0].clone()
        });
        assert_eq!(fingerprint(), first);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let found: Vec<_> = fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(found, [file.as_path()]);

        fs::write(&file, "spoilt").unwrap();
        let error = identity(&default_provider(), Some(&file), &addresses()).unwrap_err();
        assert!(format!("{error:#}").contains("no certificate in it"), "{error:#}");
        let error = identity(&default_provider(), Some(Path::new("/proc/no/such")), &addresses()).unwrap_err();
        assert!(format!("{error:#}").contains("cannot keep a certificate in /proc/no/such"), "{error:#}");
    }
}
