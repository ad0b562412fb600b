use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::*;
use crate::storage::{Access, File, Volume, scratch};

/// A directory and its volume, and shorthands.
struct Scene {
    root: tempfile::TempDir,
    volume: Volume,
}

impl Scene {
    fn new(unfinished: Unfinished) -> Self {
        let (root, volume) = scratch();
        Self { root, volume: volume.with_unfinished(unfinished) }
    }

    fn at(&self, name: &[u8]) -> PathBuf {
        self.root.path().join(OsStr::from_bytes(name))
    }

    fn put(&self, name: &str, content: &str) {
        fs::write(self.at(name.as_bytes()), content).unwrap();
    }

    fn open(&self, name: &str, access: Access) -> Result<File, Error> {
        self.volume.open(format!("/{name}").as_bytes(), access)
    }

    /// Write so much and no more.
    fn cut_short(&self, name: &str, access: Access, content: &str) {
        self.open(name, access).unwrap().write(content.as_bytes()).unwrap();
    }

    fn write(&self, name: &str, access: Access, content: &str) {
        let file = self.open(name, access).unwrap();
        file.write(content.as_bytes()).unwrap();
        file.finish().unwrap();
    }

    fn content(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.at(name.as_bytes())).ok()
    }

    /// Every name there is, hidden or not.
    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.root.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }
}

#[test]
fn nothing_is_seen_before_the_end() {
    let scene = Scene::new(Unfinished::Keep);
    scene.put("f", "old");
    for (name, before) in [("f", Some("old".to_owned())), ("new", None)] {
        let file = scene.open(name, Access::Replace).unwrap();
        file.write(b"some").unwrap();
        assert_eq!(scene.content(name), before);
        file.write(b"thing").unwrap();
        file.finish().unwrap();
        assert_eq!(scene.content(name).as_deref(), Some("something"));
        file.finish().unwrap();
        drop(file);
        assert_eq!(scene.content(name).as_deref(), Some("something"));
    }
    assert_eq!(scene.names(), ["f", "new"]);
    scene.open("f", Access::Replace).unwrap().finish().unwrap();
    assert_eq!(scene.content("f").as_deref(), Some(""), "an empty upload that ended well");
}

#[test]
fn cut_short_and_gone_on_with() {
    let scene = Scene::new(Unfinished::Keep);
    scene.cut_short("f", Access::Replace, "01234567");
    assert_eq!(scene.names(), [".in.f."]);
    assert_eq!(scene.volume.unfinished(b"/f"), Ok(8));
    let file = scene.open("f", Access::Resume(4)).unwrap();
    assert_eq!(scene.volume.unfinished(b"/f"), Err(Error::NotFound), "somebody is at it");
    file.write(b"ab").unwrap();
    drop(file);
    assert_eq!(scene.content(".in.f.").as_deref(), Some("0123ab"));
    assert_eq!(scene.open("f", Access::Resume(7)).err(), Some(Error::BadOffset));
    scene.write("f", Access::Append, "cd");
    assert_eq!((scene.content("f").as_deref(), scene.names().len()), (Some("0123abcd"), 1));
    assert_eq!(scene.volume.unfinished(b"/f"), Err(Error::NotFound));

    // Beside a file that is complete: what was left of its successor is gone on with, and the file is not.
    scene.cut_short("f", Access::Replace, "xyz");
    assert_eq!(scene.volume.unfinished(b"/f"), Ok(3));
    assert_eq!(scene.open("f", Access::Resume(5)).err(), Some(Error::BadOffset));
    assert_eq!(scene.content("f").as_deref(), Some("0123abcd"));
    scene.write("f", Access::Resume(3), "!");
    assert_eq!((scene.content("f").as_deref(), scene.names().len()), (Some("xyz!"), 1));
    // An upload from the start is not mixed with what was left.
    scene.cut_short("f", Access::Replace, "very long");
    scene.write("f", Access::Resume(0), "short");
    assert_eq!((scene.content("f").as_deref(), scene.names().len()), (Some("short"), 1));
}

