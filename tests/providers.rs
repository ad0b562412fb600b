//! Accounts, files and a listener that are components.

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
#[path = "support/provider.rs"]
mod provider;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use client::{Client, Control, read_all, until};
use process::{Serve, installed, run};
use provider::accounts;
use rustix::process::Signal;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wasi_ftpd_host::Server;
use wasi_ftpd_host::providers::{AccountsProvider, Settings};
use wasi_ftpd_host::storage::{Permissions, Volume};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// A server whose accounts are a component, which knows the roots `main` and `second`; each has a file of its name.
struct Host {
    address: SocketAddr,
    provider: AccountsProvider,
    directory: TempDir,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<std::io::Result<()>>>,
}

impl Host {
    fn start(body: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let component = directory.path().join("accounts.wasm");
        fs::write(&component, accounts(body)).unwrap();
        let root = |name: &str| {
            let path = directory.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join(name), name).unwrap();
            (name.to_owned(), Volume::open_root(&path, Permissions::ALL).unwrap().into())
        };
        let roots = BTreeMap::from([root("main"), root("second")]);
        let mut settings = Settings::new(component);
        settings.time = Duration::from_millis(300);
        settings.memory = 32 << 20;
        let provider = AccountsProvider::load(settings, roots).unwrap();
        let _runtime = RUNTIME.enter();
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let server = Server::builder(provider.clone()).listen(loopback).bind().unwrap();
        let address = server.local_addresses().unwrap()[0];
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = RUNTIME.spawn(server.serve(async { drop(stopped.await) }));
        Self { address, provider, directory, stop: Some(stop), serving: Some(serving) }
    }

    /// Another component in the place of the one there is.
    fn replace(&self, component: &[u8]) {
        fs::write(self.directory.path().join("accounts.wasm"), component).unwrap();
        self.provider.reload();
    }

    /// The reply to PASS.
    fn log_in(&self) -> (u16, Client) {
        let mut client = Client::connect(self.address);
        client.expect("USER main", 331);
        (client.say("PASS x").0, client)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(serving) = self.serving.take() {
            RUNTIME.block_on(serving).unwrap().unwrap();
        }
    }
}

fn retrieve(client: &mut Client, command: &str) -> Vec<u8> {
    let data = client.open_passive();
    client.expect(command, 150);
    let octets = read_all(data);
    assert_eq!(client.reply().0, 226);
    octets
}

#[test]
fn an_account_is_let_into_its_root_and_no_other() {
    let host = Host::start("global.get $main");
    let (code, mut client) = host.log_in();
    assert_eq!(code, 230);
    client.expect("TYPE I", 200);
    assert_eq!(retrieve(&mut client, "RETR main"), b"main");
    for way in ["second/second", "../second/second", "/../second/second", "//second/second"] {
        let _data = client.open_passive();
        client.expect(format!("RETR {way}"), 550);
    }
    client.expect("CWD ..", 250);
    assert_eq!(retrieve(&mut client, "NLST"), b"main\r\n");
}

#[test]
fn who_is_denied_is_told_nothing_more() {
    let host = Host::start("global.get $denied");
    let (code, mut client) = host.log_in();
    assert_eq!(code, 530);
    client.expect("PWD", 530);
}

#[test]
fn a_root_that_nobody_knows_lets_nobody_in() {
    let host = Host::start("global.get $other");
    let (code, mut client) = host.log_in();
    assert_eq!(code, 421);
    assert!(client.try_reply().is_none(), "closed");
}

