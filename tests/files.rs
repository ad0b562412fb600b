//! What becomes of files on disk: uploads side by side, long work that is stopped, large and looping trees.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/client.rs"]
mod client;
#[path = "support/host.rs"]
mod host;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::{Duration, Instant};

use client::{Client, read_all, send_all};
use host::Host;
use wasi_ftpd_host::storage::Unfinished;

#[test]
fn two_writers_of_one_name_do_not_mix() {
    let host = Host::start(|_| {});
    let (mut one, mut other) = (Client::login(host.address()), Client::login(host.address()));
    let (mut a, mut b) = (one.open_passive(), other.open_passive());
    one.expect("STOR f", 150);
    other.expect("STOR f", 150);
    for _ in 0..50 {
        a.write_all(&[b'a'; 10_000]).unwrap();
        b.write_all(&[b'b'; 10_000]).unwrap();
    }
    drop(b);
    assert_eq!(other.reply().0, 226);
    assert_eq!(fs::read(host.root().join("f")).unwrap(), [b'b'; 500_000]);
    drop(a);
    assert_eq!(one.reply().0, 226);
    assert_eq!(fs::read(host.root().join("f")).unwrap(), [b'a'; 500_000]);
    assert_eq!(fs::read_dir(host.root()).unwrap().count(), 1, "nothing is left over");
}

#[test]
fn who_appends_keeps_others_out() {
    let host = Host::start(|_| {});
    fs::write(host.root().join("f"), "0123").unwrap();
    let (mut one, mut other) = (Client::login(host.address()), Client::login(host.address()));
    let data = one.open_passive();
    one.expect("APPE f", 150);
    let refused = other.open_passive();
    other.expect("APPE f", 450);
    drop(refused);
    other.expect("REST 2", 350);
    let refused = other.open_passive();
    other.expect("STOR f", 450);
    drop(refused);
    send_all(data, b"45");
    assert_eq!(one.reply().0, 226);
    let data = other.open_passive();
    other.expect("APPE f", 150);
    send_all(data, b"67");
    assert_eq!(other.reply().0, 226);
    assert_eq!(fs::read(host.root().join("f")).unwrap(), b"01234567");
}

#[test]
fn a_reader_keeps_what_it_reads() {
    let host = Host::start(|_| {});
    let old = vec![b'o'; 40_000_000];
    fs::write(host.root().join("f"), &old).unwrap();
    let (mut reader, mut writer) = (Client::login(host.address()), Client::login(host.address()));
    let reading = reader.open_passive();
    reader.expect("RETR f", 150);
    let writing = writer.open_passive();
    writer.expect("STOR f", 150);
    send_all(writing, b"new");
    assert_eq!(writer.reply().0, 226);
    assert!(read_all(reading) == old);
    assert_eq!(reader.reply().0, 226);
    assert_eq!(fs::read(host.root().join("f")).unwrap(), b"new");
}

#[test]
fn unfinished_uploads_as_the_operator_wishes() {
    for (policy, names, size) in [
        (Unfinished::Keep, &[".in.f."][..], Some(213)),
        (Unfinished::Delete, &[], Some(550)),
        (Unfinished::InPlace, &["f"], Some(213)),
    ] {
        let host = Host::start(|config| config.unfinished = policy);
        let mut client = Client::login(host.address());
        let mut data = client.open_passive();
        client.expect("STOR f", 150);
        data.write_all(b"some").unwrap();
        let arrived = || fs::read_dir(host.root()).unwrap().any(|entry| entry.unwrap().metadata().unwrap().len() == 4);
        client::until(arrived, "the octets to arrive");
        client.expect("ABOR", 426);
        assert_eq!(client.reply().0, 226);
        assert_eq!(Some(client.say("SIZE f").0), size, "{policy:?}");
        let left: Vec<_> = fs::read_dir(host.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, names, "{policy:?}");
    }
}