#[test]
fn nothing_written_leaves_nothing_and_harms_nothing() {
    for unfinished in [Unfinished::Keep, Unfinished::Delete, Unfinished::InPlace] {
        let scene = Scene::new(unfinished);
        scene.put("f", "old");
        for access in [Access::Replace, Access::Resume(1), Access::Append] {
            scene.open("f", access).unwrap().write(b"").unwrap();
        }
        scene.open("new", Access::Create).unwrap();
        assert_eq!((scene.content("f").as_deref(), scene.names()), (Some("old"), vec!["f".to_owned()]));
    }
    let scene = Scene::new(Unfinished::Keep);
    scene.put(".in.f.", "left");
    scene.open("f", Access::Replace).unwrap();
    assert_eq!(scene.volume.unfinished(b"/f"), Ok(4), "what was left before is still left");
}

#[test]
fn cut_short_and_deleted() {
    let scene = Scene::new(Unfinished::Delete);
    scene.put("f", "old");
    for access in [Access::Replace, Access::Create, Access::Append] {
        let name = if access == Access::Replace { "f" } else { "new" };
        let file = scene.open(name, access).unwrap();
        let transfer = file.clone();
        drop(file);
        transfer.write(b"some").unwrap();
        assert_eq!(scene.names().len(), 2, "a transfer that was not stopped yet");
        drop(transfer);
        assert_eq!(scene.names(), ["f"]);
    }
    assert_eq!(scene.content("f").as_deref(), Some("old"));
}

#[test]
fn written_in_place_if_so_wished() {
    let scene = Scene::new(Unfinished::InPlace);
    scene.put("f", "0123456789");
    scene.cut_short("f", Access::Replace, "abc");
    assert_eq!(scene.content("f").as_deref(), Some("abc"));
    scene.cut_short("new", Access::Create, "some");
    scene.cut_short("other", Access::Append, "some");
    assert_eq!(scene.open("new", Access::Create).err(), Some(Error::Exists));
    scene.cut_short("new", Access::Resume(2), "!");
    assert_eq!(scene.content("new").as_deref(), Some("so!"));
    assert_eq!(scene.names(), ["f", "new", "other"]);
    assert_eq!(scene.volume.unfinished(b"/new"), Err(Error::NotFound));
    let first = scene.open("f", Access::Replace).unwrap();
    for access in [Access::Replace, Access::Resume(1), Access::Append] {
        assert_eq!(scene.open("f", access).err(), Some(Error::Busy));
    }
    first.finish().unwrap();
    assert!(scene.open("f", Access::Append).is_ok(), "done, if not dropped");
}

#[test]
fn the_last_of_two_writers_stays_and_they_do_not_mix() {
    let scene = Scene::new(Unfinished::Keep);
    let (one, other) = (scene.open("f", Access::Replace).unwrap(), scene.open("f", Access::Replace).unwrap());
    one.write(b"1111").unwrap();
    other.write(b"22").unwrap();
    one.write(b"1111").unwrap();
    other.finish().unwrap();
    assert_eq!(scene.content("f").as_deref(), Some("22"));
    one.finish().unwrap();
    assert_eq!((scene.content("f").as_deref(), scene.names().len()), (Some("11111111"), 1));

    // Of those cut short one is kept; one that finished makes an older rest worthless.
    let (one, other) = (scene.open("f", Access::Replace).unwrap(), scene.open("f", Access::Replace).unwrap());
    one.write(b"1").unwrap();
    other.write(b"2").unwrap();
    drop((one, other));
    assert_eq!((scene.names(), scene.content(".in.f.").as_deref()), (vec![".in.f.".into(), "f".into()], Some("1")));
    let (one, other) = (scene.open("f", Access::Replace).unwrap(), scene.open("f", Access::Replace).unwrap());
    other.write(b"2").unwrap();
    drop((one, other.finish(), other));
    assert_eq!((scene.content("f").as_deref(), scene.names().len()), (Some("2"), 2));
    let (one, other) = (scene.open("f", Access::Replace).unwrap(), scene.open("f", Access::Replace).unwrap());
    other.write(b"3").unwrap();
    drop(one);
    other.finish().unwrap();
    assert_eq!((scene.content("f").as_deref(), scene.names().len()), (Some("3"), 1));
    // The second's place is free for it when the first is gone.
    let (one, other) = (scene.open("g", Access::Replace).unwrap(), scene.open("g", Access::Replace).unwrap());
    other.write(b"123").unwrap();
    drop(one);
    drop(other);
    assert_eq!(scene.volume.unfinished(b"/g"), Ok(3));

    let all: Vec<File> = (0..9).map(|_| scene.open("f", Access::Replace).unwrap()).collect();
    assert_eq!(scene.open("f", Access::Replace).err(), Some(Error::Busy));
    drop(all);
    assert_eq!(scene.names(), [".in.g.", "f"]);
}

