//! Real clients over TLS, explicit and implicit, contents compared byte for byte.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/client.rs"]
mod client;
#[path = "support/process.rs"]
mod process;
#[path = "support/program.rs"]
mod program;
#[path = "support/secure.rs"]
mod secure;
#[path = "support/tree.rs"]
mod tree;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;

use client::{Client, Control, data, until};
use process::{PYTHON_LIBRARIES, SESSIONS, Serve, client, installed, lftp, rclone, run, scratch};
use program::command;
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use rustix::process::Signal;
use rustls::ClientConfig;
use rustls::version::TLS13;
use secure::{Authority, Secure, wrap};

/// Lets nobody in without TLS, explicit on the first of its addresses, implicit on the second.
fn protected(root: &Path) -> Serve {
    Serve::run(&mut protected_with(root, &["--tls", "self-signed"]))
}

fn protected_with(root: &Path, options: &[&str]) -> Command {
    logging(root, "warn", options)
}

fn logging(root: &Path, level: &str, options: &[&str]) -> Command {
    let mut command = command();
    command.arg("serve").arg(root).args(["--listen", "127.0.0.1:0", "--implicit-listen", "127.0.0.1:0"]);
    command.args(["--tls-policy", "required-for-data", "--user", "u:p", "--writable", "--log", level]).args(options);
    command
}

/// Explicit and implicit, by the address of each.
const SCHEMES: [(usize, &str); 2] = [(0, "ftp"), (1, "ftps")];

#[test]
fn curl() {
    let (root, local, serve) = scratch(protected);
    let Some(_) = client("curl") else { return };
    let octets = tree::octets();
    let path = local.path().join("file");
    fs::write(&path, &octets).unwrap();
    for (index, scheme) in SCHEMES {
        // Not --ftp-port: curl 7.88 sends in clear then.
        for mode in [&["--disable-epsv"][..], &[]] {
            for version in ["1.2", "1.3"] {
                let url = format!("{scheme}://u:p@{}/dir/{index}{}{version}", serve.addresses[index], mode.len());
                let curl = || {
                    let mut curl = client("curl").unwrap();
                    curl.args(["-sS", "--max-time", "60", "--ssl-reqd", "--insecure", "--tls-max", version]);
                    curl.args(mode).arg(&url);
                    curl
                };
                run(curl().arg("--ftp-create-dirs").arg("-T").arg(&path));
                assert!(run(&mut curl()) == octets, "{mode:?}");
                let part = local.path().join("part");
                fs::write(&part, &octets[..1_000_000]).unwrap();
                run(curl().args(["-C", "-", "-o"]).arg(&part));
                assert!(fs::read(&part).unwrap() == octets);
            }
        }
    }
    let plain = format!("ftp://u:p@{}/", serve.addresses[0]);
    assert_eq!(client("curl").unwrap().args(["-sS", &plain]).output().unwrap().status.code(), Some(67));
    assert_eq!(fs::read_dir(root.path().join("dir")).unwrap().count(), 8);
}

#[test]
fn curl_with_many_files() {
    let (root, local, serve) = scratch(protected);
    let Some(_) = client("curl") else { return };
    let up = local.path().join("up");
    tree::make(&up, 60, true);
    for (index, scheme) in SCHEMES {
        let down = local.path().join(scheme);
        let (mut uploads, mut downloads) = (Vec::new(), Vec::new());
        for file in tree::files(&up) {
            let escaped = file.as_os_str().as_bytes().iter().fold(String::new(), |mut escaped, octet| {
                let _ = write!(escaped, "%{octet:02x}");
                escaped
            });
            let url = format!("url = \"{scheme}://u:p@{}/{scheme}/{escaped}\"\n", serve.addresses[index]);
            let line = |what: &str, path: &Path| [what.as_bytes(), path.as_os_str().as_bytes(), b"\"\n"].concat();
            uploads.extend([url.as_bytes(), &line("upload-file = \"", &up.join(&file))].concat());
            downloads.extend([url.as_bytes(), &line("output = \"", &down.join(&file))].concat());
        }
        for (made, list) in [(root.path().join(scheme), uploads), (down, downloads)] {
            let config = local.path().join("config");
            fs::write(&config, list).unwrap();
            // In parallel: one after the other, 7.88 pauses for most of a second between two files.
            run(client("curl")
                .unwrap()
                .args(["-sS", "--no-progress-meter", "--parallel", "--max-time", "60", "--ssl-reqd", "--insecure"])
                .args(["--ftp-create-dirs", "--create-dirs", "--config"])
                .arg(config));
            tree::assert_same(&up, &made);
        }
    }
}

