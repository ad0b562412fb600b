//! Everything that affects how a command is taken (RFC 959 §5.4).
//!
//! ```text
//!            USER              PASS ok
//!  Nobody ─────────► Named ─────────────► User          RNFR ──► rename_from ──► RNTO, or forgotten
//!    ▲  ▲             │  ▲                 │  │          REST ──► restart ──────► the next transfer
//!    │  └── PASS wrong┘  └────── USER ─────┘  │          PORT, PASV … ► port ──► the next transfer
//!    └──────────────────── REIN ──────────────┘          EPSV ALL ► extended_only until REIN
//! ```

use crate::proto::command::{Name, Type};
use crate::proto::facts::Facts;
use crate::proto::path::VPath;

/// Who the client is.
pub(super) enum Login<V> {
    Nobody,
    /// USER was given, PASS is to come.
    Named(Name),
    User(User<V>),
}

/// A user who logged in.
pub(super) struct User<V> {
    pub(super) name: Name,
    pub(super) volume: V,
    /// The working directory.
    pub(super) directory: VPath,
}

/// The transfer parameters (RFC 959 §4.1.2) and what else lives from one command to a later one.
pub(super) struct Parameters<P> {
    pub(super) representation: Type,
    pub(super) facts: Facts,
    /// Where the next data connection comes from.
    pub(super) port: Option<P>,
    /// Where the next transfer begins, in octets of the wire (RFC 3659 §5).
    pub(super) restart: u64,
    /// EPSV ALL was said (RFC 2428 §4).
    pub(super) extended_only: bool,
}

impl<P> Default for Parameters<P> {
    fn default() -> Self {
        Self { representation: Type::default(), facts: Facts::default(), port: None, restart: 0, extended_only: false }
    }
}
