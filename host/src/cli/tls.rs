//! What was typed about TLS.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use wasi_ftpd_host::config::{ClientCertificates, Identities, IdentityFiles, SessionReuse, Tls, TlsPolicy};

use super::{TLS, listen};

/// FTP over TLS.
#[derive(Args)]
pub(crate) struct TlsArgs {
    /// Certificate and key in PEM files, chosen by name; repeatable. Or self-signed: made once and kept
    #[arg(long = "tls", value_name = "CERT.pem,KEY.pem", help_heading = TLS)]
    identities: Vec<String>,

    /// off, allowed, required (to log in), or required-for-data (also) [default: allowed]
    #[arg(long, value_name = "WHAT", value_parser = policy, help_heading = TLS)]
    tls_policy: Option<Policy>,

    /// Where clients connect with TLS from the start (port 990); repeatable
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen, help_heading = TLS)]
    implicit_listen: Vec<SocketAddr>,

    /// Certificates, in PEM, that vouch for those of clients, who then log in as whom these name
    #[arg(long, value_name = "FILE", help_heading = TLS)]
    tls_client_ca: Option<PathBuf>,

    /// Whether clients must show one: optional or required [default: optional]
    #[arg(long, value_name = "WHAT", value_parser = client_certificates, help_heading = TLS)]
    tls_client_certificates: Option<bool>,

    /// Data connections that do not resume the session: off, allow (and log), enforce [default: allow]
    #[arg(long, value_name = "WHAT", value_parser = session_reuse, help_heading = TLS)]
    tls_session_reuse: Option<SessionReuse>,

    /// Let users go on in clear (CCC), for firewalls that must read commands
    #[arg(long, help_heading = TLS)]
    tls_ccc: bool,

    /// Take uploads without TLS close_notify for complete, for old clients
    #[arg(long, help_heading = TLS)]
    tls_lax_close: bool,

    /// OCSP response, in DER, for the first certificate; repeatable, for the next ones
    #[arg(long, value_name = "FILE", help_heading = TLS)]
    tls_ocsp: Vec<PathBuf>,
}

/// The word for there being none, and those of [`TlsPolicy`].
#[derive(Clone, Copy)]
enum Policy {
    Off,
    On(TlsPolicy),
}

impl TlsArgs {
    /// What the server is to be told. Errors name the flag and what to do.
    pub(super) fn config(self) -> Result<Option<Tls>> {
        if self.identities.is_empty() {
            self.nothing_else()?;
            return Ok(None);
        }
        let policy = match self.tls_policy {
            None => TlsPolicy::Allowed,
            Some(Policy::On(policy)) => policy,
            Some(Policy::Off) => {
                ensure!(self.implicit_listen.is_empty(), "--implicit-listen: that is TLS, and --tls-policy is off");
                return Ok(None);
            }
        };
        let mut tls = Tls::new(identities(&self.identities, &self.tls_ocsp)?);
        tls.policy = policy;
        tls.implicit_listen = self.implicit_listen;
        tls.client_certificates = match self.tls_client_ca {
            Some(authorities) => {
                readable("--tls-client-ca", &authorities)?;
                Some(ClientCertificates { authorities, required: self.tls_client_certificates.unwrap_or(false) })
            }
            None if self.tls_client_certificates.is_some() => {
                bail!("--tls-client-certificates: say who vouches for them, with --tls-client-ca FILE")
            }
            None => None,
        };
        tls.session_reuse = self.tls_session_reuse.unwrap_or(tls.session_reuse);
        tls.clear_commands = self.tls_ccc;
        tls.close_notify = !self.tls_lax_close;
        Ok(Some(tls))
    }

    /// Without --tls, the other flags mean nothing.
    fn nothing_else(&self) -> Result<()> {
        let others = [
            ("--tls-policy", matches!(self.tls_policy, Some(Policy::On(_)))),
            ("--implicit-listen", !self.implicit_listen.is_empty()),
            ("--tls-client-ca", self.tls_client_ca.is_some()),
            ("--tls-client-certificates", self.tls_client_certificates.is_some()),
            ("--tls-session-reuse", self.tls_session_reuse.is_some()),
            ("--tls-ccc", self.tls_ccc),
            ("--tls-lax-close", self.tls_lax_close),
            ("--tls-ocsp", !self.tls_ocsp.is_empty()),
        ];
        for (flag, given) in others {
            ensure!(!given, "{flag}: there is no TLS; add --tls CERT.pem,KEY.pem or --tls {SELF_SIGNED}");
        }
        Ok(())
    }
}

