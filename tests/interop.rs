//! Real clients against both running servers, contents compared byte for byte.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/command.rs"]
mod command;
#[path = "support/client.rs"]
mod control;
#[path = "support/process.rs"]
mod process;
#[path = "support/program.rs"]
mod program;
#[path = "interop/suppaftp_session.rs"]
mod suppaftp_session;
#[path = "support/tree.rs"]
mod tree;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use control::{Client, Control, until};
use process::{PYTHON_LIBRARIES, SESSIONS, Serve, client, installed, lftp, rclone, run};
use program::command;
use tempfile::{TempDir, tempdir};

/// What clients are tried against.
#[derive(Clone, Copy)]
enum Server {
    /// `wasi-ftpd`.
    Program,
    /// `command.wasm` under the wasmtime CLI.
    Component,
}

impl Server {
    /// What it has not, in words.
    fn lacks(self) -> String {
        match self {
            Self::Program => String::new(),
            Self::Component => command::NOT_OFFERED.map(|(what, _)| what).join(" "),
        }
    }

    fn has(self, what: &str) -> bool {
        !self.lacks().split(' ').any(|word| word == what)
    }

    /// Files to be stored: `most`, or fewer where Nagle's algorithm holds back each reply.
    fn files(self, most: usize) -> usize {
        match self {
            Self::Program => most,
            Self::Component => most.min(60),
        }
    }
}

/// A directory, one that is served, and its server. `None`: the test is skipped.
fn scratch(server: Server) -> Option<(TempDir, TempDir, Serve)> {
    let (root, local) = (tempdir().unwrap(), tempdir().unwrap());
    let serve = match server {
        Server::Program => program::start(root.path()),
        Server::Component => command::start(root.path())?,
    };
    Some((root, local, serve))
}

/// Each client is a test against each server.
macro_rules! clients {
    ($($client:ident)*) => {
        mod against_the_program {
            $(#[test]
            fn $client() {
                super::$client(super::Server::Program);
            })*
        }
        mod against_the_component {
            $(#[test]
            fn $client() {
                super::$client(super::Server::Component);
            })*
        }
    };
}

clients! {
    curl
    curl_as_anonymous_reads_and_does_not_write
    lftp_mirrors_up_and_down
    wget_recurses
    ncftp_up_and_down
    tnftp
    inetutils_ftp
    rclone_syncs_up_and_down
    python_ftplib
    python_aioftp
    node_basic_ftp
    rust_suppaftp
}

fn curl(server: Server) {
    let Some((root, local, serve)) = scratch(server) else { return };
    let Some(_) = client("curl") else { return };
    let (octets, odd) = (tree::octets(), if server.has("octets") { "%ff" } else { "%c3%bf" });
    let path = local.path().join("file");
    fs::write(&path, &octets).unwrap();
    for (index, address) in serve.addresses.iter().enumerate() {
        for (number, mode) in
            [&["--ftp-pasv"][..], &["--disable-epsv"], &["--ftp-port", "-"], &["--disable-eprt", "--ftp-port", "-"]]
                .into_iter()
                .enumerate()
        {
            let url = format!("ftp://u:p@{address}/dir {index} {number}/a%20%23{odd}%20name").replace(' ', "%20");
            let curl = || {
                let mut curl = client("curl").unwrap();
                curl.args(["-sS", "--max-time", "60"]).args(mode).arg(&url);
                curl
            };
            run(curl().arg("--ftp-create-dirs").arg("-T").arg(&path));
            assert_eq!(run(&mut curl()), octets, "{mode:?}");
            // Resume down …
            let part = local.path().join("part");
            fs::write(&part, &octets[..1_000_000]).unwrap();
            run(curl().args(["-C", "-", "-o"]).arg(&part));
            assert!(fs::read(&part).unwrap() == octets);
            assert_eq!(run(curl().args(["-r", "100-199"])), octets[100..200]);
            // … and up.
            fs::write(&part, &octets[..1_000_000]).unwrap();
            run(curl().arg("-T").arg(&part));
            run(curl().args(["-C", "-"]).arg("-T").arg(&path));
            assert_eq!(run(&mut curl()), octets);
            run(curl().arg("-T").arg(&part).arg("--append"));
            assert_eq!(run(&mut curl()), [&octets[..], &octets[..1_000_000]].concat());
        }
    }
    // PASV and PORT have no form for IPv6, so that curl fell back to EPSV and EPRT there, or said so.
    let mut directories: Vec<_> = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    directories.sort();
    assert_eq!(directories.len(), 8);
}

