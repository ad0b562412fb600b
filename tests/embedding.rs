//! The host inside a program of one's own: the examples, as they are, and what the library promises beside.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[allow(dead_code, reason = "its main")]
#[path = "../examples/accounts.rs"]
mod accounts;
#[path = "support/client.rs"]
mod client;
#[allow(dead_code, reason = "its main")]
#[path = "../examples/memory.rs"]
mod memory;
#[allow(dead_code, reason = "its main")]
#[path = "../examples/uploads.rs"]
mod uploads;
#[path = "../examples/virtual.rs"]
#[allow(dead_code, reason = "its main")]
mod virtual_files;
#[allow(dead_code, reason = "its main")]
#[path = "../examples/web.rs"]
mod web;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use client::{Client, Control, read_all, send_all};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wasi_ftpd_host::accounts::{Account, Accounts, Denial, LogIn};
use wasi_ftpd_host::bytes::Bytes;
use wasi_ftpd_host::config::{Config, Limits};
use wasi_ftpd_host::events::{Event, Events, What};
use wasi_ftpd_host::storage::{Attributes, Entries, Entry, Error, Permissions, Placement, Reader, Storage, Writer};
use wasi_ftpd_host::{Builder, Server, async_trait};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// A program that serves, until this is dropped.
struct Program {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

impl Program {
    /// Run `serve` with a listener and the future that tells it to stop.
    fn run<F: Future<Output = anyhow::Result<()>> + Send + 'static>(
        serve: impl FnOnce(TcpListener, std::pin::Pin<Box<dyn Future<Output = ()> + Send>>) -> F,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = serve(listener, Box::pin(async { drop(stopped.await) }));
        let serving = RUNTIME.spawn(async { serving.await.unwrap() });
        Self { address, stop: Some(stop), serving: Some(serving) }
    }

    /// Run a server.
    fn build(change: impl FnOnce(Builder) -> Builder + Send + 'static, accounts: impl Accounts) -> Self {
        Self::run(|listener, stop| async {
            change(Server::builder(accounts)).listener(listener).bind()?.serve(stop).await?;
            Ok(())
        })
    }

