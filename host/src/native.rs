//! Sessions without a sandbox, for `bench/native` to measure what it costs.

use std::pin::Pin;

pub use crate::session::SessionCtx;

/// The contract, as the host keeps it.
pub mod bindings {
    pub use crate::bindings::ftpd;
}

/// Serves the client of a context. Until that client is there, it may be moved to another thread.
pub type Interpreter = fn(SessionCtx) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;
