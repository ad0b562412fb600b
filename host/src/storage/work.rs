//! Something that takes time: a checksum, a copy.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as AsyncMutex;
use tokio::task::{JoinHandle, coop, spawn_blocking};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;

use super::checksum::Checksum;
use super::copy::Copy;
use super::{Error, File};
use crate::ending::{Activity, Busy};
use crate::now::now;

/// Something that takes time. It goes on only while its session waits for it, piece by piece, each on a
/// thread that may wait; when it is dropped, the piece that was begun is the last.
pub struct Work {
    /// None if it failed before it began.
    job: Option<Arc<Mutex<Job>>>,
    /// See [`SessionCtx::disk`](crate::session::SessionCtx::disk).
    disk: Arc<AsyncMutex<()>>,
    piece: Option<JoinHandle<Progress>>,
    result: Option<Result<Vec<u8>, Error>>,
    /// What a copy writes.
    target: Option<File>,
    /// Whose session is not idle while a piece is done.
    activity: Arc<Activity>,
    _share: Option<Arc<()>>,
}

/// What is to be done.
pub(super) enum Job {
    Checksum(Box<Checksum>),
    Copy(Copy),
}

/// What a piece leads to: in the end, what comes of it all.
type Progress = Result<Option<Vec<u8>>, Error>;

impl Work {
    /// Begin it, or tell why not.
    pub(super) fn new(
        job: Result<Job, Error>,
        disk: Arc<AsyncMutex<()>>,
        activity: &Arc<Activity>,
        share: Option<Arc<()>>,
    ) -> Self {
        let target = if let Ok(Job::Copy(copy)) = &job { Some(copy.target.clone()) } else { None };
        let (job, result) = match job {
            Ok(job) => (Some(Arc::new(Mutex::new(job))), None),
            Err(error) => (None, Some(Err(error))),
        };
        Self { job, disk, piece: None, result, target, activity: activity.clone(), _share: share }
    }

    /// Stop. What a copy writes is left to be dropped.
    pub(super) fn stop(self) -> Option<File> {
        self.target
    }

    /// What came of it, once it is done.
    pub(super) fn finish(&mut self) -> Option<Result<Vec<u8>, Error>> {
        // A small file is done in a few steps.
        now(self.step());
        self.result.clone()
    }

    /// Do a piece, unless all are done. Cancel safe.
    async fn step(&mut self) {
        let Some(job) = self.job.as_ref().filter(|_| self.result.is_none()) else { return };
        if let Some(piece) = &mut self.piece {
            let progress = piece.await.unwrap_or(Err(Error::Io));
            self.piece = None;
            self.result = progress.transpose();
        } else {
            let (job, alone) = (job.clone(), self.disk.clone().lock_owned().await);
            let busy = Busy::new(&self.activity);
            self.piece = Some(spawn_blocking(move || {
                let (_alone, _busy) = (alone, busy);
                // Dropped before that: what a stopped copy leaves is gone when the next one looks.
                let job = job;
                job.lock().unwrap_or_else(PoisonError::into_inner).piece()
            }));
        }
    }
}

#[async_trait]
impl Pollable for Work {
    async fn ready(&mut self) {
        while self.result.is_none() {
            self.step().await;
            // Other sessions have their turn.
            coop::consume_budget().await;
        }
    }
}

impl Job {
    fn piece(&mut self) -> Progress {
        match self {
            Self::Checksum(checksum) => checksum.piece(),
            Self::Copy(copy) => copy.piece(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::storage::{Access, Algorithm, Volume, scratch};

    fn copy(volume: &Volume, from: &[u8], to: &[u8]) -> Result<Job, Error> {
        let open = |path, access| volume.open(path, access).unwrap();
        Ok(Job::Copy(Copy::new(open(from, Access::Read), open(to, Access::Replace))?))
    }

    /// More than one piece.
    const BIG: u64 = 50 << 20;

    #[tokio::test]
    async fn done_at_last() {
        let (root, volume) = scratch();
        fs::File::create(root.path().join("big")).unwrap().set_len(BIG).unwrap();
        let (activity, disk) = (Arc::new(Activity::new()), Arc::default());
        let file = volume.open(b"/big", Access::Read).unwrap();
        let sum = || Ok(Job::Checksum(Box::new(Checksum::new(Algorithm::Crc32, file.clone(), 0, u64::MAX)?)));
        let mut one = Work::new(sum(), Arc::clone(&disk), &activity, None);
        let mut other = Work::new(sum(), Arc::clone(&disk), &activity, None);
        assert_eq!(one.finish(), None);
        tokio::join!(one.ready(), other.ready());
        let Some(Ok(digest)) = one.finish() else { panic!("no checksum") };
        assert_eq!(digest.len(), 4);
        assert_eq!(other.finish(), Some(Ok(digest)), "one after the other at the disk");

        let mut work = Work::new(copy(&volume, b"/big", b"/copy"), Arc::clone(&disk), &activity, None);
        work.ready().await;
        assert_eq!(work.finish(), Some(Ok(vec![])));
        let target = work.stop().unwrap();
        target.finish().unwrap();
        assert_eq!(fs::metadata(root.path().join("copy")).unwrap().len(), BIG);
    }

    #[tokio::test]
    async fn a_work_that_cannot_be() {
        let mut work = Work::new(Err(Error::Denied), Arc::default(), &Arc::new(Activity::new()), None);
        work.ready().await;
        assert_eq!(work.finish(), Some(Err(Error::Denied)));
        assert_eq!(work.finish(), Some(Err(Error::Denied)));
    }

    #[tokio::test]
    async fn stopped_between_pieces() {
        let (root, volume) = scratch();
        fs::write(root.path().join("big"), vec![1; BIG as usize]).unwrap();
        let volume = volume.with_unfinished(crate::storage::Unfinished::Delete);
        let (activity, disk) = (Arc::new(Activity::new()), Arc::<AsyncMutex<()>>::default());
        let mut work = Work::new(copy(&volume, b"/big", b"/copy"), disk.clone(), &activity, None);
        assert_eq!(work.finish(), None, "one piece has begun");
        assert!(timeout(Duration::ZERO, work.ready()).await.is_err());
        drop(work.stop());
        let _alone = disk.lock().await;
        let names: Vec<_> = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["big"], "neither the copy nor a part of it");
    }
}