    /// Tell it to stop, and wait for its end.
    fn stop(&mut self) {
        self.stop.take();
        if let Some(serving) = self.serving.take() {
            RUNTIME.block_on(serving).unwrap();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stop();
    }
}

fn log_in(address: SocketAddr, name: &str, password: &str) -> Client {
    let mut client = Client::connect(address);
    client.expect(format!("USER {name}"), 331);
    client.expect(format!("PASS {password}"), 230);
    client.expect("TYPE I", 200);
    client
}

fn retrieve(client: &mut Client, command: &str) -> Vec<u8> {
    let data = client.open_passive();
    client.expect(command, 150);
    let octets = read_all(data);
    assert_eq!(client.reply().0, 226);
    octets
}

fn store(client: &mut Client, command: &str, octets: &[u8]) {
    let data = client.open_passive();
    client.expect(command, 150);
    send_all(data, octets);
    assert_eq!(client.reply().0, 226);
}

#[test]
fn files_that_are_made_when_they_are_read() {
    let program = Program::run(virtual_files::serve);
    let mut client = log_in(program.address, "me", "x");
    assert!(retrieve(&mut client, "RETR time").starts_with(b"SystemTime"));
    assert_eq!(retrieve(&mut client, "NLST"), b"time\r\nuptime\r\n");
    let _data = client.open_passive();
    client.expect("RETR none", 550);
    let _data = client.open_passive();
    client.expect("STOR time", 550);
    client.expect("DELE time", 550);
}

#[test]
fn memory_holds_what_was_stored_as_it_came() {
    let program = Program::run(memory::serve);
    let mut client = log_in(program.address, "me", "x");
    let content: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    store(&mut client, "STOR f", &content);
    assert!(retrieve(&mut client, "RETR f") == content);
    assert_eq!(client.expect("SIZE f", 213).trim(), "213 12000000");
    client.expect("REST 11999990", 350);
    assert_eq!(retrieve(&mut client, "RETR f"), content[11_999_990..]);
    store(&mut client, "APPE f", b"more");
    client.expect("REST 12000002", 350);
    assert_eq!(retrieve(&mut client, "RETR f"), b"re");
    client.expect("REST 4", 350);
    store(&mut client, "STOR f", b"end");
    assert_eq!(retrieve(&mut client, "RETR f"), [&content[..4], b"end"].concat());
    store(&mut client, "STOU", b"unique");
    let mut sum = crc32fast::Hasher::new();
    sum.update(&[&content[..4], b"end"].concat());
    assert!(client.expect("XCRC f", 250).to_lowercase().contains(&format!("{:08x}", sum.finalize())));
    client.expect("SITE COPY f copy", 250);
    assert_eq!(retrieve(&mut client, "RETR copy"), [&content[..4], b"end"].concat());
    client.expect("TYPE A", 200);
    assert_eq!(retrieve(&mut client, "RETR copy"), [&content[..4], b"end"].concat());
    client.expect("RNFR f", 350);
    client.expect("RNTO g", 250);
    client.expect("DELE g", 250);
    client.expect("SIZE g", 550);
    client.expect("MKD d", 504);
    client.expect("STOR /d/f", 425);
    let _data = client.open_passive();
    client.expect("STOR /d/f", 550);
}

#[test]
fn an_upload_that_is_cut_short_is_as_if_it_had_never_been() {
    let program = Program::run(memory::serve);
    let mut client = log_in(program.address, "me", "x");
    store(&mut client, "STOR f", b"old");
    let mut data = client.open_passive();
    client.expect("STOR f", 150);
    data.write_all(b"new and long").unwrap();
    client.expect("ABOR", 426);
    assert_eq!(client.reply().0, 226);
    assert_eq!(retrieve(&mut client, "RETR f"), b"old");
}

#[test]
fn each_user_of_the_closure_has_a_directory() {
    let homes = tempfile::tempdir().unwrap();
    for name in ["anna", "bert"] {
        fs::create_dir(homes.path().join(name)).unwrap();
        fs::write(homes.path().join(name).join("f"), name).unwrap();
    }
    let path = homes.path().to_owned();
    let program = Program::run(move |listener, stop| async move { accounts::serve(&path, listener, stop).await });
    let mut anna = Client::connect(program.address);
    anna.expect("USER anna", 331);
    assert!(anna.expect("PASS one", 230).contains("your directory is yours alone"));
    assert_eq!(retrieve(&mut anna, "RETR f"), b"anna");
    assert_eq!(retrieve(&mut log_in(program.address, "bert", "two"), "RETR f"), b"bert");
    let mut wrong = Client::connect(program.address);
    wrong.expect("USER anna", 331);
    wrong.expect("PASS two", 530);
    // Known, and without a directory.
    fs::remove_dir_all(homes.path().join("bert")).unwrap();
    let mut bert = Client::connect(program.address);
    bert.expect("USER bert", 331);
    bert.expect("PASS two", 421);
}

#[test]
fn uploads_come_out_of_the_channel() {
    let root = tempfile::tempdir().unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let path = root.path().to_owned();
    let mut program =
        Program::run(move |listener, stop| async move { uploads::serve(&path, sender, listener, stop).await });
    let mut client = log_in(program.address, "camera", "secret");
    store(&mut client, "STOR one", b"1");
    store(&mut client, "STOR two", b"2");
    let mut next = || RUNTIME.block_on(async { receiver.recv().await });
    assert_eq!(next(), Some((b"camera".to_vec(), b"/one".to_vec())));
    assert_eq!(next(), Some((b"camera".to_vec(), b"/two".to_vec())));
    client.expect("QUIT", 221);
    program.stop();
    assert_eq!(next(), None, "the sink ends with its server");
}

#[test]
fn ftp_inside_a_web_application() {
    let root = tempfile::tempdir().unwrap();
    let http = TcpListener::bind("127.0.0.1:0").unwrap();
    let web = http.local_addr().unwrap();
    let path = root.path().to_owned();
    let mut program = Program::run(move |listener, stop| async move { web::serve(path, listener, http, stop).await });
    let mut client = log_in(program.address, "me", "x");
    store(&mut client, "STOR page", b"over both");
    let get = |path: &str| {
        let mut stream = TcpStream::connect(web).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    assert!(get("/files/page").ends_with("\r\n\r\nover both"));
    client::until(|| get("/").ends_with("1 /page\n"), "the transfer to be counted");
    client.expect("QUIT", 221);
    program.stop();
    assert!(TcpStream::connect(web).is_err() && TcpStream::connect(program.address).is_err(), "both have ended");
}

#[test]
fn two_servers_in_one_process_know_nothing_of_each_other() {
    let account = |name: &'static str| {
        move |log_in: LogIn| {
            let known = log_in.name == name.as_bytes();
            std::future::ready(if known { Ok(Account::new(name, Odd, Permissions::ALL)) } else { Err(Denial::Denied) })
        }
    };
    let (mut one, two) =
        (Program::build(|builder| builder, account("one")), Program::build(|builder| builder, account("two")));
    let mut first = log_in(one.address, "one", "x");
    let mut second = log_in(two.address, "two", "x");
    let mut wrong = Client::connect(one.address);
    wrong.expect("USER two", 331);
    wrong.expect("PASS x", 530);
    drop(wrong);
    first.expect("QUIT", 221);
    one.stop();
    assert!(TcpStream::connect(one.address).is_err());
    second.expect("NOOP", 200);
    log_in(two.address, "two", "x");
}

#[test]
fn a_server_without_a_place_to_listen_is_refused() {
    let _runtime = RUNTIME.enter();
    let nobody = |_: LogIn| std::future::ready(Err(Denial::Denied));
    let error = Server::builder(nobody).bind().err().unwrap();
    assert!(error.to_string().contains("nowhere to listen"), "{error}");
    let error = Server::builder(nobody).component("no component").bind().err().unwrap();
    assert!(format!("{error:#}").contains("cannot make ready"), "{error:#}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = Server::builder(nobody).implicit_listener(listener).bind().err().unwrap();
    assert!(error.to_string().contains("needs TLS"), "{error}");
}

/// A storage that does what a good one does not.
struct Odd;

#[async_trait]
impl Storage for Odd {
    async fn stat(&self, path: &[u8]) -> Result<Attributes, Error> {
        let time = std::time::UNIX_EPOCH.into();
        match path {
            b"/" | b"/d" | b"/many" => Ok(Attributes::directory(time)),
            b"/never" => std::future::pending().await,
            _ => Ok(Attributes::file(10, time)),
        }
    }

    async fn list(&self, path: &[u8]) -> Result<Box<dyn Entries>, Error> {
        let attributes = Attributes::file(10, std::time::UNIX_EPOCH.into());
        let names: Vec<Vec<u8>> = match path {
            b"/d" => [&b""[..], b".", b"..", b"a/b", b"a\0", b"good"].map(Vec::from).into(),
            b"/many" => (0..100_000).map(|number| format!("file {number}").into_bytes()).collect(),
            _ => Vec::new(),
        };
        Ok(Box::new(names.into_iter().map(|name| Entry { name, attributes }).collect::<Vec<_>>()))
    }

    async fn read(&self, path: &[u8]) -> Result<Box<dyn Reader>, Error> {
        Ok(Box::new(OddReader(path.to_vec())))
    }

    async fn write(&self, path: &[u8], _: Placement) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(OddWriter(path.to_vec())))
    }
}

