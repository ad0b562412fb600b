use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use super::*;
use crate::storage::{Access, Time, scratch};

/// A volume at `root/in`, beside it a directory and a file that must stay out of reach.
fn enclosed() -> (tempfile::TempDir, Volume) {
    let outer = tempfile::tempdir().unwrap();
    fs::create_dir_all(outer.path().join("in/d")).unwrap();
    fs::create_dir(outer.path().join("out")).unwrap();
    fs::write(outer.path().join("out/secret"), "secret").unwrap();
    let volume = Volume::open_root(&outer.path().join("in"), Permissions::ALL).unwrap();
    (outer, volume)
}

fn kind(volume: &Volume, path: &[u8]) -> Result<Kind, Error> {
    volume.stat(path).map(|attributes| attributes.kind)
}

#[test]
fn no_root() {
    let (outer, _) = enclosed();
    let open = |name| Volume::open_root(&outer.path().join(name), Permissions::ALL).map_err(|error| error.kind()).err();
    assert_eq!(open("no"), Some(io::ErrorKind::NotFound));
    assert_eq!(open("out/secret"), Some(io::ErrorKind::NotADirectory));
}

#[test]
fn every_call_refuses_a_path_that_is_not_normalised() {
    let (_outer, volume) = enclosed();
    for path in [&b"/../out/secret"[..], b"out", b"", b"/d/../../out/secret", b"/d/", b"/d//x", b"/a\0b"] {
        assert_eq!(volume.stat(path).err(), Some(Error::BadName));
        assert_eq!(volume.stat_cached(path).err(), Some(Error::BadName));
        assert_eq!(volume.list(path).err(), Some(Error::BadName));
        assert_eq!(volume.open(path, Access::Read).err(), Some(Error::BadName));
        assert_eq!(volume.open(path, Access::Create).err(), Some(Error::BadName));
        assert_eq!(volume.open_cached(path).err(), Some(Error::BadName));
        assert_eq!(volume.remove_file(path), Err(Error::BadName));
        assert_eq!(volume.make_directory(path), Err(Error::BadName));
        assert_eq!(volume.remove_directory(path), Err(Error::BadName));
        assert_eq!(volume.rename(path, b"/x"), Err(Error::BadName));
        assert_eq!(volume.rename(b"/d", path), Err(Error::BadName));
        assert_eq!(volume.unfinished(path), Err(Error::BadName));
        assert_eq!(volume.make_link(path, b"/d"), Err(Error::BadName));
        assert_eq!(volume.make_link(b"/x", path), Err(Error::BadName));
        assert_eq!(volume.set_times(path, None, None), Err(Error::BadName));
        assert_eq!(volume.set_mode(path, 0o600), Err(Error::BadName));
    }
}

#[test]
fn bug_11_links_do_not_lead_out() {
    let (outer, volume) = enclosed();
    let inside = outer.path().join("in");
    symlink(outer.path().join("out"), inside.join("absolute")).unwrap();
    symlink("../out", inside.join("relative")).unwrap();
    symlink("relative", inside.join("chain")).unwrap();
    symlink("../../in/../out", inside.join("d/deep")).unwrap();
    symlink("/", inside.join("slash")).unwrap();
    symlink("/proc/self/root", inside.join("magic")).unwrap();
    symlink("../out/new", inside.join("new")).unwrap();
    symlink("../out/secret", inside.join("secret")).unwrap();

    for link in [&b"/absolute"[..], b"/relative", b"/chain", b"/d/deep", b"/slash", b"/magic", b"/secret", b"/new"] {
        let attributes = volume.stat(link).unwrap();
        assert_eq!((attributes.kind, attributes.size), (Kind::Link, 0), "{}", link.escape_ascii());
        assert_eq!(volume.list(link).err(), Some(Error::Denied));
        for access in [Access::Read, Access::Replace, Access::Append] {
            assert_eq!(volume.open(link, access).err(), Some(Error::Denied));
        }
        assert_eq!(volume.set_times(link, Some(Time { seconds: 0, nanoseconds: 0 }), None), Err(Error::Denied));
        assert_eq!(volume.set_mode(link, 0), Err(Error::Denied));

        let beneath = [link, b"/secret"].concat();
        assert_eq!(volume.stat(&beneath).err(), Some(Error::Denied));
        assert_eq!(volume.open(&beneath, Access::Read).err(), Some(Error::Denied));
        assert_eq!(volume.open(&beneath, Access::Replace).err(), Some(Error::Denied));
        assert_eq!(volume.remove_file(&beneath), Err(Error::Denied));
        assert_eq!(volume.make_directory(&beneath), Err(Error::Denied));
        assert_eq!(volume.remove_directory(&beneath), Err(Error::Denied));
        assert_eq!(volume.rename(&beneath, b"/x"), Err(Error::Denied));
        assert_eq!(volume.rename(b"/d", &beneath), Err(Error::Denied));
        assert_eq!(volume.unfinished(&beneath), Err(Error::Denied));
    }
    let outside: Vec<_> = fs::read_dir(outer.path().join("out")).unwrap().collect();
    assert_eq!(outside.len(), 1);
    assert_eq!(fs::read(outer.path().join("out/secret")).unwrap(), b"secret");
}