#[test]
fn lftp_mirrors_up_and_down() {
    for (index, scheme) in SCHEMES {
        for passive in [true, false] {
            let (root, local, serve) = scratch(protected);
            if client("lftp").is_none() {
                return;
            }
            let (up, down) = (local.path().join("up"), local.path().join("down"));
            tree::make(&up, 60, true);
            let settings = format!(
                "set ssl:verify-certificate no; set ftp:ssl-force yes; set ftp:ssl-protect-data yes; \
                 set ftp:passive-mode {passive}"
            );
            let lftp = |script: &str| lftp(&format!("{scheme}://{}", serve.addresses[index]), &settings, script);
            lftp(&format!("mirror --parallel=2 --reverse {} tree", up.display()));
            tree::assert_same(&up, &root.path().join("tree"));
            lftp(&format!("mirror --parallel=2 tree {}", down.display()));
            tree::assert_same(&up, &down);
        }
    }
}

#[test]
fn python_ftplib() {
    let (root, _local, serve) = scratch(protected);
    let Some(_) = client("python3") else { return };
    let script = format!("{SESSIONS}/ftplib_session.py");
    for passive in ["1", "0"] {
        run(client("python3").unwrap().args([&script, "127.0.0.1", serve.port(0), passive, "tls"]));
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

/// A libcurl of today, which keeps its session, and with it as the policy wants.
#[test]
fn python_pycurl() {
    let enforcing = |root: &Path| {
        Serve::run(&mut protected_with(root, &["--tls", "self-signed", "--tls-session-reuse", "enforce"]))
    };
    let (root, local, serve) = scratch(enforcing);
    if client("python3").is_none() || !installed("pycurl", &Path::new(PYTHON_LIBRARIES).join("pycurl")) {
        return;
    }
    let script = format!("{SESSIONS}/pycurl_session.py");
    let up = local.path().join("up");
    tree::make(&up, 60, true);
    for (index, scheme) in SCHEMES {
        for mode in ["passive", "active"] {
            let tree = format!("{scheme}-{mode}");
            let down = local.path().join(&tree);
            let mut python = client("python3").unwrap();
            python.env("PYTHONPATH", PYTHON_LIBRARIES).args([&script, scheme, &serve.addresses[index], mode]);
            run(python.arg(&up).arg(&tree).arg(&down));
            tree::assert_same(&up, &root.path().join(&tree));
            tree::assert_same(&up, &down);
        }
    }
}

#[test]
fn node_basic_ftp() {
    let (root, _local, serve) = scratch(protected);
    let libraries = Path::new(SESSIONS).join("node_modules/basic-ftp");
    if client("node").is_none() || !installed("basic-ftp", &libraries) {
        return;
    }
    for (index, secure) in [(0, "explicit"), (1, "implicit")] {
        let script = format!("{SESSIONS}/basic_ftp_session.mjs");
        run(client("node").unwrap().args([&script, "127.0.0.1", serve.port(index), "epsv", secure]));
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn rclone_syncs_up_and_down() {
    // Its connections share what they know of sessions, so that there must be but one where that is looked at.
    let one = ["--ftp-concurrency=1", "--transfers=1", "--checkers=1"];
    for (reuse, options) in [("allow", &[][..]), ("enforce", &one)] {
        let serve = |root: &Path| {
            Serve::run(&mut protected_with(root, &["--tls", "self-signed", "--tls-session-reuse", reuse]))
        };
        let (root, local, serve) = scratch(serve);
        let up = local.path().join("up");
        tree::make(&up, 50, true);
        fs::write(up.join("large"), tree::octets()).unwrap();
        for (index, mode) in [(0, "--ftp-explicit-tls"), (1, "--ftp-tls")] {
            let down = local.path().join(mode);
            let remote = format!(":ftp:{mode}");
            for (from, to) in [(up.to_str().unwrap(), &*remote), (&remote, down.to_str().unwrap())] {
                let Some(mut rclone) = rclone("127.0.0.1", serve.port(index)) else { return };
                run(rclone.args([mode, "--ftp-no-check-certificate", "sync", from, to]).args(options));
            }
            tree::assert_same(&up, &root.path().join(mode));
            tree::assert_same(&up, &down);
        }
    }
}

/// Debian's ftp-ssl never says that a file is complete (close_notify).
#[test]
fn a_client_for_which_there_is_lax_close() {
    let octets = tree::octets();
    for (options, complete) in [(&[][..], false), (&["--tls-lax-close"][..], true)] {
        let serve = |root: &Path| Serve::run(&mut protected_with(root, &[&["--tls", "self-signed"], options].concat()));
        let (root, local, serve) = scratch(serve);
        let Some(mut ftp) = client("ftp-ssl") else { return };
        let file = |name: &str| local.path().join(name);
        fs::write(file("file"), &octets).unwrap();
        fs::write(
            file("script"),
            format!(
                "open 127.0.0.1 {}\nuser u p\nbinary\nput {up} active\npassive\nput {up} passive\nget passive {down}\nquit\n",
                serve.port(0),
                up = file("file").display(),
                down = file("down").display()
            ),
        )
        .unwrap();
        let said = run(ftp.args(["-n", "-v", "-i", "-z", "secure"]).stdin(File::open(file("script")).unwrap()));
        let said = String::from_utf8_lossy(&said).into_owned();
        for name in ["active", "passive"] {
            let stored = fs::read(root.path().join(name)).ok();
            assert!(stored == complete.then(|| octets.clone()), "{name}: {said}");
        }
        assert!(!complete || fs::read(file("down")).unwrap() == octets, "{said}");
        assert_eq!(said.matches("426 ").count(), if complete { 0 } else { 2 }, "{said}");
    }
}

// The program itself.

#[test]
fn a_new_certificate_on_sighup() {
    let (authority, keys) = (Authority::new(), tempfile::tempdir().unwrap());
    let files = authority.files(keys.path(), &["127.0.0.1"]);
    // Always as long and as old as before, so that it is not found by looking at the files.
    let unseen = |pair: &[String; 2]| {
        for (path, pem) in [&files.certificate, &files.key].into_iter().zip(pair) {
            fs::write(path, format!("{pem:\n<2000}")).unwrap();
            File::options().write(true).open(path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
    };
    let pair = || <[String; 2]>::from(authority.certificate(&["127.0.0.1"], &KeyPair::generate().unwrap()));
    let (old, new) = (pair(), pair());
    unseen(&old);
    let options = format!("{},{}", files.certificate.display(), files.key.display());
    let (_root, _local, serve) = scratch(|root| Serve::run(&mut protected_with(root, &["--tls", &options])));
    let shown = || Secure::implicit(serve.addresses[1].parse().unwrap(), authority.client(&TLS13)).certificate();
    let first = shown();
    // A key that does not match changes nothing.
    unseen(&[old[0].clone(), new[1].clone()]);
    serve.signal(Signal::HUP);
    assert_eq!(shown(), first);
    unseen(&new);
    assert_eq!(shown(), first);
    serve.signal(Signal::HUP);
    until(|| shown() != first, "the new certificate");
}

#[test]
fn a_certificate_of_its_own_making_is_kept() {
    let state = tempfile::tempdir().unwrap();
    let fingerprint = || {
        let serve = |root: &Path| {
            Serve::run(protected_with(root, &["--tls", "self-signed"]).env("STATE_DIRECTORY", state.path()))
        };
        let (_root, _local, serve) = scratch(serve);
        let kept = format!("(kept in {})", state.path().join("self-signed.pem").display());
        let line = serve.introduction.lines().find(|line| line.contains("SHA-256")).unwrap().to_owned();
        assert!(line.ends_with(&kept), "{line}");
        line
    };
    assert_eq!(fingerprint(), fingerprint());
}

#[test]
fn the_log_says_why_there_is_no_tls() {
    let (authority, files) = (Authority::new(), tempfile::tempdir().unwrap());
    let ca = files.path().join("ca.pem");
    fs::write(&ca, authority.pem()).unwrap();
    let log = files.path().join("log");
    let pair = authority.files(files.path(), &["127.0.0.1"]);
    let pair = format!("{},{}", pair.certificate.display(), pair.key.display());
    let required = ["--tls-client-ca", ca.to_str().unwrap(), "--tls-client-certificates", "required"];
    let options = [&["--tls", &pair, "--login-timeout", "3"][..], &required].concat();
    let serve = |root: &Path| Serve::run(logging(root, "info", &options).stderr(File::create(&log).unwrap()));
    let (root, _local, serve) = scratch(serve);
    fs::write(root.path().join("f"), "content").unwrap();
    let address = serve.address();
    let auth = || {
        let mut client = Client::connect(address);
        client.expect("AUTH TLS", 234);
        client
    };
    let said = |what: &str| until(|| fs::read_to_string(&log).unwrap().contains(what), what);

    auth().send("GET / HTTP/1.1\r\n");
    said("no TLS: this is not TLS");
    drop(auth());
    said("no TLS: unexpected end of file");
    let _silent = auth();
    said("no TLS: the handshake took too long");
    let with = |config: ClientConfig| drop(Secure::over(auth(), config, "127.0.0.1").stream.read(&mut [0]));
    with(authority.client(&TLS13));
    said("no TLS: peer sent no certificates");
    with(Authority::new().client_as("u"));
    said("no TLS: received fatal alert: ");
    let mut config = authority.client_as("u");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    with(config);
    said("no TLS: peer doesn't support any known protocol");

    let mut client = Secure::over(auth(), authority.client_as("u"), "127.0.0.1");
    client.expect("USER u", 232);
    client.expect("PBSZ 0", 200);
    client.expect("PROT P", 200);
    let port = client.passive();
    client.send("RETR f\r\n");
    drop(data(port));
    assert_eq!((client.reply().0, client.reply().0), (150, 522));
    said("no TLS on a data connection: ");
    // A session of its own is let in, and said.
    let port = client.passive();
    client.send("RETR f\r\n");
    let mut octets = Vec::new();
    wrap(&Arc::new(authority.client_as("u")), "127.0.0.1", data(port)).read_to_end(&mut octets).unwrap();
    assert_eq!(octets, b"content");
    said("data connections do not resume the TLS session of their control connection");
}

// What is offered, as others see it.

#[test]
fn nothing_below_tls_1_2() {
    let (_root, _local, serve) = scratch(protected);
    for (version, accepted) in [("-tls1", false), ("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)] {
        let Some(mut openssl) = client("openssl") else { return };
        openssl.args(["s_client", "-starttls", "ftp", version, "-cipher", "ALL:@SECLEVEL=0", "-connect"]);
        let output = openssl.arg(&serve.addresses[0]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said.contains("Cipher is TLS") || said.contains("Cipher is ECDHE"), accepted, "{version}: {said}");
    }
    // Nor anything weak at all: no CBC, no RSA key exchange, no 3DES.
    for cipher in ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES256-GCM-SHA384"] {
        let Some(mut openssl): Option<Command> = client("openssl") else { return };
        openssl.args(["s_client", "-starttls", "ftp", "-tls1_2", "-cipher", cipher, "-connect", &serve.addresses[0]]);
        let said = String::from_utf8_lossy(&openssl.output().unwrap().stdout).into_owned();
        assert!(said.contains("Cipher is (NONE)"), "{cipher}: {said}");
    }
}

/// OpenSSL asks for AES-256 first.
#[test]
fn the_suites_that_cost_the_least_come_first() {
    let (_root, _local, serve) = scratch(protected);
    for (version, suite) in [("-tls1_2", "ECDHE-ECDSA-AES128-GCM-SHA256"), ("-tls1_3", "TLS_AES_128_GCM_SHA256")] {
        let Some(mut openssl) = client("openssl") else { return };
        openssl.args(["s_client", "-starttls", "ftp", version, "-connect", &serve.addresses[0]]);
        let said = String::from_utf8_lossy(&openssl.output().unwrap().stdout).into_owned();
        assert!(said.contains(&format!("Cipher is {suite}")), "{version}: {said}");
    }
}

/// What `docs/tls.md` says is offered. nmap writes AKE in TLS 1.3, where suites leave key exchange and
/// authentication open.
const OFFERED: [&str; 9] = [
    "TLS_AKE_WITH_AES_128_GCM_SHA256",
    "TLS_AKE_WITH_AES_256_GCM_SHA384",
    "TLS_AKE_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

#[test]
fn nmap_finds_what_is_offered_and_nothing_weak() {
    // A key of each kind, so that all suites can be had.
    let (authority, keys) = (Authority::new(), tempfile::tempdir().unwrap());
    let pair = |name: &str, key: &KeyPair| {
        let files = authority.files_with(keys.path(), &[name], key);
        format!("{},{}", files.certificate.display(), files.key.display())
    };
    let rsa = pair("rsa.example", &KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap());
    let ecdsa = pair("ecdsa.example", &KeyPair::generate().unwrap());
    let serve = |root: &Path| Serve::run(&mut protected_with(root, &["--tls", &ecdsa, "--tls", &rsa]));
    let (_root, local, serve) = scratch(serve);
    let Some(mut nmap) = client("nmap") else { return };
    // It begins with AUTH TLS where its list of services says so.
    let services = local.path().join("services");
    fs::write(&services, format!("ftp {}/tcp 1\nftps {}/tcp 1\n", serve.port(0), serve.port(1))).unwrap();
    let said = run(nmap.args(["-n", "-Pn", "--script", "ssl-enum-ciphers", "127.0.0.1", "--servicedb"]).arg(services));
    let said = String::from_utf8(said).unwrap();
    assert_eq!(said.matches("least strength: A\n").count(), 2, "{said}");
    assert_eq!(said.matches("warnings:").count(), 0, "{said}");
    let (mut versions, mut suites) = (BTreeSet::new(), BTreeSet::new());
    for line in said.lines().map(|line| line.trim_matches(['|', '_', ' '])) {
        if line.starts_with("TLSv") || line.starts_with("SSLv") {
            versions.insert(line);
        } else if line.starts_with("TLS_") {
            assert!(line.ends_with(" - A"), "{line}");
            suites.insert(line.split(' ').next().unwrap());
        }
    }
    assert_eq!(versions, BTreeSet::from(["TLSv1.2:", "TLSv1.3:"]), "{said}");
    assert_eq!(suites, BTreeSet::from(OFFERED), "{said}");
}

/// A response about a certificate, as one who vouches for it gives it, reaches a client.
#[test]
fn openssl_sees_the_staple() {
    let (authority, keys) = (Authority::new(), tempfile::tempdir().unwrap());
    let files = authority.files(keys.path(), &["127.0.0.1"]);
    let path = |name: &str| keys.path().join(name).to_str().unwrap().to_owned();
    let (ca, ca_key, index, response) = (path("ca.pem"), path("ca.key"), path("index.txt"), path("response.der"));
    let certificate = files.certificate.to_str().unwrap();
    fs::write(&ca, authority.pem()).unwrap();
    fs::write(&ca_key, authority.key_pem()).unwrap();
    let Some(mut openssl) = client("openssl") else { return };
    let serial = String::from_utf8(run(openssl.args(["x509", "-noout", "-serial", "-in", certificate]))).unwrap();
    let serial = serial.trim().strip_prefix("serial=").unwrap();
    fs::write(&index, format!("V\t491231235959Z\t\t{serial}\tunknown\t/CN=127.0.0.1\n")).unwrap();
    run(client("openssl").unwrap().args(["ocsp", "-index", &index, "-CA", &ca, "-issuer", &ca]).args([
        "-rsigner",
        &ca,
        "-rkey",
        &ca_key,
        "-cert",
        certificate,
        "-ndays",
        "1",
        "-respout",
        &response,
    ]));

    let pair = format!("{certificate},{}", files.key.display());
    let serve = |root: &Path| Serve::run(&mut protected_with(root, &["--tls", &pair, "--tls-ocsp", &response]));
    let (_root, _local, serve) = scratch(serve);
    let said = run(client("openssl")
        .unwrap()
        .args(["s_client", "-status", "-verify_return_error", "-CAfile", &ca])
        .args(["-starttls", "ftp", "-connect", &serve.addresses[0]]));
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("OCSP Response Status: successful") && said.contains("Cert Status: good"), "{said}");
    assert!(said.contains(&format!("Serial Number: {serial}")), "{said}");
}