fn curl_as_anonymous_reads_and_does_not_write(server: Server) {
    let Some((root, local, serve)) = scratch(server) else { return };
    let Some(mut get) = client("curl") else { return };
    let url = format!("ftp://{}/file", serve.addresses[0]);
    fs::write(root.path().join("file"), "to read").unwrap();
    assert_eq!(run(get.args(["-sS", &url])), b"to read");
    fs::write(local.path().join("file"), "written").unwrap();
    let put = client("curl").unwrap().arg("-sS").arg("-T").arg(local.path().join("file")).arg(&url).output().unwrap();
    assert!(!put.status.success());
    assert_eq!(fs::read(root.path().join("file")).unwrap(), b"to read");
}

fn lftp_mirrors_up_and_down(server: Server) {
    for (index, passive) in [(0, true), (0, false), (1, true), (1, false)] {
        // It uses MODE Z unless it is told not to.
        let deflated = if (index == 0) == passive { "yes" } else { "no" };
        let Some((root, local, serve)) = scratch(server) else { return };
        if client("lftp").is_none() {
            return;
        }
        let (up, down) = (local.path().join("up"), local.path().join("down"));
        tree::make(&up, server.files(1000), server.has("octets"));
        let url = format!("ftp://{}", serve.addresses[index]);
        let settings = format!("set ftp:passive-mode {passive}; set ftp:use-mode-z {deflated}");
        let lftp = |script: &str| lftp(&url, &settings, script);
        lftp(&format!("mirror --parallel=2 --reverse {} tree", up.display()));
        tree::assert_same(&up, &root.path().join("tree"));
        lftp(&format!("mirror --parallel=2 tree {}", down.display()));
        tree::assert_same(&up, &down);
        // Times have come along both ways: nothing is left to do, with MLSD or with LIST.
        for setting in ["yes", "no"] {
            lftp(&format!("set ftp:use-mlsd {setting}; mirror --dry-run tree {}", down.display()));
        }
        lftp("rm -r tree");
        assert!(!root.path().join("tree").exists());
    }
}

fn wget_recurses(server: Server) {
    let Some((root, local, serve)) = scratch(server) else { return };
    let Some(_) = client("wget") else { return };
    tree::make(&root.path().join("tree"), 1000, server.has("octets"));
    for (index, mode) in [(0, &[][..]), (0, &["--no-passive-ftp"][..]), (1, &[])] {
        let target = local.path().join(format!("{index}{}", mode.len()));
        run(client("wget")
            .unwrap()
            .args(["-q", "-r", "-nH", "--no-iri", "--no-remove-listing", "--restrict-file-names=nocontrol", "-l", "9"])
            .args(mode)
            .args(["--user=u", "--password=p", "--tries=2", "--timeout=20", "-P"])
            .arg(&target)
            .arg(format!("ftp://{}/tree/", serve.addresses[index])));
        remove_listings(&target);
        tree::assert_same(&root.path().join("tree"), &target.join("tree"));
    }
}

/// wget keeps what LIST said, which is of use when something differs.
fn remove_listings(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            remove_listings(&path);
        } else if path.file_name().unwrap() == ".listing" {
            fs::remove_file(path).unwrap();
        }
    }
}

fn ncftp_up_and_down(server: Server) {
    let Some((root, local, serve)) = scratch(server) else { return };
    let Some(_) = client("ncftpput") else { return };
    let up = local.path().join("up");
    tree::make(&up, server.files(200), server.has("octets"));
    for mode in ["-F", "-E"] {
        let login = ["-u", "u", "-p", "p", "-P", serve.port(0), "-V", mode, "-t", "20", "-r", "1"];
        run(client("ncftpput").unwrap().args(login).args(["-R", "-m", "127.0.0.1", mode]).arg(&up));
        tree::assert_same(&up, &root.path().join(mode).join("up"));
        let down = local.path().join(mode);
        fs::create_dir(&down).unwrap();
        let remote = format!("{mode}/up");
        run(client("ncftpget").unwrap().args(login).args(["-R", "127.0.0.1"]).arg(&down).arg(&remote));
        tree::assert_same(&up, &down.join("up"));
    }
}

fn tnftp(server: Server) {
    typed(server, "tnftp");
}

fn inetutils_ftp(server: Server) {
    typed(server, "inetutils-ftp");
}

