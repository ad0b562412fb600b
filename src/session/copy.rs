//! Copies that stay on the server: SITE CPFR, CPTO and COPY (as ProFTPD has them), COMB.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::state::Pending;
use super::{Session, walk};
use crate::env::{Access, Env, Event, StorageError};
use crate::proto::command::Name;
use crate::proto::entry::Kind;
use crate::proto::path::VPath;
use crate::proto::reply::{Code, Reply};

impl<E: Env> Session<'_, E> {
    pub(super) async fn copy_from(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let path = self.path(name)?;
        self.env.stat(&self.user()?.volume, &path).await?;
        self.pending = Some(Pending::Copy(path));
        Ok(Reply::new(Code::NeedMoreInformation, "Now SITE CPTO"))
    }

    pub(super) async fn copy_to(&mut self, pending: Option<Pending>, name: &[u8]) -> Result<Reply, Reply> {
        let Some(Pending::Copy(from)) = pending else {
            return Err(Reply::new(Code::BadSequence, "SITE CPFR must come right before"));
        };
        self.copy(from, name).await
    }

    /// A file, or a directory with all that is in it.
    pub(super) async fn copy(&mut self, from: VPath, to: &[u8]) -> Result<Reply, Reply> {
        let (env, volume) = (self.env, Rc::clone(&self.user()?.volume));
        let to = self.new_path(to)?;
        let what = env.stat(&volume, &from).await?;
        let work = async {
            match what.kind {
                Kind::Directory if to == from || to.is_below(&from) => Err(StorageError::BadName),
                Kind::Directory => walk::copy(env, &volume, from, to.clone(), what).await,
                _ if to == from => Err(StorageError::BadName),
                _ => walk::copy_file(env, &volume, &from, &to).await,
            }
        };
        self.attend_command(work).await?;
        self.env.record(Event::Changed("COPY", &to));
        Ok(Reply::new(Code::FileActionDone, "Copied"))
    }

    /// COMB: put the sources behind what the target has, in their order, and remove them. Nothing is seen
    /// of it, and nothing removed, before all is written.
    pub(super) async fn combine(&mut self, names: &[Name]) -> Result<Reply, Reply> {
        let (env, volume) = (self.env, Rc::clone(&self.user()?.volume));
        let paths = names.iter().map(|name| self.path(name)).collect::<Result<Vec<_>, _>>()?;
        let Some((target, sources)) = paths.split_first() else { return Err(StorageError::BadName.into()) };
        if !env.permissions(&volume).delete {
            return Err(StorageError::Denied.into());
        }
        let work = async {
            let mut seen = BTreeSet::new();
            let exists = match env.stat(&volume, target).await {
                Ok(attributes) => seen.insert(attributes.unique),
                Err(StorageError::NotFound) => false,
                Err(error) => return Err(error),
            };
            for source in sources {
                // Under two names, a file would be taken twice, or into itself.
                if !seen.insert(env.stat(&volume, source).await?.unique) {
                    return Err(StorageError::BadName);
                }
            }
            let file = env.open(&volume, target, Access::Replace).await?;
            env.discard(&file);
            for source in exists.then_some(target).into_iter().chain(sources) {
                let source = env.open(&volume, source, Access::Read).await?;
                env.end_of_work(&env.copy(&file, &source)).await?;
            }
            env.finish_file(&file).await?;
            for source in sources {
                env.remove_file(&volume, source).await?;
                env.record(Event::Changed("DELE", source));
            }
            Ok(())
        };
        self.attend_command(work).await?;
        self.env.record(Event::Changed("COMB", target));
        Ok(Reply::new(Code::FileActionDone, "Combined"))
    }
}
