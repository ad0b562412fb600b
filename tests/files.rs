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

use client::{Client, Control, read_all, send_all};
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

#[test]
fn a_file_is_not_copied_into_itself_whatever_its_names() {
    let host = Host::start(|_| {});
    fs::create_dir(host.root().join("d")).unwrap();
    fs::write(host.root().join("d/f"), "precious").unwrap();
    symlink("d/f", host.root().join("link")).unwrap();
    symlink("d", host.root().join("dl")).unwrap();
    fs::hard_link(host.root().join("d/f"), host.root().join("hard")).unwrap();
    let mut client = Client::login(host.address());
    for line in [
        "SITE COPY d/f link",
        "SITE COPY link d/f",
        "SITE COPY d/f hard",
        "COMB link d/f",
        "COMB d/f dl/f",
        "COMB new d/f link",
    ] {
        client.expect(line, 550);
        assert_eq!(fs::read(host.root().join("d/f")).unwrap(), b"precious", "{line}");
    }
    assert!(!host.root().join("new").exists());
    client.expect("RMDA dl", 250);
    assert!(fs::symlink_metadata(host.root().join("dl")).is_err());
    assert_eq!(fs::read(host.root().join("d/f")).unwrap(), b"precious");
}

#[test]
fn combined_all_or_nothing() {
    let host = Host::start(|_| {});
    for (name, content) in [("t", "T"), ("a", "A")] {
        fs::write(host.root().join(name), content).unwrap();
    }
    let mut client = Client::login(host.address());
    client.expect("COMB t a missing", 550);
    client.expect("COMB t a a", 550);
    client.expect("COMB n a missing", 550);
    assert_eq!(fs::read(host.root().join("t")).unwrap(), b"T");
    fs::write(host.root().join("missing"), "M").unwrap();
    client.expect("COMB n a missing", 250);
    assert_eq!(fs::read(host.root().join("n")).unwrap(), b"AM");
    client.expect("COMB t n", 250);
    assert_eq!(fs::read(host.root().join("t")).unwrap(), b"TAM");
    let left: Vec<_> = fs::read_dir(host.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["t"]);
}

#[test]
fn old_and_new_do_not_mix_when_a_replacement_is_cut_short() {
    let host = Host::start(|_| {});
    fs::write(host.root().join("f"), "aaaaaaaaaa").unwrap();
    let mut client = Client::login(host.address());
    let cut = |client: &mut Client, name: &str, octets: &[u8]| {
        let mut data = client.open_passive();
        client.expect(format!("STOR {name}"), 150);
        data.write_all(octets).unwrap();
        let hidden = host.root().join(format!(".in.{name}."));
        client::until(|| fs::metadata(&hidden).is_ok_and(|file| file.len() == octets.len() as u64), "the octets");
        client.expect("ABOR", 426);
        assert_eq!(client.reply().0, 226);
    };
    cut(&mut client, "f", b"bbbbb");
    assert!(client.expect("SIZE f", 213).contains("213 10"));
    // Beyond what came of the new one, nothing can be gone on with, by REST or as curl does.
    client.expect("REST 10", 350);
    let _data = client.open_passive();
    client.expect("STOR f", 554);
    client.expect("SIZE f", 213);
    let _data = client.open_passive();
    client.expect("APPE f", 554);
    assert_eq!(fs::read(host.root().join("f")).unwrap(), b"aaaaaaaaaa");
    client.expect("REST 5", 350);
    let data = client.open_passive();
    client.expect("STOR f", 150);
    send_all(data, b"cc");
    assert_eq!(client.reply().0, 226);
    assert_eq!(fs::read(host.root().join("f")).unwrap(), b"bbbbbcc");

    // What is a day old is forgotten; a new upload has the umask of today.
    cut(&mut client, "g", b"old");
    let hidden = fs::File::options().write(true).open(host.root().join(".in.g.")).unwrap();
    hidden.set_modified(std::time::SystemTime::now() - Duration::from_secs(90_000)).unwrap();
    client.expect("SIZE g", 550);
    client.expect("SITE UMASK 077", 200);
    let data = client.open_passive();
    client.expect("APPE g", 150);
    send_all(data, b"new");
    assert_eq!(client.reply().0, 226);
    assert_eq!(fs::read(host.root().join("g")).unwrap(), b"new");
    cut(&mut client, "h", b"old");
    client.expect("SITE UMASK 027", 200);
    let data = client.open_passive();
    client.expect("STOR h", 150);
    send_all(data, b"new");
    assert_eq!(client.reply().0, 226);
    assert_eq!(fs::metadata(host.root().join("h")).unwrap().permissions().mode() & 0o777, 0o640);

    cut(&mut client, "secret", b"12345");
    let mut reader = Client::connect(host.address());
    reader.expect("USER anonymous", 331);
    reader.expect("PASS x", 230);
    reader.expect("TYPE I", 200);
    reader.expect("SIZE secret", 550);
}

#[test]
fn markers_without_end() {
    let host = Host::start(|_| {});
    let mut client = Client::login(host.address());
    client.expect("MODE B", 200);
    let mut data = client.open_passive();
    client.expect("STOR f", 150);
    // Twenty times what the instance could hold in replies; nobody reads them.
    for _ in 0..1000 {
        data.write_all(&b"\x10\0\x01m".repeat(1000)).unwrap();
    }
    data.write_all(b"\x40\0\x02ok").unwrap();
    drop(data);
    let last = std::iter::from_fn(|| Some(client.reply().0)).find(|code| *code != 110);
    assert_eq!(last, Some(226));
    assert_eq!(fs::read(host.root().join("f")).unwrap(), b"ok");
}

#[test]
fn a_tree_whose_names_are_more_than_an_instance_holds() {
    let host = Host::start(|config| config.limits.idle = Duration::from_secs(1));
    let mut deep = host.root().join("deep");
    for letter in ["a", "b", "c"] {
        deep.push(letter.repeat(240));
    }
    fs::create_dir_all(&deep).unwrap();
    for number in 0..9000 {
        fs::create_dir(deep.join(format!("{number:0230}"))).unwrap();
    }
    let mut client = Client::login(host.address());
    let data = client.open_passive();
    client.expect("LIST -R deep", 150);
    assert!(read_all(data).len() > 4_000_000);
    assert_eq!(client.reply().0, 226);
    client.expect("SITE COPY deep copy", 552);
    // It takes longer than a client may be idle.
    client.expect("RMDA deep", 250);
    assert!(!host.root().join("deep").exists());
    client.expect("NOOP", 200);
}