#[test]
fn a_large_file_that_is_replaced_goes_later() {
    let scene = Scene::new(Unfinished::Keep);
    let cases = [(1000, false), (1 << 30, true)].map(|case| [(Access::Replace, case), (Access::Resume(1), case)]);
    for (access, (size, large)) in cases.into_iter().flatten() {
        scene.put(".in.f.", "left");
        let file = scene.open("f", access).unwrap();
        fs::File::create(scene.at(b"f")).unwrap().set_len(size).unwrap();
        assert!(file.replaced().is_none(), "it is still there");
        file.finish().unwrap();
        assert_eq!(scene.content("f").as_deref(), Some(if access == Access::Replace { "" } else { "l" }));
        let old = file.replaced().map(|old| fs::File::from(old).metadata().unwrap());
        assert_eq!(old.map(|old| (old.len(), old.nlink())), large.then_some((size, 0)));
    }
}

#[test]
fn hidden_whatever_is_replaced_meanwhile() {
    let scene = Scene::new(Unfinished::Keep);
    scene.put("f", "old");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                scene.put("other", "new");
                fs::rename(scene.at(b"other"), scene.at(b"f")).unwrap();
            }
        });
        // As often as a slow disk allows.
        let end = Instant::now() + Duration::from_secs(3);
        let attempts = (0..20_000).take_while(|_| Instant::now() < end);
        let shown = attempts.filter(|_| !scene.open("f", Access::Replace).unwrap().ends_unfinished()).count();
        over.store(true, Ordering::Relaxed);
        assert_eq!(shown, 0);
    });
}

#[test]
fn nobody_goes_on_with_what_another_writes() {
    let scene = Scene::new(Unfinished::Keep);
    let first = scene.open("f", Access::Replace).unwrap();
    first.write(b"0123").unwrap();
    for access in [Access::Resume(2), Access::Append] {
        assert_eq!(scene.open("f", access).err(), Some(Error::Busy), "{access:?}");
    }
    first.finish().unwrap();
    let in_place = scene.open("f", Access::Resume(2)).unwrap();
    for access in [Access::Resume(2), Access::Append] {
        assert_eq!(scene.open("f", access).err(), Some(Error::Busy), "{access:?}");
    }
    assert!(scene.open("f", Access::Read).is_ok());
    in_place.finish().unwrap();
    assert_eq!(scene.content("f").as_deref(), Some("01"));
}

