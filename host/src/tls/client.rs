//! Certificates that clients show.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::ClientCertificates;

/// Who decides whether they are good.
pub(super) fn verifier(
    provider: &Arc<CryptoProvider>,
    clients: &ClientCertificates,
) -> Result<Arc<dyn ClientCertVerifier>> {
    let file = clients.authorities.display();
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(&clients.authorities);
    for certificate in certificates.with_context(|| format!("cannot read {file}"))? {
        let certificate = certificate.with_context(|| format!("cannot read {file}"))?;
        roots.add(certificate).with_context(|| format!("{file}: not a certificate that can vouch for others"))?;
    }
    ensure!(!roots.is_empty(), "{file}: no certificate in it (PEM, BEGIN CERTIFICATE)");
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    if !clients.required {
        builder = builder.allow_unauthenticated();
    }
    builder.build().with_context(|| format!("{file}: cannot vouch for clients"))
}

/// The names that a certificate, which is good, gives its subject: common names and e-mail addresses.
pub(crate) fn names(certificate: &[u8]) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let mail = alternative.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
        GeneralName::RFC822Name(address) => Some(*address),
        _ => None,
    });
    common.chain(mail).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    #[test]
    fn names_of_the_subject() {
        let mut params = CertificateParams::new(vec!["host.example".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "anna");
        params.subject_alt_names.push(SanType::Rfc822Name("anna@example.org".try_into().unwrap()));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(names(certificate.der()), ["anna", "anna@example.org"]);
        assert!(names(b"nonsense").is_empty());
    }
}