/// Those that have names of their own for files on both sides.
fn typed_names(server: Server) -> [&'static [u8]; 3] {
    let latin: &[u8] = if server.has("octets") { b"latin \xe9\xfe\xff x" } else { b"latin \xc3\xa9 x" };
    ["a #1  100% \u{fc} \u{4e2d} (x)'q'".as_bytes(), latin, b"empty"]
}

/// What MFMT sets: 2001-02-03 04:05:06.
const SET_TIME: &str = "20010203040506";

fn is_set_time(path: &Path) -> bool {
    fs::metadata(path).unwrap().modified().unwrap() == SystemTime::UNIX_EPOCH + Duration::from_secs(981_173_106)
}

/// A client that reads commands as people type them. `epsv4` toggles EPSV and EPRT over IPv4: tnftp begins with
/// them on, inetutils with them off.
fn typed(server: Server, name: &str) {
    let Some((root, local, serve)) = scratch(server) else { return };
    if client(name).is_none() {
        return;
    }
    let (octets, names) = (tree::octets(), typed_names(server));
    let [up, file, part] = ["up", "file", "part"].map(|name| local.path().join(name));
    fs::create_dir(&up).unwrap();
    for (name, length) in names.into_iter().zip([3_000_000, 200, 0]) {
        fs::write(up.join(OsStr::from_bytes(name)), &octets[..length]).unwrap();
    }
    fs::write(&file, &octets).unwrap();
    for (index, host) in [(0, "127.0.0.1"), (1, "::1")] {
        for (mode, extended) in [("-p", ""), ("-p", "epsv4"), ("-A", ""), ("-A", "epsv4")] {
            let directory = format!("{index} {mode} {extended}.");
            let (remote, down) = (root.path().join(&directory), local.path().join(&directory));
            fs::create_dir(&down).unwrap();
            fs::write(&part, &octets[..1_000_000]).unwrap();
            let session = |commands: &str| {
                let script = local.path().join("script");
                let login = format!("open {host} {}\nuser u p\n{extended}\nbinary\n", serve.port(index));
                fs::write(&script, format!("{login}{commands}\nquit\n")).unwrap();
                let mut client = client(name).unwrap();
                let said = run(client.args(["-i", "-n", "-v", mode]).stdin(File::open(script).unwrap()));
                let said = String::from_utf8_lossy(&said).into_owned();
                let refused = |line: &str| line.starts_with(['4', '5']) && line.get(3..4) == Some(" ");
                assert!(said.contains("\n221 ") && !said.lines().any(refused), "{name} {directory}: {said}");
            };
            session(&format!(
                "mkdir \"{directory}\"\ncd \"{directory}\"\npwd\nlcd {up}\nmput *\n\
                 put {part} part\nrestart 1000000\nput {file} part\nappend {part} part\n\
                 reget \"{odd}\" {part}\n\
                 put {file} renamed\nrename renamed \"re named\"\nput {file} deleted\ndelete deleted\n\
                 quote MFMT {SET_TIME} \"{odd}\"\nsize \"{odd}\"\nmodtime \"{odd}\"\n\
                 dir\nls . {list}\nnlist . {nlist}\nlcd \"{down}\"\nmget *\nget \"{odd}\" {odd_file}",
                odd = std::str::from_utf8(names[0]).unwrap(),
                up = up.display(),
                down = down.display(),
                file = file.display(),
                part = part.display(),
                list = local.path().join("list").display(),
                nlist = local.path().join("nlist").display(),
                odd_file = local.path().join("odd").display(),
            ));
            assert!(fs::read(&part).unwrap() == octets, "resumed down");
            assert!(fs::read(local.path().join("odd")).unwrap() == octets);
            for name in names.map(OsStr::from_bytes) {
                assert!(fs::read(remote.join(name)).unwrap() == fs::read(up.join(name)).unwrap(), "{name:?}");
            }
            assert!(fs::read(remote.join("part")).unwrap() == [&octets[..], &octets[..1_000_000]].concat());
            tree::assert_same(&remote, &down);
            let odd = OsStr::from_bytes(names[0]);
            assert!(is_set_time(&remote.join(odd)) && (name != "tnftp" || is_set_time(&down.join(odd))));
            for listing in ["list", "nlist"] {
                let listing = fs::read(local.path().join(listing)).unwrap();
                let lists = |name| listing.split(|octet| *octet == b'\n').any(|line| line.ends_with(name));
                assert!(names.into_iter().all(lists), "{}", String::from_utf8_lossy(&listing));
            }
            session(&format!("cd \"{directory}\"\nmdelete *\ncdup\nrmdir \"{directory}\""));
            assert!(!remote.exists());
        }
    }
}

