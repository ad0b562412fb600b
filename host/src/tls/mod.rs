//! TLS of control and data connections (RFC 4217), of which the host alone knows keys and contents.

mod bond;
mod client;
mod faults;
mod identity;
pub(crate) mod kernel;
mod layer;
mod self_signed;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use log::{info, warn};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::server::ProducesTickets;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ServerConfig};

pub(crate) use bond::Bond;
pub(crate) use client::names;
pub use faults::faults;
pub(crate) use layer::Layer;

use crate::config::{Identities as Sources, IdentityFiles, SessionReuse, Tls as Settings};
use identity::{Identities, Identity, Resolver};

/// What all sessions share of it.
pub(crate) struct Tls {
    pub(crate) settings: Settings,
    provider: Arc<CryptoProvider>,
    /// One for as long as the server runs, so that tickets stay good when certificates change.
    tickets: Arc<dyn ProducesTickets>,
    /// Of its own making, for as long as it runs.
    self_signed: Option<Arc<Identity>>,
    current: Mutex<Current>,
}

/// What new sessions get.
#[derive(Clone)]
struct Current {
    config: Arc<ServerConfig>,
    identities: Identities,
}

impl Tls {
    /// Read every file. `addresses` are the server's, for a certificate of its own making.
    pub(crate) fn new(settings: Settings, addresses: &[IpAddr]) -> Result<Self> {
        // Never the process's default: it belongs to the program that we are a part of.
        let mut provider = aws_lc_rs::default_provider();
        // The rest in the order that it has: the strongest first.
        provider.cipher_suites.sort_by_key(|suite| !is_quick(suite.suite()));
        let provider = Arc::new(provider);
        let self_signed = match &settings.identities {
            Sources::SelfSigned(file) => Some(Arc::new(
                self_signed::identity(&provider, file.as_deref(), addresses).context("--tls self-signed")?,
            )),
            Sources::Files(_) => None,
        };
        let tickets = aws_lc_rs::Ticketer::new().context("no key for TLS tickets")?;
        let current = Mutex::new(load(&settings, &provider, self_signed.as_ref())?);
        Ok(Self { settings, provider, tickets, self_signed, current })
    }

    /// Read every file again. New sessions get what is in them; if anything is wrong, what there was.
    pub(crate) fn reload(&self) {
        match load(&self.settings, &self.provider, self.self_signed.as_ref()) {
            Ok(new) => {
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = new;
                info!("certificates are loaded again");
            }
            Err(error) => warn!("certificates stay what they were: {error:#}"),
        }
    }

    /// What a new session gets. `host`: the name that its client has given (HOST), if it has.
    pub(crate) fn bond(&self, host: Option<&str>) -> Result<Bond> {
        let Current { config, identities } = self.current();
        let mut config = ServerConfig::clone(&config);
        if let Some(host) = host.and_then(server_name) {
            config.cert_resolver = Arc::new(Resolver::new(identities, Some(host)));
        }
        let Settings { session_reuse, close_notify, .. } = self.settings;
        Bond::new(config, &self.tickets, session_reuse, close_notify)
    }

    /// Whether that name is one of the server's. If it has but one certificate, all are.
    pub(crate) fn knows(&self, host: &str) -> bool {
        let identities = self.current().identities;
        identities.len() == 1
            || server_name(host).is_some_and(|name| identities.iter().any(|identity| identity.is_for(&name)))
    }

    /// The SHA-256 digest of the certificate of its own making.
    pub(crate) fn fingerprint(&self) -> Option<String> {
        self.self_signed.as_ref()?.fingerprint()
    }

    /// Every file that was read.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let identities = match &self.settings.identities {
            Sources::SelfSigned(_) => &[][..],
            Sources::Files(files) => files,
        };
        let authorities = self.settings.client_certificates.as_ref().map(|clients| &*clients.authorities);
        identities
            .iter()
            .flat_map(|files| [Some(&*files.certificate), Some(&*files.key), files.ocsp.as_deref()])
            .chain([authorities])
            .flatten()
            .map(Path::to_owned)
            .collect()
    }

    fn current(&self) -> Current {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Read every file.
fn load(settings: &Settings, provider: &Arc<CryptoProvider>, self_signed: Option<&Arc<Identity>>) -> Result<Current> {
    let identities: Identities = match (&settings.identities, self_signed) {
        (Sources::Files(files), _) => {
            let load = |files: &IdentityFiles| {
                let identity = Identity::load(provider, files)?;
                let file = files.certificate.display();
                identity.out_of_date().iter().for_each(|what| warn!("{file}: {what}"));
                Ok(Arc::new(identity))
            };
            files.iter().map(load).collect::<Result<_>>().context("--tls")?
        }
        (Sources::SelfSigned(_), made) => made.cloned().into_iter().collect(),
    };
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&TLS13, &TLS12])?;
    let builder = match &settings.client_certificates {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            builder.with_client_cert_verifier(client::verifier(provider, clients).context("--tls-client-ca")?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(Resolver::new(identities.clone(), None)));
    config.ignore_client_order = true;
    Ok(Current { config: Arc::new(config), identities })
}

/// Suites that nobody can break and that cost the least: SHA-384 takes a tenth of a log-in's time, and most clients would
/// have it.
fn is_quick(suite: CipherSuite) -> bool {
    use CipherSuite::{
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS13_AES_128_GCM_SHA256,
    };
    matches!(
        suite,
        TLS13_AES_128_GCM_SHA256 | TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 | TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}

/// A name as clients write it: of a host, or an address, with the brackets of RFC 7151 §3.1.
fn server_name(name: &str) -> Option<ServerName<'static>> {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    ServerName::try_from(bare).ok().map(|name| name.to_owned())
}