#[test]
fn a_checksum_that_takes_long_can_be_stopped() {
    let host = Host::start(|_| {});
    fs::File::create(host.root().join("big")).unwrap().set_len(1 << 42).unwrap();
    let mut client = Client::login(host.address());
    client.expect("OPTS HASH SHA-512", 200);
    client.send("HASH big\r\n");
    client.expect("NOOP", 200);
    let begun = Instant::now();
    client.expect("ABOR", 451);
    assert_eq!(client.reply().0, 226);
    assert!(begun.elapsed() < Duration::from_secs(10));
    client.expect("SITE COPY missing x", 550);
    client.expect("NOOP", 200);
}

#[test]
fn a_hundred_thousand_entries() {
    let host = Host::start(|_| {});
    for number in 0..100_000 {
        fs::File::create(host.root().join(format!("{number:05}"))).unwrap();
    }
    let mut client = Client::login(host.address());
    for verb in ["MLSD", "LIST -lt", "NLST", "LIST"] {
        let data = client.open_passive();
        client.expect(verb, 150);
        let listing = read_all(data);
        assert_eq!(client.reply().0, 226, "{verb}");
        let mut names: Vec<&[u8]> =
            listing.split(|&octet| octet == b'\n').map(|line| &line[line.len().saturating_sub(6)..]).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 100_001, "{verb}");
    }
}

#[test]
fn bug_10_trees_that_loop() {
    let host = Host::start(|_| {});
    fs::create_dir_all(host.root().join("a/b/c")).unwrap();
    symlink("../..", host.root().join("a/b/up")).unwrap();
    symlink(".", host.root().join("a/self")).unwrap();
    fs::write(host.root().join("a/b/f"), "x").unwrap();
    let mut client = Client::login(host.address());
    let data = client.open_passive();
    client.expect("LIST -aR", 150);
    let listing = String::from_utf8(read_all(data)).unwrap();
    assert_eq!(client.reply().0, 226);
    assert!(listing.matches(":\r\n").count() <= 4, "{listing}");
    client.expect("SITE COPY a copy", 250);
    assert_eq!(fs::read(host.root().join("copy/b/f")).unwrap(), b"x");
    fs::create_dir(host.root().join("keep")).unwrap();
    fs::write(host.root().join("keep/f"), "kept").unwrap();
    symlink("../keep", host.root().join("a/link")).unwrap();
    client.expect("RMDA a", 250);
    assert!(!host.root().join("a").exists());
    assert_eq!(fs::read(host.root().join("keep/f")).unwrap(), b"kept");
}

#[test]
fn modes_times_and_links_on_disk() {
    let host = Host::start(|_| {});
    let mut client = Client::login(host.address());
    let mut store = |name: &str| {
        let data = client.open_passive();
        client.expect(format!("STOR {name}"), 150);
        send_all(data, b"x");
        assert_eq!(client.reply().0, 226);
    };
    let mode = |name: &str| fs::metadata(host.root().join(name)).unwrap().permissions().mode() & 0o777;
    store("f");
    assert_eq!(mode("f"), 0o644);
    fs::set_permissions(host.root().join("f"), fs::Permissions::from_mode(0o600)).unwrap();
    store("f");
    assert_eq!(mode("f"), 0o600, "a file that is replaced keeps its mode");
    client.expect("SITE CHMOD 751 f", 200);
    assert_eq!(mode("f"), 0o751);
    client.expect("SITE UMASK 027", 200);
    client.expect("MKD d", 257);
    assert_eq!(mode("d"), 0o750);
    client.expect("MFF Modify=20010203040506.5;UNIX.mode=0644; f", 213);
    let metadata = fs::metadata(host.root().join("f")).unwrap();
    assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (981_173_106, 500_000_000));
    assert_eq!(mode("f"), 0o644);
    client.expect("SITE SYMLINK f d/l", 200);
    assert_eq!(fs::read_link(host.root().join("d/l")).unwrap().to_str(), Some("../f"));
    client.expect("SITE SYMLINK ../../../etc/passwd out", 200);
    assert_eq!(fs::read_link(host.root().join("out")).unwrap().to_str(), Some("etc/passwd"), "beneath the root");
    client.expect("SIZE out", 550);
}
