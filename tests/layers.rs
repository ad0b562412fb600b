//! Who may name whom: `proto` nobody, `env` only `proto`, `session` both; `wasi` only where the adapters
//! are; component and host never each other; no conditional code in the component but for tests.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// The code of every file below `directory`, without comments and tests.
fn sources(directory: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap().lines();
                let code: Vec<&str> = code.filter(|line| !line.trim_start().starts_with("//")).collect();
                found.push((path, code.join("\n")));
            }
        }
    }
    assert!(!found.is_empty(), "{directory} is empty");
    found
}

#[track_caller]
fn never_names(directory: &str, words: &[&str]) {
    for (path, code) in sources(directory) {
        for word in words {
            assert!(!code.contains(word), "{} names {word}", path.display());
        }
    }
}

#[test]
fn layers() {
    let reach_out =
        ["wasi::", "wstd", "bindings", "std::fs", "TcpStream", "TcpListener", "SystemTime", "Instant", "std::thread"];
    for directory in ["src/proto", "src/env", "src/session"] {
        never_names(directory, &reach_out);
        never_names(directory, &["cfg(", "cfg!("]);
    }
    never_names("src/proto", &["crate::env", "crate::session", "log::"]);
    never_names("src/env", &["crate::session"]);
    never_names("src/wasi", &["crate::", "bindings"]);
    // The standard library's own ways out bring imports along that no world lists.
    never_names("src/bin", &["std::fs", "TcpStream", "TcpListener", "SystemTime", "std::thread"]);
    never_names("src/bin/command", &["bindings", "wit_bindgen"]);
    never_names("src", &["wasi_ftpd_host", "unsafe {", "unsafe fn"]);
    never_names("host/src", &["wasi_ftpd::"]);
}

#[test]
fn files_stay_small() {
    for directory in ["src", "host/src", "tests"] {
        for (path, code) in sources(directory) {
            assert!(code.lines().count() <= 600, "{} has outgrown its shape", path.display());
        }
    }
}
