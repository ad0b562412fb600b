//! Every client that is known to be peculiar, and every class of bug that FTP servers are known for, has a
//! test of its name.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Clients and devices, and what shows that they are served: transcripts, or functions where those cannot.
const CLIENTS: &[(&str, &[&str])] = &[
    ("Windows ftp.exe", &["client-windows-ftp-exe.txt", "active_connections_come_from_the_data_port"]),
    ("Windows Explorer", &["client-windows-explorer.txt"]),
    ("Dahua camera", &["client-cameras.txt"]),
    ("wildlife camera", &["client-cameras.txt"]),
    ("yi-hack camera, busybox ftpput", &["client-cameras.txt", "client-busybox.txt"]),
    ("Lexmark X464", &["client-scanners.txt"]),
    ("scanners that send STOU", &["client-scanners.txt"]),
    ("data loggers", &["client-data-loggers.txt"]),
    ("BSD ftp, wget", &["client-bsd.txt", "client-bsd-ipv6.txt"]),
    ("curl", &["client-curl.txt"]),
    ("WinSCP", &["client-winscp.txt"]),
    ("FileZilla", &["client-filezilla.txt"]),
    ("lftp", &["client-lftp.txt"]),
    ("Nautilus, gvfs", &["client-gvfs.txt"]),
    ("flysystem, curlftpfs, swiss-gc, ES Explorer, crossftp", &["client-option-users.txt"]),
    ("basic-ftp", &["client-basic-ftp.txt", "client-option-users.txt"]),
    ("ncftp, scripts", &["client-ncftp.txt"]),
    ("rclone, jlaffaye/ftp", &["client-rclone.txt"]),
    ("swiftp", &["client-swiftp.txt"]),
    ("MEGAcmd", &["client-megacmd.txt"]),
    ("OS/400, z/OS", &["client-mainframes.txt"]),
    ("Python ftplib", &["client-python-ftplib.txt"]),
    ("commons-net below 3.9", &["client-commons-net.txt"]),
    ("behind NAT", &["client-behind-nat.txt", "clients_that_do_not_know_their_address"]),
    // Data from another address than the client's is refused, so far without a way to allow it.
    ("behind Docker", &["bug_03_a_stranger_on_a_passive_port"]),
    ("behind NAT with several addresses", &["bug_03_a_stranger_on_a_passive_port"]),
    ("QUIT during a transfer", &["client-any-quit.txt"]),
    ("IAC IP, IAC DM before ABOR, in the line or as urgent data", &["client-any-telnet.txt", "abort_of_a_download"]),
    ("HTTP scanners", &["client-http-scanners.txt"]),
];

/// The classes of bugs are numbered up to here. A test of number 7 is called `bug_07_…`, or `bug-07-….txt`.
const BUG_CLASSES: u32 = 27;

/// Those that cannot be here.
const NOT_HERE: &[(u32, &str)] = &[
    (14, "names of users in paths: no path is made of one"),
    (24, "names of users and hosts in queries: there is no database, and no host name is looked up"),
];

/// The names of all files below these directories, and the texts of those that are Rust.
fn files(directories: &[&str]) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut directories: Vec<PathBuf> = directories.iter().map(|directory| root.join(directory)).collect();
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let is_rust = path.extension().is_some_and(|extension| extension == "rs");
                let text = if is_rust { fs::read_to_string(&path).unwrap() } else { String::new() };
                files.push((path, text));
            }
        }
    }
    files
}

/// The names of all transcripts and of all functions.
fn names() -> Vec<String> {
    let mut names = Vec::new();
    for (path, text) in files(&["tests", "src", "host/src"]) {
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
        let functions = text.lines().filter_map(|line| line.trim_start().strip_prefix("fn ")?.split('(').next());
        names.extend(functions.map(str::to_owned));
    }
    names
}

#[test]
fn every_quirk_has_a_transcript() {
    let names = names();
    for (client, tests) in CLIENTS {
        for test in *tests {
            assert!(names.iter().any(|name| name == test), "{client}: there is no {test}");
        }
    }
    let shown = |name: &String| CLIENTS.iter().any(|(_, tests)| tests.contains(&name.as_str()));
    for name in names.iter().filter(|name| name.starts_with("client-")) {
        assert!(shown(name), "{name} is of no client here");
    }
}

#[test]
fn every_bug_class_has_a_test() {
    let names = names();
    for number in 1..=BUG_CLASSES {
        let prefixes = [format!("bug_{number:02}_"), format!("bug-{number:02}-")];
        let has_test = names.iter().any(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)));
        let reason = NOT_HERE.iter().find(|(other, _)| *other == number).map(|(_, reason)| reason);
        assert_eq!(has_test, reason.is_none(), "{number}: {reason:?}");
    }
}

/// A clock that is set ends no session and no transfer: nothing reads it but what lists files, and that is
/// the component.
#[test]
fn bug_23_the_host_measures_time_and_reads_no_clock() {
    for (path, text) in files(&["host/src"]) {
        // The age of a file is told by the clock that set its time; an event is told with the time of day.
        if !["tests.rs", "volume/open.rs", "events/feed.rs"].iter().any(|reads| path.ends_with(reads)) {
            let code = text.split("#[cfg(test)]").next().unwrap();
            for clock in ["SystemTime::now", "clock_gettime", "RealtimeCoarse", "Local::now", "Utc::now"] {
                assert!(!code.contains(clock), "{} names {clock}", path.display());
            }
        }
    }
    for (path, text) in files(&["src/session"]) {
        assert!(path.ends_with("listing.rs") || !text.contains("env.now()"), "{}", path.display());
    }
}
