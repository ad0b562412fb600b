//! Asking a future without waiting.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

/// Let `future`, which must be cancel safe, go as far as it gets without waiting.
pub(crate) fn now(future: impl Future<Output = ()>) {
    let _ = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
}
