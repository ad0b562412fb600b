//! Whom the server says it is: certificates with their keys, and which one a client is shown.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, SignatureAlgorithm};
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::IdentityFiles;

/// All of them, in the order in which they were given.
pub(super) type Identities = Arc<[Arc<Identity>]>;

/// A certificate, those that vouch for it, and its key.
#[derive(Debug)]
pub(super) struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Read and checked. Errors name the file and what is wrong with it.
    pub(super) fn load(provider: &CryptoProvider, files: &IdentityFiles) -> Result<Self> {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        let chain = CertificateDer::pem_file_iter(&files.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(|| format!("cannot read {certificate}"))?;
        ensure!(!chain.is_empty(), "{certificate}: no certificate in it (PEM, BEGIN CERTIFICATE)");
        let der = PrivateKeyDer::from_pem_file(&files.key)
            .with_context(|| format!("{key}: no private key in it that can be read (PEM, without a password)"))?;
        let mut identity = Self::of(provider, chain, der).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                anyhow!("{key}: not the key of the certificate in {certificate}")
            }
            Error::InvalidCertificate(_) => anyhow!("{certificate}: {error}"),
            _ => anyhow!("{key}: {error}; it takes RSA, ECDSA and Ed25519"),
        })?;
        if let Some(ocsp) = &files.ocsp {
            let response = fs::read(ocsp).with_context(|| format!("cannot read {}", ocsp.display()))?;
            ensure!(response.first() == Some(&SEQUENCE), "{}: not an OCSP response in DER", ocsp.display());
            identity.ocsp = Some(response);
        }
        Ok(Self(Arc::new(identity)))
    }

    /// In PEM, both in one text.
    pub(super) fn from_pem(provider: &CryptoProvider, pem: &str) -> Result<Self> {
        let pem = pem.as_bytes();
        let (certificate, key) = (CertificateDer::from_pem_slice(pem)?, PrivateKeyDer::from_pem_slice(pem)?);
        Ok(Self(Arc::new(Self::of(provider, vec![certificate], key)?)))
    }

    fn of(
        provider: &CryptoProvider,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<CertifiedKey, Error> {
        let identity = CertifiedKey::new(chain, provider.key_provider.load_private_key(key)?);
        match identity.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(identity),
            Err(error) => Err(error),
        }
    }

    /// That it is not valid now, which is for clients to mind and for the operator to know.
    pub(super) fn out_of_date(&self) -> Option<String> {
        let certificate = self.certificate()?;
        let validity = certificate.validity();
        let (from, to) = (validity.not_before, validity.not_after);
        (!validity.is_valid()).then(|| format!("valid from {from} to {to}, and not now"))
    }

    /// Whom it is for: what clients look at, and not its common name (RFC 9525 §2).
    pub(super) fn names(&self) -> BTreeSet<Name> {
        let certificate = self.certificate();
        let names = certificate.as_ref().and_then(|certificate| certificate.subject_alternative_name().ok().flatten());
        let name = |name: &GeneralName<'_>| match *name {
            GeneralName::DNSName(host) => Some(Name::Host(host.to_ascii_lowercase())),
            GeneralName::IPAddress(octets) => address(octets).map(Name::Address),
            _ => None,
        };
        names.iter().flat_map(|names| &names.value.general_names).filter_map(name).collect()
    }

    /// The kind of its key.
    pub(super) fn algorithm(&self) -> SignatureAlgorithm {
        self.0.key.algorithm()
    }

    /// Whether the certificate is for that name.
    pub(super) fn is_for(&self, name: &ServerName<'_>) -> bool {
        let certificate = self.0.cert.first().and_then(|certificate| ParsedCertificate::try_from(certificate).ok());
        certificate.is_some_and(|certificate| verify_server_name(&certificate, name).is_ok())
    }

    fn certificate(&self) -> Option<X509Certificate<'_>> {
        X509Certificate::from_der(self.0.cert.first()?).ok().map(|(_, certificate)| certificate)
    }

    /// The SHA-256 digest of the certificate, as other programs show it.
    pub(super) fn fingerprint(&self) -> Option<String> {
        let mut text = String::new();
        for (at, octet) in Sha256::digest(self.0.cert.first()?).iter().enumerate() {
            let _ = write!(text, "{}{octet:02X}", if at == 0 { "" } else { ":" });
        }
        Some(text)
    }
}

