//! Checksums and copies of files of a storage.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::task::coop;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;

use super::OwnFile;
use super::file::Pieces;
use crate::ending::Activity;
use crate::now::now;
use crate::storage::checksum::State;
use crate::storage::{Algorithm, Error};

/// A checksum or a copy. It goes on only while its session waits for it.
pub(crate) struct OwnWork {
    future: Pin<Box<dyn Future<Output = Result<Vec<u8>, Error>> + Send>>,
    result: Option<Result<Vec<u8>, Error>>,
    _share: Arc<()>,
}

impl OwnWork {
    /// The checksum of up to `length` octets from `offset`.
    pub(crate) fn checksum(
        algorithm: Algorithm,
        file: Arc<OwnFile>,
        offset: u64,
        length: u64,
        activity: Arc<Activity>,
        share: Arc<()>,
    ) -> Self {
        Self::new(share, async move {
            let mut state = State::new(algorithm);
            let mut pieces = Pieces::new(file, offset, length);
            while let Some(octets) = pieces.next().await? {
                state.update(&octets);
                activity.touch();
                // Other sessions have their turn.
                coop::consume_budget().await;
            }
            Ok(state.finish())
        })
    }

    /// A copy of all that `source` has, behind what was written into `target`.
    pub(crate) fn copy(source: Arc<OwnFile>, target: Arc<OwnFile>, activity: Arc<Activity>, share: Arc<()>) -> Self {
        Self::new(share, async move {
            let mut pieces = Pieces::new(source, 0, u64::MAX);
            while let Some(octets) = pieces.next().await? {
                target.write(&octets).await?;
                activity.touch();
                // Other sessions have their turn.
                coop::consume_budget().await;
            }
            Ok(Vec::new())
        })
    }

    fn new(share: Arc<()>, future: impl Future<Output = Result<Vec<u8>, Error>> + Send + 'static) -> Self {
        Self { future: Box::pin(future), result: None, _share: share }
    }

    /// What came of it, once it is done.
    pub(crate) fn finish(&mut self) -> Option<Result<Vec<u8>, Error>> {
        now(self.ready());
        self.result.clone()
    }
}

#[async_trait]
impl Pollable for OwnWork {
    async fn ready(&mut self) {
        if self.result.is_none() {
            self.result = Some(self.future.as_mut().await);
        }
    }
}
