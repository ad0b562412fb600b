//! Files that change while the server runs.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Look at the files again and again, and tell when they have changed. Never ends.
pub(crate) async fn watch(
    files: impl Fn() -> Vec<PathBuf> + Send + Sync + 'static,
    changed: impl Fn() + Send + Sync + 'static,
) {
    let (files, changed) = (Arc::new(files), Arc::new(changed));
    let mut loaded = stamps(&files).await;
    let mut last = loaded.clone();
    loop {
        sleep(PAUSE).await;
        let now = stamps(&files).await;
        // Certificate and key are rarely written at the same moment: wait until nobody writes.
        if now != loaded && now == last {
            loaded.clone_from(&now);
            let changed = changed.clone();
            let _ = spawn_blocking(move || changed()).await;
        }
        last = now;
    }
}

/// What tells one content of a file from another: when it was written, its length, and its number.
type Stamp = Option<(i64, i64, u64, u64)>;

async fn stamps(files: &Arc<impl Fn() -> Vec<PathBuf> + Send + Sync + 'static>) -> Vec<Stamp> {
    let files = files.clone();
    let look = move || {
        let look = |file: PathBuf| {
            let found = std::fs::metadata(file).ok()?;
            Some((found.mtime(), found.mtime_nsec(), found.size(), found.ino()))
        };
        files().into_iter().map(look).collect()
    };
    spawn_blocking(look).await.unwrap_or_default()
}

/// Nobody waits for a new certificate, and looking costs next to nothing.
const PAUSE: Duration = Duration::from_secs(2);