#[test]
fn links_inside_are_followed() {
    let (root, volume) = scratch();
    fs::create_dir_all(root.path().join("d/e")).unwrap();
    symlink("../../f", root.path().join("d/e/up")).unwrap();
    symlink("d/e", root.path().join("short")).unwrap();
    symlink("loop", root.path().join("loop")).unwrap();
    assert_eq!(kind(&volume, b"/d/e/up"), Ok(Kind::Link), "dangles");
    volume.open(b"/short/up", Access::Replace).unwrap().write(b"x").unwrap();
    assert_eq!(fs::read(root.path().join("f")).unwrap(), b"x", "written through the link");
    assert_eq!(kind(&volume, b"/short"), Ok(Kind::Directory));
    assert_eq!(volume.stat(b"/short/up"), volume.stat(b"/f"));
    assert_eq!(kind(&volume, b"/loop"), Ok(Kind::Link));
    assert_eq!(volume.open(b"/loop", Access::Read).err(), Some(Error::NotFound));
}

#[test]
fn links_themselves_are_removed_and_renamed() {
    let (root, volume) = scratch();
    fs::create_dir(root.path().join("d")).unwrap();
    fs::write(root.path().join("f"), "x").unwrap();
    symlink("f", root.path().join("l")).unwrap();
    symlink("d", root.path().join("m")).unwrap();
    volume.rename(b"/l", b"/l2").unwrap();
    assert!(fs::symlink_metadata(root.path().join("l2")).unwrap().is_symlink());
    volume.remove_file(b"/l2").unwrap();
    assert_eq!(volume.remove_directory(b"/m"), Err(Error::NotDirectory));
    volume.rename(b"/f", b"/m").unwrap();
    assert_eq!(fs::read(root.path().join("m")).unwrap(), b"x", "a link to a directory is replaced, not entered");
    assert!(root.path().join("d").is_dir());
}

/// Bug class 11: a directory that turns into a link while it is used.
#[test]
fn bug_11_a_directory_swapped_for_a_link() {
    let (outer, volume) = enclosed();
    let inside = outer.path().join("in");
    fs::write(inside.join("d/secret"), "public").unwrap();
    symlink("../out", inside.join("trap")).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                renameat_with(CWD, inside.join("d"), CWD, inside.join("trap"), RenameFlags::EXCHANGE).unwrap();
            }
        });
        for _ in 0..2_000 {
            if let Ok(file) = volume.open(b"/d/secret", Access::Read) {
                assert_eq!(file.read(0, 10).unwrap(), b"public");
            }
            let _ = volume.open(b"/d/new", Access::Replace);
            let _ = volume.remove_file(b"/d/new");
            let _ = volume.make_directory(b"/d/x");
        }
        over.store(true, Ordering::Relaxed);
    });
    let outside: Vec<_> = fs::read_dir(outer.path().join("out")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(outside, ["secret"]);
}

