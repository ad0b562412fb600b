//! Users of a file, whose passwords are hashed slowly.

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

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use client::{Client, Control, read_all, until};
use process::{Serve, run, scratch};
use rustix::process::Signal;

/// Of `secret`, as `openssl passwd -6` has it.
const HASH: &str = "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1";

/// A file of users, and the root beside it.
fn files(directory: &Path, text: &str) -> (PathBuf, PathBuf) {
    let (users, root) = (directory.join("users"), directory.join("root"));
    fs::write(&users, text).unwrap();
    fs::create_dir(&root).unwrap();
    (users, root)
}

fn serve(directory: &Path, text: &str) -> Serve {
    let (users, root) = files(directory, text);
    program::with(&root, &["--listen", "127.0.0.1:0", "--log", "error", "--users", users.to_str().unwrap()])
}

/// The reply to PASS.
fn log_in(serve: &Serve, user: &str, password: &str) -> u16 {
    let mut client = Client::connect(serve.address());
    client.expect(format!("USER {user}"), 331);
    client.say(format!("PASS {password}")).0
}

#[test]
fn who_is_in_the_file_when_it_was_read_last() {
    let (directory, _local, serve) = scratch(|path| serve(path, &format!("# users\nanna:{HASH}:rw\nbert:{HASH}\n")));
    let url = format!("ftp://{}/f", serve.address());
    let sent = directory.path().join("sent");
    fs::write(&sent, "octets").unwrap();
    let curl = |user: &str| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--user", user, &url]);
        curl
    };
    run(curl("anna:secret").arg("--upload-file").arg(&sent));
    assert_eq!(fs::read(directory.path().join("root/f")).unwrap(), b"octets");
    assert_eq!(run(&mut curl("bert:secret")), b"octets");
    assert!(!curl("bert:secret").arg("--upload-file").arg(&sent).output().unwrap().status.success());
    assert_eq!(log_in(&serve, "anna", "Secret"), 530);
    assert_eq!(log_in(&serve, "carl", "secret"), 530);
    assert_eq!(log_in(&serve, "ftp", "secret"), 530);

    fs::write(directory.path().join("users"), format!("carl:{HASH}\n")).unwrap();
    serve.signal(Signal::HUP);
    until(|| log_in(&serve, "carl", "secret") == 230, "the new users");
    assert_eq!(log_in(&serve, "anna", "secret"), 530);
    serve.stop();
}

#[test]
fn a_flood_of_log_ins_does_not_keep_others_waiting() {
    // Each takes some hundred milliseconds, right or wrong.
    let slow = HASH.replace("$6$", "$6$rounds=500000$");
    let (directory, _local, serve) = scratch(|path| serve(path, &format!("anna:{slow}\nbert:{HASH}\n")));
    let content = vec![7; 32 << 20];
    fs::write(directory.path().join("root/f"), &content).unwrap();
    let mut bert = Client::connect(serve.address());
    bert.expect("USER bert", 331);
    bert.expect("PASS secret", 230);
    bert.expect("TYPE I", 200);

    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..FLOOD {
            scope.spawn(|| {
                let mut client = Client::connect(serve.address());
                client.expect("USER anna", 331);
                client.expect("PASS guess", 530);
                answered.fetch_add(1, Ordering::Relaxed);
            });
        }
        for _ in 0..20 {
            bert.expect("NOOP", 200);
        }
        let address = bert.passive();
        let data = client::data(address);
        bert.expect("RETR f", 150);
        assert!(read_all(data) == content);
        assert_eq!(bert.reply().0, 226);
        assert!(answered.load(Ordering::Relaxed) < FLOOD, "the flood was over before anybody was served");
    });
}

/// Log-ins at once: some seconds of hashing.
const FLOOD: usize = 16;

#[test]
fn mistakes_are_told_before_anybody_comes() {
    let refused = |text: &str, root: &str, wanted: &str| {
        let directory = tempfile::tempdir().unwrap();
        let (users, _) = files(directory.path(), text);
        let serve = program::command().arg("serve").arg(directory.path().join(root)).arg("--users").arg(users).output();
        let error = String::from_utf8(serve.unwrap().stderr).unwrap();
        assert!(error.lines().count() == 1 && error.contains("--users") && error.contains(wanted), "{error}");
    };
    refused("anna:secret\n", "root", "line 1: that is no hash");
    refused(&format!("anna:{HASH}\n\nanna:{HASH}\n"), "root", "line 3: that name is there already");
    refused(&format!("anna:{HASH}\n"), ".", "lies in the served directory");
}
