//! Certificates that change while the server runs.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Tls;

/// Look at the files again and again, and read them when they have changed. Never ends.
pub(crate) async fn watch(tls: Arc<Tls>) {
    let mut loaded = stamps(&tls).await;
    let mut last = loaded.clone();
    loop {
        sleep(PAUSE).await;
        let now = stamps(&tls).await;
        // Certificate and key are rarely written at the same moment: wait until nobody writes.
        if now != loaded && now == last {
            loaded.clone_from(&now);
            let tls = tls.clone();
            let _ = spawn_blocking(move || tls.reload()).await;
        }
        last = now;
    }
}

/// What tells one content of a file from another: when it was written, its length, and its number.
type Stamp = Option<(i64, i64, u64, u64)>;

async fn stamps(tls: &Arc<Tls>) -> Vec<Stamp> {
    let tls = tls.clone();
    let look = move || {
        let look = |file| {
            let found = std::fs::metadata(file).ok()?;
            Some((found.mtime(), found.mtime_nsec(), found.size(), found.ino()))
        };
        tls.files().map(look).collect()
    };
    spawn_blocking(look).await.unwrap_or_default()
}

/// Nobody waits for a new certificate, and looking costs next to nothing.
const PAUSE: Duration = Duration::from_secs(2);