#[test]
fn bug_27_names_byte_for_byte_and_their_lengths() {
    let (root, volume) = scratch();
    let longest = [b'n'; 255];
    for name in [&b"\xff\xfe \n\r\"\\"[..], b"...", &longest] {
        let path = [b"/", name].concat();
        volume.open(&path, Access::Create).unwrap().finish().unwrap();
        assert!(root.path().join(OsStr::from_bytes(name)).exists());
        assert_eq!(kind(&volume, &path), Ok(Kind::File));
        volume.remove_file(&path).unwrap();
        volume.make_directory(&path).unwrap();
        volume.remove_directory(&path).unwrap();
    }
    let long = [b"/", &longest[..], b"n"].concat();
    assert_eq!(volume.stat(&long), Err(Error::BadName));
    assert_eq!(volume.open(&long, Access::Replace).err(), Some(Error::BadName));
    assert_eq!(volume.make_directory(&long), Err(Error::BadName));
    assert_eq!(volume.stat(&b"/a".repeat(4096)), Err(Error::BadName));
}

#[test]
fn only_regular_files_are_opened() {
    let (root, volume) = scratch();
    fs::create_dir(root.path().join("d")).unwrap();
    rustix::fs::mknodat(CWD, root.path().join("fifo"), rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).unwrap();
    for path in [&b"/fifo"[..], b"/socket", b"/d", b"/"] {
        for access in [Access::Read, Access::Replace, Access::Append] {
            assert_eq!(volume.open(path, access).err(), Some(Error::NotFile), "{} {access:?}", path.escape_ascii());
        }
    }
    assert_eq!(volume.open_cached(b"/fifo").err(), Some(Error::NotFile));
    assert_eq!(kind(&volume, b"/fifo"), Ok(Kind::Other));
    assert_eq!(volume.open(b"/no", Access::Read).err(), Some(Error::NotFound));
    assert_eq!(volume.list(b"/fifo").err(), Some(Error::NotDirectory));
}