struct OddReader(Vec<u8>);

#[async_trait]
impl Reader for OddReader {
    fn size(&self) -> u64 {
        10
    }

    async fn read(&mut self, offset: u64, _: usize) -> Result<Bytes, Error> {
        match &self.0[..] {
            b"/more" => Ok(Bytes::from_static(b"0123456789 and more than was asked for")),
            b"/less" if offset == 0 => Ok(Bytes::from_static(b"01234")),
            b"/less" => Ok(Bytes::new()),
            b"/never-read" => std::future::pending().await,
            _ => Err(Error::Io),
        }
    }
}

struct OddWriter(Vec<u8>);

#[async_trait]
impl Writer for OddWriter {
    async fn write(&mut self, _: &[u8]) -> Result<(), Error> {
        match &self.0[..] {
            b"/full" => Err(Error::NoSpace),
            b"/never-written" => std::future::pending().await,
            _ => Ok(()),
        }
    }

    async fn finish(self: Box<Self>) -> Result<(), Error> {
        if self.0 == b"/never-finished" { std::future::pending().await } else { Ok(()) }
    }
}

fn odd(limits: Limits) -> Program {
    let anybody = |_: LogIn| std::future::ready(Ok(Account::new("anybody", Odd, Permissions::ALL)));
    Program::build(|builder| builder.config(Config { limits, ..Config::default() }), anybody)
}