fn rclone_syncs_up_and_down(server: Server) {
    let Some((root, local, serve)) = scratch(server) else { return };
    let Some(_) = client("rclone") else { return };
    let (up, served) = (local.path().join("up"), root.path().join("tree"));
    tree::make(&up, server.files(200), server.has("octets"));
    fs::write(up.join("large"), tree::octets()).unwrap();
    // `LIST -a` tells no seconds, so that times there are no help.
    for (index, host, modes, compare) in [
        (0, "127.0.0.1", &[][..], "--modify-window=1s"),
        (0, "127.0.0.1", &["--ftp-disable-epsv", "--ftp-force-list-hidden"], "--size-only"),
        (1, "[::1]", &[], "--modify-window=1s"),
    ] {
        let rclone = |arguments: &[&str]| {
            let mut rclone = rclone(host, serve.port(index)).unwrap();
            rclone.args(modes).args(arguments);
            rclone
        };
        let down = local.path().join(format!("{index}{}", modes.len()));
        for (from, to) in [(up.to_str().unwrap(), ":ftp:tree"), (":ftp:tree", down.to_str().unwrap())] {
            run(&mut rclone(&["sync", from, to]));
            run(&mut rclone(&["check", "--download", from, to]));
            let again = rclone(&["sync", compare, "--error-on-no-transfer", from, to]).output().unwrap();
            assert_eq!(again.status.code(), Some(9), "{}", String::from_utf8_lossy(&again.stderr));
        }
        tree::assert_same(&up, &served);
        tree::assert_same(&up, &down);
        assert!(run(&mut rclone(&["cat", "--offset=2000000", ":ftp:tree/large"])) == tree::octets()[2_000_000..]);
        run(&mut rclone(&["moveto", ":ftp:tree/large", ":ftp:tree/made by it/#1 100%"]));
        run(&mut rclone(&["touch", "--timestamp=2001-02-03T04:05:06", ":ftp:tree/made by it/#1 100%"]));
        assert!(is_set_time(&served.join("made by it/#1 100%")));
        run(&mut rclone(&["purge", ":ftp:tree"]));
        assert!(!served.exists());
    }
}