fn identities(typed: &[String], ocsp: &[PathBuf]) -> Result<Identities> {
    if let [only] = typed
        && only == SELF_SIGNED
    {
        ensure!(ocsp.is_empty(), "--tls-ocsp: nobody answers for a certificate that is {SELF_SIGNED}; leave it out");
        return Ok(Identities::SelfSigned(kept_in(|variable| env::var_os(variable))));
    }
    let mut files = Vec::new();
    for typed in typed {
        ensure!(typed != SELF_SIGNED, "--tls {SELF_SIGNED}: there is another certificate; leave one out");
        let Some((certificate, key)) = typed.split_once(',') else {
            bail!("--tls {typed}: the key is missing; write CERT.pem,KEY.pem, or {SELF_SIGNED}")
        };
        let flag = format!("--tls {typed}");
        let (certificate, key) = (PathBuf::from(certificate), PathBuf::from(key));
        readable(&flag, &certificate)?;
        readable(&flag, &key)?;
        files.push(IdentityFiles { certificate, key, ocsp: None });
    }
    ensure!(ocsp.len() <= files.len(), "--tls-ocsp: given more often than --tls; leave one out");
    for (files, ocsp) in files.iter_mut().zip(ocsp) {
        readable("--tls-ocsp", ocsp)?;
        files.ocsp = Some(ocsp.clone());
    }
    Ok(Identities::Files(files))
}

/// Where a certificate of its own making is kept: in what systemd gives a service, else in what its user has for such
/// things (XDG Base Directory Specification). Without any of them it is not kept.
fn kept_in(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = || Some(path("XDG_STATE_HOME").or_else(|| Some(path("HOME")?.join(".local/state")))?.join("wasi-ftpd"));
    Some(path("STATE_DIRECTORY").or_else(own)?.join("self-signed.pem"))
}

fn readable(flag: &str, file: &Path) -> Result<()> {
    File::open(file).with_context(|| format!("{flag}: cannot read {}", file.display()))?;
    Ok(())
}

fn policy(typed: &str) -> Result<Policy, String> {
    match typed {
        "off" => Ok(Policy::Off),
        "allowed" => Ok(Policy::On(TlsPolicy::Allowed)),
        "required" => Ok(Policy::On(TlsPolicy::Required)),
        "required-for-data" => Ok(Policy::On(TlsPolicy::RequiredForData)),
        _ => Err("write off, allowed, required or required-for-data".into()),
    }
}

fn client_certificates(typed: &str) -> Result<bool, String> {
    match typed {
        "optional" => Ok(false),
        "required" => Ok(true),
        _ => Err("write optional or required".into()),
    }
}

fn session_reuse(typed: &str) -> Result<SessionReuse, String> {
    match typed {
        "off" => Ok(SessionReuse::Off),
        "allow" => Ok(SessionReuse::Allow),
        "enforce" => Ok(SessionReuse::Enforce),
        _ => Err("write off, allow or enforce".into()),
    }
}

/// In the place of files.
const SELF_SIGNED: &str = "self-signed";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_certificate_is_kept() {
        let kept = |variables: &[(&str, &str)]| {
            let found =
                |name: &str| variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| value.into());
            kept_in(found).map(|path| path.into_os_string().into_string().unwrap())
        };
        let home = ("HOME", "/home/me");
        let user = ("XDG_STATE_HOME", "/state");
        let service = ("STATE_DIRECTORY", "/var/lib/ftp");
        assert_eq!(kept(&[home, user, service]).unwrap(), "/var/lib/ftp/self-signed.pem");
        assert_eq!(kept(&[home, user]).unwrap(), "/state/wasi-ftpd/self-signed.pem");
        assert_eq!(kept(&[home, ("XDG_STATE_HOME", "")]).unwrap(), "/home/me/.local/state/wasi-ftpd/self-signed.pem");
        assert_eq!(kept(&[]), None);
    }
}
