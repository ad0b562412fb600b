//! The host: it owns every socket, password and file of an FTP server, and runs each session in a
//! WebAssembly instance of its own, which can ask for them and nothing else.
//!
//! It knows no FTP but the two replies for when there is no session to make one. Commands and replies are
//! the component's affair, which is built with this crate; here is only what a session may reach, for how
//! long, and how fast. It is not a general component host.
//!
//! [`Server::bind`] takes a [`Config`](config::Config), [`Server::serve`] runs until it is told to stop.

pub mod accounts;
pub mod config;
pub mod storage;

mod bindings;
mod charsets;
mod control;
mod data;
mod ending;
mod engine;
mod events;
mod handshake;
mod line;
mod listen;
mod now;
mod server;
mod session;
mod socket;
mod tls;
mod tunables;
mod workers;

pub use engine::SESSION_COMPONENT;
pub use server::Server;
pub use tls::faults as certificate_faults;
