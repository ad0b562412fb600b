//! Real clients over TLS, explicit and implicit, contents compared byte for byte.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/process.rs"]
mod process;
#[path = "support/program.rs"]
mod program;
#[path = "support/tree.rs"]
mod tree;

use std::fs;
use std::path::Path;
use std::process::Command;

use process::{Serve, client, installed, run};
use tempfile::{TempDir, tempdir};

/// A server that lets nobody in without TLS, explicit on the first of its addresses, implicit on the second.
fn scratch() -> (TempDir, TempDir, Serve) {
    let (root, local) = (tempdir().unwrap(), tempdir().unwrap());
    let serve = program::with(
        root.path(),
        &[
            "--listen",
            "127.0.0.1:0",
            "--implicit-listen",
            "127.0.0.1:0",
            "--tls",
            "self-signed",
            "--tls-policy",
            "required-for-data",
            "--user",
            "u:p",
            "--writable",
            "--log",
            "warn",
        ],
    );
    (root, local, serve)
}

fn octets() -> Vec<u8> {
    (0..3_000_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn curl() {
    let (root, local, serve) = scratch();
    let Some(_) = client("curl") else { return };
    let octets = octets();
    let path = local.path().join("file");
    fs::write(&path, &octets).unwrap();
    for (index, scheme) in [(0, "ftp"), (1, "ftps")] {
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
fn lftp_mirrors_up_and_down() {
    for (index, scheme) in [(0, "ftp"), (1, "ftps")] {
        for passive in [true, false] {
            let (root, local, serve) = scratch();
            let (up, down) = (local.path().join("up"), local.path().join("down"));
            tree::make(&up, 60, true);
            let lftp = |script: &str| {
                let Some(mut lftp) = client("lftp") else { return false };
                let script = format!(
                    "set net:max-retries 2; set net:timeout 20; set ssl:verify-certificate no; set ftp:ssl-force yes; \
                     set ftp:ssl-protect-data yes; set ftp:passive-mode {passive}; open -u u,p {scheme}://{}; {script}",
                    serve.addresses[index]
                );
                run(lftp.arg("--norc").args(["-c", &script]));
                true
            };
            if !lftp(&format!("mirror --parallel=2 --reverse {} tree", up.display())) {
                return;
            }
            tree::assert_same(&up, &root.path().join("tree"));
            lftp(&format!("mirror --parallel=2 tree {}", down.display()));
            tree::assert_same(&up, &down);
        }
    }
}

/// Sessions of libraries, as programs in their languages.
const SESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/interop");

#[test]
fn python_ftplib() {
    let (root, _local, serve) = scratch();
    let Some(_) = client("python3") else { return };
    let script = format!("{SESSIONS}/ftplib_session.py");
    for passive in ["1", "0"] {
        run(client("python3").unwrap().args([&script, "127.0.0.1", serve.port(0), passive, "tls"]));
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn node_basic_ftp() {
    let (root, _local, serve) = scratch();
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
    let (root, local, serve) = scratch();
    let Some(mut obscure) = client("rclone") else { return };
    let password = String::from_utf8(run(obscure.args(["obscure", "p"]))).unwrap();
    let up = local.path().join("up");
    tree::make(&up, 50, true);
    fs::write(up.join("large"), octets()).unwrap();
    for (index, mode) in [(0, "--ftp-explicit-tls"), (1, "--ftp-tls")] {
        let down = local.path().join(mode);
        for (from, to) in [(up.to_str().unwrap(), ":ftp:tree"), (":ftp:tree", down.to_str().unwrap())] {
            let mut rclone = client("rclone").unwrap();
            rclone.args(["--config=", "--ftp-host=127.0.0.1", "--ftp-port", serve.port(index), "--ftp-user=u", mode]);
            rclone.env("RCLONE_FTP_PASS", password.trim()).args(["--ftp-no-check-certificate", "--retries=1"]);
            run(rclone.args(["--timeout=20s", "sync", from, to]));
        }
        tree::assert_same(&up, &root.path().join("tree"));
        tree::assert_same(&up, &down);
    }
}

#[test]
fn nothing_below_tls_1_2() {
    let (_root, _local, serve) = scratch();
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
