//! What is wrong with certificates and keys, before clients find out.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;

use super::client;
use super::identity::{Identity, Name};
use super::self_signed::in_one_file;
use crate::config::{Config, Identities};

/// What is wrong with the certificates and keys of a configuration, each in a line that names the file.
pub fn faults(config: &Config) -> Vec<String> {
    let Some(tls) = &config.tls else { return Vec::new() };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let files = match &tls.identities {
        Identities::Files(files) => files.clone(),
        // What is not there yet is made at the start.
        Identities::SelfSigned(file) => {
            file.iter().filter(|file| file.exists()).map(|file| in_one_file(file)).collect()
        }
    };
    let (mut found, mut good) = (Vec::new(), Vec::<Good>::new());
    for files in files {
        let identity = match Identity::load(&provider, &files) {
            Ok(identity) => identity,
            Err(error) => {
                found.push(format!("{error:#}"));
                continue;
            }
        };
        let (file, names) = (files.certificate.display(), identity.names());
        found.extend(identity.out_of_date().map(|what| format!("{file}: {what}")));
        if names.is_empty() {
            found.push(format!("{file}: for no name (subjectAltName), so that clients refuse it"));
        }
        let alike = |other: &&Good| other.names == names && other.identity.algorithm() == identity.algorithm();
        if let Some(other) = good.iter().find(alike) {
            let other = other.file.display();
            found.push(format!("{file}: for the names of {other}, with the same kind of key, so that nobody sees it"));
        }
        good.push(Good { file: files.certificate, names, identity });
    }
    if let Some(public) = config.public_address
        && let Some(Good { file, .. }) = good.iter().find(|good| good.has_address())
        && !good.iter().any(|good| good.names.contains(&Name::Address(public)))
    {
        found.push(format!("{}: for other addresses than --public-address {public}", file.display()));
    }
    if let Some(clients) = &tls.client_certificates
        && let Err(error) = client::verifier(&provider, clients)
    {
        found.push(format!("{error:#}"));
    }
    found
}

/// A certificate that could be loaded.
struct Good {
    file: PathBuf,
    names: BTreeSet<Name>,
    identity: Identity,
}

impl Good {
    /// Whether clients may look for an address in it; most certificates have names alone.
    fn has_address(&self) -> bool {
        self.names.iter().any(|name| matches!(name, Name::Address(_)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SignatureAlgorithm, date_time_ymd};
    use tempfile::{TempDir, tempdir};

    use super::*;
    use crate::config::{ClientCertificates, IdentityFiles, Tls};

    /// Certificates in files, and what is wrong with a server that has them.
    struct Made {
        directory: TempDir,
        files: Vec<IdentityFiles>,
    }

    impl Made {
        fn new() -> Self {
            Self { directory: tempdir().unwrap(), files: Vec::new() }
        }

        fn with(self, names: &[&str], kind: &'static SignatureAlgorithm) -> Self {
            self.with_changed(names, kind, |_| {})
        }

        fn with_changed(
            mut self,
            names: &[&str],
            kind: &'static SignatureAlgorithm,
            change: impl FnOnce(&mut CertificateParams),
        ) -> Self {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut params = CertificateParams::new(names).unwrap();
            change(&mut params);
            let key = KeyPair::generate_for(kind).unwrap();
            let path = |what: &str| self.directory.path().join(format!("{what}-{}.pem", self.files.len()));
            let files = IdentityFiles { certificate: path("certificate"), key: path("key"), ocsp: None };
            fs::write(&files.certificate, params.self_signed(&key).unwrap().pem()).unwrap();
            fs::write(&files.key, key.serialize_pem()).unwrap();
            self.files.push(files);
            self
        }

        #[track_caller]
        fn has(&self, public_address: Option<&str>, wanted: &[&str]) {
            let config = Config {
                public_address: public_address.map(|address| address.parse().unwrap()),
                tls: Some(Tls::new(Identities::Files(self.files.clone()))),
                ..Config::default()
            };
            assert_faults(&config, wanted);
        }
    }

    #[track_caller]
    fn assert_faults(config: &Config, wanted: &[&str]) {
        let found = faults(config);
        assert!(
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| found.contains(wanted)),
            "{found:?}"
        );
    }

    #[test]
    fn good_certificates() {
        let one = Made::new().with(&["one.example", "*.one.example"], &PKCS_ECDSA_P256_SHA256);
        one.has(Some("192.0.2.1"), &[]);
        let two = one.with(&["two.example", "192.0.2.1"], &PKCS_ECDSA_P256_SHA256);
        two.has(Some("192.0.2.1"), &[]);
        // For clients that cannot check the other.
        two.with(&["*.one.example", "ONE.example"], &PKCS_ED25519).has(None, &[]);
    }

    #[test]
    fn names_that_do_not_match() {
        let made = Made::new().with(&["one.example", "192.0.2.1"], &PKCS_ECDSA_P256_SHA256);
        made.has(Some("192.0.2.2"), &["certificate-0.pem: for other addresses than --public-address 192.0.2.2"]);
        let made = made.with(&["192.0.2.1", "ONE.example"], &PKCS_ECDSA_P256_SHA256);
        made.has(None, &["certificate-1.pem: for the names of"]);
        Made::new().with(&[], &PKCS_ED25519).has(None, &["certificate-0.pem: for no name"]);
    }

    #[test]
    fn certificates_and_keys_that_are_no_good() {
        let mut made = Made::new()
            .with_changed(&["old.example"], &PKCS_ED25519, |params| params.not_after = date_time_ymd(2001, 1, 1))
            .with_changed(&["new.example"], &PKCS_ED25519, |params| params.not_before = date_time_ymd(2999, 1, 1));
        made.has(None, &["certificate-0.pem: valid from", "certificate-1.pem: valid from"]);
        made.files[0].key = made.files[1].key.clone();
        made.files.truncate(1);
        made.has(None, &["key-1.pem: not the key of the certificate in"]);
    }

    #[test]
    fn of_its_own_making_and_of_clients() {
        let directory = tempdir().unwrap();
        let file = directory.path().join("kept.pem");
        let tls = Some(Tls::new(Identities::SelfSigned(Some(file.clone()))));
        let mut config = Config { tls, ..Config::default() };
        assert_faults(&config, &[]);
        fs::write(file, "spoilt").unwrap();
        let authorities = Path::new("/no/such").into();
        let tls = config.tls.as_mut().unwrap();
        tls.client_certificates = Some(ClientCertificates { authorities, required: true });
        assert_faults(&config, &["no certificate in it", "cannot read /no/such"]);
    }
}
