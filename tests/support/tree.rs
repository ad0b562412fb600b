//! Directories of files, made and compared byte for byte.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Make `count` files in nested directories, of names with what names can have: spaces, quotes, Unicode,
/// and, if `any_octets`, octets that are no UTF-8.
pub fn make(root: &Path, count: usize, any_octets: bool) {
    for number in 0..count {
        let mut directory = root.to_owned();
        for part in DIRECTORIES.iter().take(number % (DIRECTORIES.len() + 1)) {
            directory.push(part);
        }
        fs::create_dir_all(&directory).unwrap();
        let mut name = NAMES[number % NAMES.len()].as_bytes().to_vec();
        if any_octets && number % 3 == 0 {
            name.extend(b"\xe9\xff\xfe\x80");
        }
        name.extend(format!(" {number}.dat").bytes());
        fs::write(directory.join(OsStr::from_bytes(&name)), content(number)).unwrap();
    }
}

/// One file, long enough for many packets.
pub fn octets() -> Vec<u8> {
    (0..3_000_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Empty, small, and now and then large; never the same twice.
fn content(number: usize) -> Vec<u8> {
    let length = match number % 50 {
        0 => 0,
        49 => 300_000,
        other => other * 37,
    };
    let mut state = number as u32 + 1;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

/// Its files, by paths below it.
pub fn files(root: &Path) -> Vec<PathBuf> {
    read(root).into_keys().map(PathBuf::from).collect()
}

/// The two hold the same files with the same contents.
#[track_caller]
pub fn assert_same(a: &Path, b: &Path) {
    let (a, b) = (read(a), read(b));
    let names = |tree: &BTreeMap<OsString, Vec<u8>>| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&a), names(&b));
    for (name, content) in &a {
        assert!(b.get(name) == Some(content), "{name:?} differs");
    }
}

/// Files by path, and their contents.
fn read(root: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
                files.insert(OsString::from_vec(name), fs::read(path).unwrap());
            }
        }
    }
    files
}

const DIRECTORIES: [&str; 3] = ["a directory", "d\u{fc}r \u{4e2d}\u{6587}", "'q' #1"];

const NAMES: [&str; 7] =
    ["plain", "with  spaces", "\u{fc}n\u{ef}code \u{1f600}", "#hash & 100%", "'single' (x)", ".hidden", "a=b;c,d"];