#[test]
fn each_call_asks_for_its_permission() {
    let (root, all) = scratch();
    fs::write(root.path().join("f"), "x").unwrap();
    fs::create_dir(root.path().join("d")).unwrap();
    fs::write(root.path().join(".in.left."), "x").unwrap();
    let now = Time { seconds: 1, nanoseconds: 0 };
    type Call<'a> = &'a dyn Fn(&Volume) -> Result<(), Error>;
    let calls: [(Permissions, Call<'_>); 18] = [
        (Permissions::LIST, &|v| v.stat(b"/f").map(drop)),
        (Permissions::LIST, &|v| v.stat_cached(b"/f").map(drop)),
        (Permissions::LIST, &|v| v.list(b"/").map(drop)),
        (Permissions::READ, &|v| v.open(b"/f", Access::Read).map(drop)),
        (Permissions::READ, &|v| v.open_cached(b"/f").map(drop)),
        (Permissions::WRITE, &|v| v.open(b"/f", Access::Replace).map(drop)),
        (Permissions::WRITE, &|v| v.open(b"/f", Access::Append).map(drop)),
        (Permissions::WRITE, &|v| v.open(b"/f", Access::Resume(1)).map(drop)),
        (Permissions::WRITE, &|v| v.open(b"/new", Access::Create).and_then(|file| file.finish())),
        (Permissions::WRITE, &|v| v.make_link(b"/link", b"/f")),
        (Permissions::WRITE, &|v| v.unfinished(b"/left").map(drop)),
        (Permissions::WRITE, &|v| v.space().map(drop)),
        (Permissions::DELETE, &|v| v.remove_file(b"/new")),
        (Permissions::RENAME, &|v| v.rename(b"/f", b"/g")),
        (Permissions::MAKE_DIRECTORY, &|v| v.make_directory(b"/e")),
        (Permissions::REMOVE_DIRECTORY, &|v| v.remove_directory(b"/e")),
        (Permissions::SET_ATTRIBUTES, &|v| v.set_times(b"/d", Some(now), None)),
        (Permissions::SET_ATTRIBUTES, &|v| v.set_mode(b"/d", 0o700)),
    ];
    for (needed, call) in calls {
        let others = Permissions(!needed.0);
        assert_eq!(call(&all.with_permissions(others)), Err(Error::Denied), "{needed:?}");
        assert_eq!(call(&all.with_permissions(needed)), Ok(()), "{needed:?}");
    }
    assert!(Permissions::ALL.contains(Permissions::READ_ONLY | Permissions::WRITE));
    assert!(!Permissions::READ_ONLY.contains(Permissions::WRITE));
    assert!(!Permissions::ALL.contains(Permissions::SET_CREATED));
}

#[test]
fn rename_replaces_files_only() {
    let (root, volume) = scratch();
    let at = |name: &str| root.path().join(name);
    for name in ["d", "empty", "full/x"] {
        fs::create_dir_all(at(name)).unwrap();
    }
    fs::write(at("f"), "f").unwrap();
    fs::write(at("g"), "g").unwrap();
    for to in [&b"/empty"[..], b"/full"] {
        assert_eq!(volume.rename(b"/f", to), Err(Error::Exists));
        assert_eq!(volume.rename(b"/d", to), Err(Error::Exists));
    }
    assert_eq!(volume.rename(b"/d", b"/f"), Err(Error::Exists), "a directory over a file");
    assert_eq!(volume.rename(b"/no", b"/g"), Err(Error::NotFound));
    assert_eq!(volume.rename(b"/g", b"/no/g"), Err(Error::NotFound));
    assert_eq!(volume.rename(b"/f", b"/g/x"), Err(Error::NotDirectory));
    assert_eq!(volume.rename(b"/full", b"/full/x/y"), Err(Error::BadName), "into itself");
    assert_eq!(volume.rename(b"/", b"/x"), Err(Error::Denied));
    assert_eq!(volume.rename(b"/d", b"/"), Err(Error::Denied));
    volume.rename(b"/f", b"/f").unwrap();
    volume.rename(b"/f", b"/g").unwrap();
    assert_eq!(fs::read(at("g")).unwrap(), b"f");
    volume.rename(b"/full", b"/d/full").unwrap();
    assert!(at("d/full/x").is_dir());
}

#[test]
fn remove_and_make() {
    let (root, volume) = scratch();
    volume.make_directory(b"/d").unwrap();
    assert_eq!(volume.make_directory(b"/d"), Err(Error::Exists));
    assert_eq!(volume.make_directory(b"/"), Err(Error::Exists));
    assert_eq!(volume.make_directory(b"/no/d"), Err(Error::NotFound));
    volume.open(b"/d/f", Access::Create).unwrap().finish().unwrap();
    assert_eq!(volume.make_directory(b"/d/f/g"), Err(Error::NotDirectory));
    assert_eq!(volume.remove_directory(b"/d"), Err(Error::NotEmpty));
    assert_eq!(volume.remove_directory(b"/d/f"), Err(Error::NotDirectory));
    assert_eq!(volume.remove_directory(b"/"), Err(Error::Denied));
    assert_eq!(volume.remove_file(b"/d"), Err(Error::NotFile));
    assert_eq!(volume.remove_file(b"/"), Err(Error::NotFile));
    assert_eq!(volume.remove_file(b"/no"), Err(Error::NotFound));
    volume.remove_file(b"/d/f").unwrap();
    volume.remove_directory(b"/d").unwrap();
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn times_and_modes() {
    let (root, volume) = scratch();
    let path = root.path().join("f");
    fs::write(&path, "abc").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4640)).unwrap();
    fs::hard_link(&path, root.path().join("g")).unwrap();
    let time = Time { seconds: -5, nanoseconds: 7 };
    volume.set_times(b"/f", Some(time), None).unwrap();
    let attributes = volume.stat(b"/f").unwrap();
    assert_eq!((attributes.modified, attributes.mode, attributes.links), (time, 0o4640, 2));
    assert_eq!(attributes.unique, volume.stat(b"/g").unwrap().unique);

    // UTIME_NOW and UTIME_OMIT are not smuggled in.
    for nanoseconds in [0x3fff_ffff, 0x3fff_fffe, u32::MAX] {
        volume.set_times(b"/f", Some(Time { seconds: 9, nanoseconds }), None).unwrap();
        assert_eq!(volume.stat(b"/f").unwrap().modified, Time { seconds: 9, nanoseconds: 999_999_999 });
    }
    let accessed = fs::metadata(&path).unwrap().accessed().unwrap();
    assert!(accessed > SystemTime::now() - Duration::from_secs(3600), "the access time is let alone");
    assert_eq!(volume.set_times(b"/no", Some(time), None), Err(Error::NotFound));

    assert_eq!(volume.set_times(b"/f", Some(time), Some(time)), Err(Error::Unsupported));
    let created = volume.stat(b"/f").unwrap().created;
    assert_eq!(created.is_some(), fs::metadata(&path).unwrap().created().is_ok());
    assert!(created.is_none_or(|created| created.seconds > 1_700_000_000));
}