/// Whom a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Host(String),
    Address(IpAddr),
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

/// Chooses the certificate that a client is shown: by the name it asks for (SNI), else by the one it has given
/// before (HOST), else the first; of each, the first whose key it can check.
#[derive(Debug)]
pub(super) struct Resolver {
    identities: Identities,
    host: Option<ServerName<'static>>,
}

impl Resolver {
    pub(super) fn new(identities: Identities, host: Option<ServerName<'static>>) -> Self {
        Self { identities, host }
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let usable = |identity: &&Arc<Identity>| identity.0.key.choose_scheme(hello.signature_schemes()).is_some();
        let named =
            |name: &ServerName<'_>| self.identities.iter().filter(|identity| identity.is_for(name)).find(usable);
        let asked = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let identity = asked
            .as_ref()
            .and_then(named)
            .or_else(|| self.host.as_ref().and_then(named))
            .or_else(|| self.identities.iter().find(usable))?;
        Some(identity.0.clone())
    }
}

/// What DER begins with that is a sequence, as every OCSP response is.
const SEQUENCE: u8 = 0x30;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rcgen::{
        CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
    };
    use rustls::crypto::aws_lc_rs::default_provider;
    use tempfile::TempDir;

    use super::*;

    fn write(directory: &TempDir, name: &str, text: &str) -> PathBuf {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn pair(key: &KeyPair, name: &str) -> (String, String) {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.self_signed(key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn every_kind_of_key_and_every_mistake() {
        let directory = tempfile::tempdir().unwrap();
        let mut last = None;
        for algorithm in [&PKCS_RSA_SHA256, &PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            let (certificate, key) = pair(&KeyPair::generate_for(algorithm).unwrap(), "host.example");
            let certificate = write(&directory, "certificate.pem", &certificate);
            let key = write(&directory, &format!("{algorithm:?}.pem"), &key);
            let files = IdentityFiles { certificate, key: key.clone(), ocsp: None };
            let identity = Identity::load(&default_provider(), &files).unwrap();
            let is_for = |name: &str| identity.is_for(&ServerName::try_from(name).unwrap());
            assert!(is_for("host.example") && is_for("HOST.example") && !is_for("example") && !is_for("192.0.2.1"));
            last = Some((files, last.take().map(|(files, _): (IdentityFiles, _)| files.key)));
        }
        let (good, other_key) = last.unwrap();
        let other = |change: &dyn Fn(&mut IdentityFiles)| {
            let mut files = good.clone();
            change(&mut files);
            format!("{:#}", Identity::load(&default_provider(), &files).unwrap_err())
        };
        let line = other(&|files| files.key = other_key.clone().unwrap());
        assert!(line.contains("not the key of the certificate in"), "{line}");
        let line = other(&|files| files.certificate = files.key.clone());
        assert!(line.contains("no certificate in it"), "{line}");
        let line = other(&|files| files.key = files.certificate.clone());
        assert!(line.contains("no private key in it"), "{line}");
        let line = other(&|files| files.ocsp = Some(files.certificate.clone()));
        assert!(line.contains("not an OCSP response in DER"), "{line}");
        let missing = directory.path().join("missing");
        for line in [
            other(&|files| files.certificate = missing.clone()),
            other(&|files| files.key = missing.clone()),
            other(&|files| files.ocsp = Some(missing.clone())),
        ] {
            assert!(line.contains("missing") && line.contains("No such file"), "{line}");
        }
    }
}