#[test]
fn a_call_without_end_or_measure_fails_and_others_go_on() {
    let host = Host::start("global.get $main");
    let (_, mut bystander) = host.log_in();
    for body in ["(call $forever) unreachable", "(call $glut) unreachable", "unreachable", "i32.const -1"] {
        host.replace(&accounts(body));
        let mut victims: Vec<Client> = (0..4).map(|_| Client::connect(host.address)).collect();
        for victim in &mut victims {
            victim.expect("USER main", 331);
            victim.send("PASS x\r\n");
        }
        for _ in 0..10 {
            bystander.expect("NOOP", 200);
        }
        for victim in &mut victims {
            let (code, text) = victim.reply();
            assert_eq!(code, 421, "{body}");
            assert!(text.contains("cannot be checked"), "{text}");
        }
    }
    host.replace(&accounts("global.get $main"));
    assert_eq!(host.log_in().0, 230);
    bystander.expect("PWD", 257);
}

#[test]
fn a_new_component_is_for_those_who_come_and_a_bad_one_for_nobody() {
    let host = Host::start("global.get $main");
    let (code, mut before) = host.log_in();
    assert_eq!(code, 230);
    host.replace(&accounts("global.get $denied"));
    assert_eq!(host.log_in().0, 530);
    before.expect("TYPE I", 200);
    assert_eq!(retrieve(&mut before, "RETR main"), b"main");
    host.replace(b"no component");
    assert_eq!(host.log_in().0, 530, "what there was stays");
    host.replace(&accounts("global.get $main"));
    assert_eq!(host.log_in().0, 230);
}

#[test]
fn a_file_that_changes_is_loaded_again() {
    let host = Host::start("global.get $denied");
    RUNTIME.spawn(host.provider.clone().watch());
    assert_eq!(host.log_in().0, 530);
    // The watch may look for the first time after this: then it must be written again.
    let path = host.directory.path().join("accounts.wasm");
    let mut round = 0;
    client::until(
        || {
            if round % 500 == 0 {
                fs::write(&path, accounts("global.get $main")).unwrap();
            }
            round += 1;
            host.log_in().0 == 230
        },
        "the new component",
    );
}

#[test]
fn what_was_compiled_is_kept_for_us_alone() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    let mut settings = Settings::new(directory.path().join("accounts.wasm"));
    fs::write(&settings.component, accounts("global.get $main")).unwrap();
    settings.cache = Some(cache.clone());
    let load = || AccountsProvider::load(settings.clone(), BTreeMap::new()).map(drop);
    let kept = || fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    load().unwrap();
    let [file] = &kept()[..] else { panic!("one file: {:?}", kept()) };
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o077, 0);
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o077, 0);
    let written = fs::metadata(file).unwrap().modified().unwrap();
    load().unwrap();
    assert_eq!(fs::metadata(file).unwrap().modified().unwrap(), written, "compiled once");
    // Damaged: compiled again.
    fs::write(file, b"damaged").unwrap();
    load().unwrap();
    assert_ne!(fs::read(file).unwrap(), b"damaged");
    // Anybody may have written it.
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    fs::remove_file(file).unwrap();
    load().unwrap();
    assert_eq!(kept(), [] as [PathBuf; 0]);
}

#[test]
fn a_component_of_another_world_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("session.wasm");
    fs::write(&path, wasi_ftpd_host::SESSION_COMPONENT).unwrap();
    let error = AccountsProvider::load(Settings::new(path), BTreeMap::new()).err().unwrap();
    assert!(format!("{error:#}").contains("session.wasm"), "{error:#}");
}

// The examples, as the program takes them.

/// A component that `.ci/run` has built.
fn built(name: &str) -> Option<PathBuf> {
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let path = target.join("providers").join(name);
    installed(name, &path).then_some(path)
}

fn curl(arguments: &[&str]) -> Vec<u8> {
    run(Command::new("curl").args(["--silent", "--show-error", "--max-time", "20"]).args(arguments))
}

fn serve(options: &[&str]) -> Serve {
    Serve::run(program::command().args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]).args(options))
}

