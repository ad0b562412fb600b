//! An FTP server inside an axum application: what is stored over FTP can be had over HTTP, and one signal ends both.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use tokio::sync::watch;
use wasi_ftpd_host::accounts::{Account, LogIn};
use wasi_ftpd_host::events::{Event, Events, Outcome, What};
use wasi_ftpd_host::storage::{Permissions, Volume};
use wasi_ftpd_host::{Server, async_trait};

/// What both halves know: the directory, and how often each file was moved by FTP.
struct Application {
    directory: PathBuf,
    moved: Mutex<BTreeMap<String, u32>>,
}

struct Counter(Arc<Application>);

#[async_trait]
impl Events for Counter {
    async fn record(&self, event: Event) {
        if let What::Transfer(transfer) = event.what
            && transfer.outcome == Outcome::Complete
        {
            let path = String::from_utf8_lossy(&transfer.path).into_owned();
            *self.0.moved.lock().unwrap_or_else(PoisonError::into_inner).entry(path).or_default() += 1;
        }
    }
}

async fn counts(State(application): State<Arc<Application>>) -> String {
    let moved = application.moved.lock().unwrap_or_else(PoisonError::into_inner);
    moved.iter().map(|(path, count)| format!("{count} {path}\n")).collect()
}

async fn file(State(application): State<Arc<Application>>, Path(name): Path<String>) -> Result<Vec<u8>, StatusCode> {
    // One part, and none that leads elsewhere.
    if name.contains('/') || name.starts_with('.') {
        return Err(StatusCode::NOT_FOUND);
    }
    tokio::fs::read(application.directory.join(name)).await.map_err(|_| StatusCode::NOT_FOUND)
}

/// Serve both until told to stop.
pub async fn serve(
    directory: PathBuf,
    ftp: TcpListener,
    http: TcpListener,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let files = Volume::open_root(&directory, Permissions::ALL)?;
    let application = Arc::new(Application { directory, moved: Mutex::default() });
    let everybody = move |_: LogIn| std::future::ready(Ok(Account::new("anybody", files.clone(), Permissions::ALL)));
    let server = Server::builder(everybody).events(Counter(application.clone())).listener(ftp).bind()?;

    let router = Router::new().route("/", get(counts)).route("/files/{name}", get(file)).with_state(application);
    http.set_nonblocking(true)?;
    let http = tokio::net::TcpListener::from_std(http)?;
    let stopping = watch::Sender::new(false);
    let stopped = || {
        let mut stopping = stopping.subscribe();
        async move { drop(stopping.wait_for(|stop| *stop).await) }
    };
    let web = axum::serve(http, router).with_graceful_shutdown(stopped());
    let ftp = server.serve(stopped());
    let stop = async {
        stop.await;
        stopping.send_replace(true);
    };
    let (web, ftp, ()) = tokio::join!(web, ftp, stop);
    web?;
    Ok(ftp?)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let directory = std::env::args_os().nth(1).unwrap_or_else(|| ".".into());
    let ftp = TcpListener::bind((Ipv4Addr::LOCALHOST, 2121))?;
    let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 8080))?;
    println!("try curl -T FILE ftp://{}/ and curl http://{}/", ftp.local_addr()?, http.local_addr()?);
    serve(directory.into(), ftp, http, async { drop(tokio::signal::ctrl_c().await) }).await
}