#[test]
fn modes_are_set_and_kept_from_what_is_new() {
    let (root, mut volume) = scratch();
    let mode = |name: &str| fs::metadata(root.path().join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(volume.umask(), 0o022);
    volume.set_umask(0o7027);
    assert_eq!(volume.umask(), 0o027);
    volume.open(b"/f", Access::Replace).unwrap().finish().unwrap();
    volume.make_directory(b"/d").unwrap();
    assert_eq!((mode("f"), mode("d")), (0o640, 0o750));

    for wanted in [0o000, 0o111, 0o604] {
        volume.set_mode(b"/f", wanted).unwrap();
        assert_eq!(mode("f"), wanted);
    }
    fs::set_permissions(root.path().join("d"), fs::Permissions::from_mode(0o2755)).unwrap();
    volume.set_mode(b"/d", 0o7700).unwrap();
    assert_eq!(mode("d"), 0o2700, "what new files inherit stays");
    symlink("d", root.path().join("l")).unwrap();
    volume.set_mode(b"/l", 0o711).unwrap();
    assert_eq!(mode("d"), 0o2711);
    rustix::fs::mknodat(CWD, root.path().join("fifo"), rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert_eq!(volume.set_mode(b"/fifo", 0o777), Err(Error::NotFile));
    assert_eq!(volume.set_mode(b"/no", 0o777), Err(Error::NotFound));
}

#[test]
fn links_are_made_inside() {
    let (root, volume) = scratch();
    fs::create_dir_all(root.path().join("a/b")).unwrap();
    fs::write(root.path().join("f"), "x").unwrap();
    volume.make_link(b"/a/b/l", b"/f").unwrap();
    assert_eq!(fs::read_link(root.path().join("a/b/l")).unwrap().to_str(), Some("../../f"));
    assert_eq!(kind(&volume, b"/a/b/l"), Ok(Kind::File));
    volume.make_link(b"/root", b"/").unwrap();
    volume.make_link(b"/a/root", b"/").unwrap();
    assert_eq!(volume.stat(b"/root/a/root/a/b").unwrap(), volume.stat(b"/a/b").unwrap());
    volume.make_link(b"/gone", b"/no/such").unwrap();
    assert_eq!(kind(&volume, b"/gone"), Ok(Kind::Link));
    for taken in [&b"/f"[..], b"/a", b"/gone", b"/"] {
        assert_eq!(volume.make_link(taken, b"/x"), Err(Error::Exists));
    }
    assert_eq!(volume.make_link(b"/no/l", b"/f"), Err(Error::NotFound));
    assert_eq!(volume.make_link(b"/root/l", b"/f"), Err(Error::Unsupported), "`..` is somewhere else there");
}

#[test]
fn cached_answers_are_the_same_or_none() {
    let (root, volume) = scratch();
    fs::create_dir(root.path().join("d")).unwrap();
    fs::write(root.path().join("d/f"), "abc").unwrap();
    symlink("../../out", root.path().join("d/out")).unwrap();
    for path in [&b"/"[..], b"/d", b"/d/f"] {
        let stat = volume.stat(path).unwrap();
        assert_eq!(volume.stat_cached(path), Ok(Some(stat)), "looked up just now: {}", path.escape_ascii());
    }
    let link = volume.stat(b"/d/out").unwrap();
    assert!([Ok(None), Ok(Some(link))].contains(&volume.stat_cached(b"/d/out")));
    let file = volume.open_cached(b"/d/f").unwrap().unwrap();
    assert_eq!(file.read(0, 10).unwrap(), b"abc");
    assert_eq!(volume.open_cached(b"/d").err(), Some(Error::NotFile));
    assert!(matches!(volume.open_cached(b"/d/out"), Err(Error::Denied) | Ok(None)));
    assert!(matches!(volume.stat_cached(b"/d/no"), Err(Error::NotFound) | Ok(None)));
}

#[test]
fn space_is_told() {
    assert!(scratch().1.space().unwrap() > 0);
}
