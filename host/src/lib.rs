//! The host: it owns every socket, password and file of an FTP server, and runs each session in a
//! WebAssembly instance of its own, which can ask for them and nothing else.
//!
//! It knows no FTP but the two replies for when there is no session to make one. Commands and replies are
//! the component's affair, which is built with this crate; here is only what a session may reach, for how
//! long, and how fast. It is not a general component host.
//!
//! Inside a program of one's own:
//!
//! ```no_run
//! use std::net::Ipv4Addr;
//! use wasi_ftpd_host::Server;
//! use wasi_ftpd_host::accounts::{Account, Denial, LogIn, Proof};
//! use wasi_ftpd_host::storage::{Permissions, Volume};
//!
//! # async fn example() -> anyhow::Result<()> {
//! let files = Volume::open_root("/srv/ftp".as_ref(), Permissions::ALL)?;
//! let accounts = move |log_in: LogIn| {
//!     let account = Account::new(log_in.name, files.clone(), Permissions::READ_ONLY);
//!     async move {
//!         match log_in.proof {
//!             Proof::Password(password) if password == b"open sesame" => Ok(account),
//!             _ => Err(Denial::Denied),
//!         }
//!     }
//! };
//! let server = Server::builder(accounts).listen((Ipv4Addr::LOCALHOST, 2121)).bind()?;
//! server.serve(async { drop(tokio::signal::ctrl_c().await) }).await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`accounts`] says who may log in, [`storage`] where files are, [`events`] tells what happens, and [`config`] has
//! addresses, limits and TLS. The library keeps no state outside its servers, ends no process, installs no logger
//! (it writes to `log`), and there may be several servers. It needs Linux and a tokio runtime with all its drivers.
//! `examples/` and `docs/embedding-rust.md` show more.

#![cfg_attr(
    feature = "native",
    allow(missing_docs, private_interfaces, reason = "what sessions are given is no interface")
)]

pub mod accounts;
pub mod config;
pub mod events;
#[cfg(feature = "native")]
pub mod native;
pub mod providers;
pub mod storage;

mod bindings;
mod builder;
mod charsets;
mod control;
mod data;
mod ending;
mod engine;
mod epochs;
mod handshake;
mod instance;
mod line;
mod listen;
mod now;
mod polling;
mod printable;
mod server;
mod session;
mod socket;
mod tls;
mod tunables;
mod watch;
mod workers;

pub use builder::Builder;
pub use engine::SESSION_COMPONENT;
pub use server::Server;
pub use tls::faults as certificate_faults;
pub use wasmtime_wasi_io::{async_trait, bytes};