#[test]
fn a_storage_that_never_answers_holds_up_nobody() {
    let program = odd(Limits { answer: Duration::from_millis(200), ..Limits::default() });
    let mut client = log_in(program.address, "me", "x");
    client.expect("SIZE never", 450);
    let data = client.open_passive();
    client.expect("RETR never-read", 150);
    drop(read_all_or_reset(data));
    assert_eq!(client.reply().0, 451);
    for name in ["never-written", "never-finished"] {
        let mut data = client.open_passive();
        client.expect(format!("STOR {name}"), 150);
        data.write_all(b"x").unwrap();
        let _ = data.shutdown(Shutdown::Write);
        assert!(matches!(client.reply().0, 450 | 451), "{name}");
    }
    client.expect("NOOP", 200);
}

fn read_all_or_reset(mut stream: TcpStream) -> Vec<u8> {
    let mut octets = Vec::new();
    let _ = stream.read_to_end(&mut octets);
    octets
}

#[test]
fn a_storage_that_gives_more_or_less_than_it_promised() {
    let program = odd(Limits::default());
    let mut client = log_in(program.address, "me", "x");
    assert_eq!(retrieve(&mut client, "RETR more"), b"0123456789");
    for name in ["less", "broken"] {
        let data = client.open_passive();
        client.expect(format!("RETR {name}"), 150);
        read_all_or_reset(data);
        assert_eq!(client.reply().0, 451, "{name}");
    }
    let mut data = client.open_passive();
    client.expect("STOR full", 150);
    data.write_all(b"x").unwrap();
    assert_eq!(client.reply().0, 552);
    assert_eq!(retrieve(&mut client, "NLST d"), b"d/good\r\n");
    assert_eq!(retrieve(&mut client, "MLSD many").iter().filter(|&&octet| octet == b'\n').count(), 100_000);
}

#[test]
fn accounts_that_never_answer_and_others_go_on() {
    let limits = Limits { answer: Duration::from_millis(200), ..Limits::default() };
    let accounts = |log_in: LogIn| async move {
        if log_in.name == b"never" {
            std::future::pending::<()>().await;
        }
        Ok(Account { start: b"no/path".to_vec(), ..Account::new("me", Odd, Permissions::ALL) })
    };
    let program = Program::build(|builder| builder.config(Config { limits, ..Config::default() }), accounts);
    let mut never = Client::connect(program.address);
    never.expect("USER never", 331);
    never.send("PASS x\r\n");
    let mut other = log_in(program.address, "me", "x");
    assert!(other.expect("PWD", 257).contains("\"/\""), "a start that is no path is the root");
    let (code, text) = never.reply();
    assert_eq!(code, 421);
    assert!(text.contains("cannot be checked"), "{text}");
}

#[test]
fn permissions_are_kept_by_the_host() {
    let reader = |_: LogIn| std::future::ready(Ok(Account::new("me", Odd, Permissions::READ_ONLY)));
    let program = Program::build(|builder| builder, reader);
    let mut client = log_in(program.address, "me", "x");
    assert_eq!(retrieve(&mut client, "RETR more"), b"0123456789");
    let _data = client.open_passive();
    client.expect("STOR f", 550);
    client.expect("DELE f", 550);
    client.expect("MKD e", 550);
    client.expect("RNFR f", 350);
    client.expect("RNTO g", 550);
}

/// A sink that remembers how many events it was told, and never has done with one.
struct Slow(Arc<AtomicUsize>);

#[async_trait]
impl Events for Slow {
    async fn record(&self, event: Event) {
        if event.what == What::Connected {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        std::future::pending().await
    }
}

#[test]
fn a_sink_that_never_has_done_loses_events_and_no_session() {
    let told = Arc::new(AtomicUsize::new(0));
    let (sink, limits) = (Slow(told.clone()), Limits { answer: Duration::from_millis(50), ..Limits::default() });
    let anybody = |_: LogIn| std::future::ready(Ok(Account::new("anybody", Odd, Permissions::ALL)));
    let configure = |builder: Builder| builder.config(Config { limits, ..Config::default() }).events(sink);
    let mut program = Program::build(configure, anybody);
    let mut client = log_in(program.address, "me", "x");
    client.expect("QUIT", 221);
    client::until(|| told.load(Ordering::Relaxed) == 1, "the first event");
    let stopping = Instant::now();
    program.stop();
    assert!(stopping.elapsed() < Duration::from_secs(10));
}