#[test]
fn one_of_many_creates_a_name() {
    let scene = Scene::new(Unfinished::Keep);
    let created: Vec<File> = thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| scene.open("f", Access::Create))).collect();
        all.into_iter().filter_map(|one| one.join().unwrap().ok()).collect()
    });
    let [first] = &created[..] else { panic!("{} of them", created.len()) };
    assert_eq!(scene.open("f", Access::Create).err(), Some(Error::Exists), "nobody has it, but one writes it");
    // Taken meanwhile by somebody who replaces, and is no less right.
    scene.write("f", Access::Replace, "other");
    first.write(b"mine").unwrap();
    assert_eq!(first.finish(), Err(Error::Exists));
    assert_eq!(scene.content("f").as_deref(), Some("other"));
    assert_eq!(scene.open("f", Access::Create).err(), Some(Error::Exists));
    symlink("nowhere", scene.at(b"l")).unwrap();
    assert_eq!(scene.open("l", Access::Create).err(), Some(Error::Exists));
    fs::create_dir(scene.at(b"d")).unwrap();
    assert_eq!(scene.open("d", Access::Create).err(), Some(Error::Exists));
    scene.write("new", Access::Create, "x");
    assert_eq!(scene.content("new").as_deref(), Some("x"));
}

#[test]
fn names_as_long_as_they_get() {
    let scene = Scene::new(Unfinished::Keep);
    for length in [239, 240, 241, 254, 255] {
        let name = "n".repeat(length);
        scene.cut_short(&name, Access::Replace, "01");
        assert_eq!(scene.volume.unfinished(format!("/{name}").as_bytes()), Ok(2));
        let other = "n".repeat(length - 1) + "m";
        assert_eq!(scene.volume.unfinished(format!("/{other}").as_bytes()), Err(Error::NotFound));
        scene.write(&name, Access::Resume(2), "2");
        assert_eq!((scene.content(&name).as_deref(), scene.names().len()), (Some("012"), 1));
        fs::remove_file(scene.at(name.as_bytes())).unwrap();
    }
    assert_eq!(scene.open(&"n".repeat(256), Access::Replace).err(), Some(Error::BadName));
}

#[test]
fn links_stay_links() {
    let scene = Scene::new(Unfinished::Keep);
    scene.put("f", "0123456789");
    scene.put("g", "0123456789");
    symlink("f", scene.at(b"l")).unwrap();
    fs::hard_link(scene.at(b"g"), scene.at(b"h")).unwrap();
    for (name, other) in [("l", "f"), ("h", "g")] {
        scene.cut_short(name, Access::Replace, "abc");
        assert_eq!(scene.content(other).as_deref(), Some("abc"), "in place");
        let first = scene.open(name, Access::Append).unwrap();
        for name in [name, other] {
            assert_eq!(scene.open(name, Access::Append).err(), Some(Error::Busy));
        }
        drop(first);
        scene.write(name, Access::Resume(1), "x");
        assert_eq!(scene.content(other).as_deref(), Some("ax"));
    }
    assert!(fs::symlink_metadata(scene.at(b"l")).unwrap().is_symlink());
    assert_eq!(fs::metadata(scene.at(b"g")).unwrap().nlink(), 2);
}

#[test]
fn only_files_are_replaced() {
    let scene = Scene::new(Unfinished::Keep);
    fs::create_dir(scene.at(b"d")).unwrap();
    for access in [Access::Replace, Access::Resume(1), Access::Append] {
        assert_eq!(scene.open("d", access).err(), Some(Error::NotFile));
    }
    let file = scene.open("e", Access::Replace).unwrap();
    file.write(b"some").unwrap();
    fs::create_dir(scene.at(b"e")).unwrap();
    assert_eq!(file.finish(), Err(Error::NotFile), "it has come meanwhile");
    fs::remove_dir(scene.at(b"e")).unwrap();
    file.finish().unwrap();
    assert_eq!(scene.content("e").as_deref(), Some("some"));

    let file = scene.open("g", Access::Replace).unwrap();
    fs::rename(scene.at(b".in.g."), scene.at(b"taken away")).unwrap();
    scene.put(".in.g.", "another's");
    assert_eq!(file.finish(), Err(Error::Io));
    drop(file);
    assert_eq!(scene.content(".in.g.").as_deref(), Some("another's"));
}