#[test]
fn accounts_and_a_log_in_rust() {
    let (Some(accounts), Some(events)) = (built("accounts.wasm"), built("events.wasm")) else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for name in ["main", "team", "users", "log"] {
        fs::create_dir(path(name)).unwrap();
    }
    fs::write(path("main/f"), "in main").unwrap();
    fs::write(path("team/f"), "in team").unwrap();
    let digest =
        |password: &str| Sha256::digest(password).iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    let users = format!("anna:{}:main:r\nbert:{}:team:rw\n", digest("one"), digest("two"));
    fs::write(path("users/users"), users).unwrap();
    let with = |component: &Path, name: &str| format!("{},{}", component.display(), path(name).display());
    let server = serve(&[
        path("main").to_str().unwrap(),
        "--accounts",
        &with(&accounts, "users"),
        "--root",
        &format!("team={}", path("team").display()),
        "--events",
        &with(&events, "log"),
    ]);
    let url = format!("ftp://{}/f", server.addresses[0]);
    assert_eq!(curl(&["--user", "anna:one", &url]), b"in main");
    assert_eq!(curl(&["--user", "bert:two", &url]), b"in team");
    fs::write(path("new"), "changed").unwrap();
    run(Command::new("curl").args(["-sS", "--user", "bert:two", "-T"]).arg(path("new")).arg(&url));
    assert_eq!(fs::read(path("team/f")).unwrap(), b"changed");
    let mut wrong = Client::connect(server.address());
    wrong.expect("USER anna", 331);
    wrong.expect("PASS two", 530);
    drop(wrong);
    server.stop();
    let log = fs::read_to_string(path("log/transfers")).unwrap();
    let lines: Vec<&str> = log.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(
        lines,
        [
            "anna 127.0.0.1 7 retrieved /f complete",
            "bert 127.0.0.1 7 retrieved /f complete",
            "bert 127.0.0.1 7 stored /f complete"
        ]
    );
}

#[test]
fn sighup_loads_what_has_changed() {
    let directory = tempfile::tempdir().unwrap();
    let (component, root) = (directory.path().join("accounts.wasm"), directory.path().join("root"));
    fs::create_dir(&root).unwrap();
    fs::write(&component, accounts("global.get $main")).unwrap();
    let server = serve(&[root.to_str().unwrap(), "--accounts", component.to_str().unwrap()]);
    let log_in = || {
        let mut client = Client::connect(server.address());
        client.expect("USER main", 331);
        (client.say("PASS x").0, client)
    };
    let (code, mut before) = log_in();
    assert_eq!(code, 230);
    let new = directory.path().join("new.wasm");
    fs::write(&new, accounts("global.get $denied")).unwrap();
    fs::rename(new, &component).unwrap();
    server.signal(Signal::HUP);
    until(|| log_in().0 == 530, "the new component");
    before.expect("PWD", 257);
    server.stop();
}

#[test]
fn an_archive_in_python() {
    let Some(archive) = built("archive.wasm") else { return };
    let directory = tempfile::tempdir().unwrap();
    let script = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as archive:
    archive.writestr('a/b/f', bytes(range(256)) * 1000)
    archive.writestr('g', b'at the top')
    archive.writestr('../evil', b'outside')
";
    let made = run(Command::new("python3").args(["-c", script]).arg(directory.path().join("archive.zip")));
    assert_eq!(made, b"");
    let cache = archive.with_file_name("cache");
    let with = format!("{},{}", archive.display(), directory.path().display());
    let server = serve(&["--storage", &with, "--provider-cache", cache.to_str().unwrap()]);
    let url = |path: &str| format!("ftp://{}/{path}", server.addresses[0]);
    assert!(curl(&[&url("a/b/f")]) == (0..=255).collect::<Vec<u8>>().repeat(1000));
    assert_eq!(curl(&["--list-only", &url("")]), b"a\ng\n");
    assert_eq!(curl(&["--range", "3-", &url("g")]), b"the top");
    let mut client = Client::connect(server.address());
    client.expect("USER ftp", 331);
    client.expect("PASS x", 230);
    client.expect("SIZE none", 550);
    let data = client.open_passive();
    client.expect("STOR f", 550);
    drop(data);
    server.stop();
}
