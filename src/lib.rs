//! The protocol interpreter of an FTP server (RFC 959's server-PI), written to run in a sandbox.
//!
//! This library does not open a socket, a file or a clock: [`session::serve`] speaks FTP over an
//! [`env::Env`], and whoever implements that decides what a session can reach. It is not an FTP client
//! and not a general file-sharing library.
//!
//! * [`proto`]: octets to meaning and back, without I/O.
//! * [`mod@env`]: what a session needs from outside, and an in-memory environment.
//! * [`session`]: the server-PI itself.
//! * [`wasi`]: glue that the program roots under `src/bin/` share.

#![forbid(unsafe_code)]

pub mod env;
pub mod proto;
pub mod session;
pub mod wasi;