fn python_ftplib(server: Server) {
    let Some((root, _local, serve)) = scratch(server) else { return };
    let Some(_) = client("python3") else { return };
    let script = format!("{SESSIONS}/ftplib_session.py");
    for (index, host) in [(0, "127.0.0.1"), (1, "::1")] {
        for passive in ["1", "0"] {
            let mut client = client("python3").unwrap();
            run(client.env("LACKS", server.lacks()).args([&script, host, serve.port(index), passive]));
        }
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

fn python_aioftp(server: Server) {
    passive(server, "python3", "aioftp_session.py", PYTHON_LIBRARIES, "aioftp");
}

fn node_basic_ftp(server: Server) {
    passive(server, "node", "basic_ftp_session.mjs", &format!("{SESSIONS}/node_modules"), "basic-ftp");
}

/// A session of a library that knows no active mode, and that `.ci/run` installed there.
fn passive(server: Server, name: &str, script: &str, libraries: &str, library: &str) {
    let Some((root, _local, serve)) = scratch(server) else { return };
    if client(name).is_none() || !installed(library, &Path::new(libraries).join(library)) {
        return;
    }
    let script = format!("{SESSIONS}/{script}");
    for (index, host, mode) in [(0, "127.0.0.1", "epsv"), (0, "127.0.0.1", "pasv"), (1, "::1", "epsv")] {
        let mut client = client(name).unwrap();
        client.env("PYTHONPATH", libraries).env("LACKS", server.lacks());
        run(client.args([&script, host, serve.port(index), mode]));
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

fn rust_suppaftp(server: Server) {
    let Some((root, _local, serve)) = scratch(server) else { return };
    for address in &serve.addresses {
        // More than the kernel's buffers take, so that a transfer can be aborted.
        File::create(root.path().join("sparse")).unwrap().set_len(200_000_000).unwrap();
        suppaftp_session::run(address.parse().unwrap(), &tree::octets(), server.has("octets"));
        fs::remove_file(root.path().join("sparse")).unwrap();
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

// The program itself.

#[test]
fn without_options_it_says_where_it_is() {
    let root = tempdir().unwrap();
    fs::write(root.path().join("file"), "content").unwrap();
    let serve = program::with(root.path(), &["--listen", "127.0.0.1:0", "--log", "off"]);
    let line = serve.introduction.lines().find_map(|line| line.strip_prefix("Try    curl ")).unwrap().to_owned();
    if let Some(mut curl) = client("curl") {
        assert!(String::from_utf8(run(curl.args(["-sS", &line]))).unwrap().contains("file"));
    }
    serve.stop();
}

#[test]
fn a_log_that_nobody_reads() {
    let root = tempdir().unwrap();
    let mut command = command();
    command.arg("serve").arg(root.path()).args(["--listen", "127.0.0.1:0", "--log", "trace"]);
    let serve = Serve::run(command.stderr(Stdio::piped()));
    // Far more than a pipe holds.
    for _ in 0..2000 {
        assert_eq!(Client::silent(serve.address()).reply().0, 220);
    }
}

#[test]
fn file_descriptors_that_run_out() {
    let root = tempdir().unwrap();
    let limited = "ulimit -n 40; exec \"$0\" serve \"$1\" --listen 127.0.0.1:0 --max-connections 12 --log off";
    let mut sh = Command::new("sh");
    let serve = Serve::run(sh.args(["-c", limited]).arg(command().get_program()).arg(root.path()));
    let mut clients: Vec<Client> = (0..12).map(|_| Client::connect(serve.address())).collect();
    let mut refused = 0;
    for client in &mut clients {
        client.expect("USER ftp", 331);
        client.expect("PASS x", 230);
        refused += usize::from(client.say("EPSV").0 == 425);
    }
    assert!(refused > 0, "the limit was not reached");
    // A transfer for which there is no descriptor keeps nobody else waiting.
    clients[0].send("LIST\r\n");
    for client in &mut clients[1..] {
        client.expect("NOOP", 200);
    }
    clients.truncate(6);
    let mut again = clients.pop().unwrap();
    until(|| again.say("EPSV").0 == 229, "descriptors to be free again");
}

#[test]
fn a_generated_password_is_shown_once_and_works() {
    let root = tempdir().unwrap();
    let serve =
        program::with(root.path(), &["--listen", "127.0.0.1:0", "--user", "anna", "--writable", "--log", "off"]);
    let password = serve.introduction.split("with password ").nth(1).unwrap().split(' ').next().unwrap();
    let Some(mut curl) = client("curl") else { return };
    let url = format!("ftp://{}/", serve.addresses[0]);
    run(curl.args(["-sS", "--user", &format!("anna:{password}"), "-Q", "MKD made", &url]));
    assert!(root.path().join("made").is_dir());
    let refused = client("curl").unwrap().args(["-sS", "--user", "anna:guess", &url]).output().unwrap();
    assert_eq!(refused.status.code(), Some(67));
}

#[test]
fn check_and_firewall() {
    let root = tempdir().unwrap();
    let here = root.path().to_str().unwrap();
    let said = |arguments: &[&str]| {
        let output = command().args(arguments).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let free = ["--listen", "127.0.0.1:0", "--passive-ports", "50000-65535"];
    assert_eq!(said(&[&["check", here][..], &free].concat()), (true, "Nothing is wrong\n".to_owned()));
    let serve = program::start(root.path());
    let (good, text) = said(&["check", here, "--listen", &serve.addresses[0], "--public-address", "10.0.0.1"]);
    assert!(!good && text.contains("another program") && text.contains("10.0.0.1 is private"), "{text}");
    let (_, text) =
        said(&["firewall", here, "--listen", "0.0.0.0:21", "--for", "nftables", "--passive-ports", "5000-5010"]);
    assert!(text.contains("tcp dport { 21, 5000-5010 }") && text.contains("tcp sport { 20 }"), "{text}");
}

#[test]
fn mistakes_are_one_line_that_says_what_to_do() {
    let root = tempdir().unwrap();
    let serve = program::start(root.path());
    let here = root.path().to_str().unwrap();
    let taken = serve.addresses[0].as_str();
    for (arguments, hint) in [
        (vec!["serve", "/no/such/directory"], "name a directory that exists"),
        (vec!["serve", here, "--listen", taken], "another program has that port"),
        (vec!["serve", here, "--listen", "192.0.2.1:2121"], "no such address"),
        (vec!["serve", here, "--writable"], "add --user NAME"),
        (vec!["serve", here, "--listen", "127.0.0.1:0", "--active-port", serve.port(0)], "--active-port"),
    ] {
        let output = command().args(&arguments).output().unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.lines().count() == 1 && said.contains(hint), "{arguments:?}: {said}");
    }
}