#[test]
fn modes_of_the_old_and_of_the_new() {
    let scene = Scene::new(Unfinished::Keep);
    let mode = |name: &str| fs::metadata(scene.at(name.as_bytes())).unwrap().mode() & 0o7777;
    scene.put("f", "old");
    for old in [0o600, 0o640, 0o755, 0o4711, 0o444] {
        fs::set_permissions(scene.at(b"f"), fs::Permissions::from_mode(old)).unwrap();
        let Ok(file) = scene.open("f", Access::Replace) else {
            assert_eq!(old, 0o444, "not for us to write");
            continue;
        };
        assert_eq!(mode(".in.f.") & !old & 0o577, 0, "no more can be seen of the new one");
        file.finish().unwrap();
        assert_eq!(mode("f"), old & 0o777);
    }
    scene.write("new", Access::Replace, "x");
    assert_eq!(mode("new"), 0o644);
}

#[test]
fn what_is_hidden_goes_with_what_is_not() {
    let scene = Scene::new(Unfinished::Keep);
    let (volume, at) = (&scene.volume, |name: &str| scene.at(name.as_bytes()));
    scene.put("f", "old");
    scene.put(".in.f.", "left");
    scene.put(".in.f.1", "by a server that was killed");
    volume.remove_file(b"/f").unwrap();
    assert_eq!(scene.names(), [""; 0]);
    scene.put(".in.f.", "left");
    volume.remove_file(b"/f").unwrap();
    assert_eq!(volume.remove_file(b"/f"), Err(Error::NotFound));
    let busy = scene.open("f", Access::Replace).unwrap();
    assert_eq!(volume.remove_file(b"/f"), Err(Error::NotFound), "it is being written");
    busy.finish().unwrap();
    assert_eq!(scene.names(), ["f"]);

    fs::create_dir(at("d")).unwrap();
    for name in ["d/.in.a.", "d/.in.b.", "d/.in.b.7"] {
        scene.put(name, "left");
    }
    scene.put("d/a", "");
    assert_eq!(volume.remove_directory(b"/d"), Err(Error::NotEmpty));
    assert!(at("d/.in.b.7").exists());
    volume.remove_file(b"/d/a").unwrap();
    let busy = scene.open("d/c", Access::Replace).unwrap();
    assert_eq!(volume.remove_directory(b"/d"), Err(Error::NotEmpty));
    assert!(at("d/.in.b.7").exists());
    drop(busy);
    volume.remove_directory(b"/d").unwrap();
    assert!(!at("d").exists());
}

#[test]
fn hidden_names_are_no_names_whatever_the_policy() {
    for unfinished in [Unfinished::Keep, Unfinished::InPlace] {
        let scene = Scene::new(unfinished);
        scene.put(".in.f.", "left");
        for access in [Access::Read, Access::Replace, Access::Resume(1), Access::Append, Access::Create] {
            assert_eq!(scene.open(".in.f.", access).err(), Some(Error::BadName));
        }
        assert_eq!(scene.volume.stat(b"/.in.f."), Err(Error::BadName));
        assert_eq!(scene.volume.rename(b"/.in.f.", b"/f"), Err(Error::BadName));
        assert_eq!(scene.volume.list(b"/").unwrap().next(), Ok(vec![]));
    }
}

#[test]
fn a_trap_in_place_of_the_hidden_file() {
    let scene = Scene::new(Unfinished::Keep);
    scene.put("victim", "safe");
    symlink("victim", scene.at(b".in.f.")).unwrap();
    fs::hard_link(scene.at(b"victim"), scene.at(b".in.g.")).unwrap();
    fs::create_dir(scene.at(b".in.h.")).unwrap();
    for name in ["f", "g", "h"] {
        assert_eq!(scene.volume.unfinished(format!("/{name}").as_bytes()), Err(Error::NotFound));
        scene.write(name, Access::Replace, "new");
        assert_eq!(scene.content(name).as_deref(), Some("new"));
    }
    assert_eq!(scene.content("victim").as_deref(), Some("safe"));
}
