//! Directories and names: CWD, PWD, MKD, RMD, DELE, RNFR, RNTO (RFC 959 §4.1), RMDA.

use std::rc::Rc;

use super::error::to_be_written;
use super::state::Pending;
use super::{Login, Session, walk};
use crate::env::{Env, Event, StorageError};
use crate::proto::entry::Kind;
use crate::proto::path::{VPath, quoted};
use crate::proto::reply::{Code, Reply};

impl<E: Env> Session<'_, E> {
    pub(super) async fn change_directory(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let path = self.directory(name).await?;
        if let Login::User(user) = &mut self.login {
            user.directory = path;
        }
        Ok(Reply::new(Code::FileActionDone, "Directory changed"))
    }

    /// What `name` names, which must be a directory.
    pub(super) async fn directory(&self, name: &[u8]) -> Result<VPath, Reply> {
        let (user, path) = (self.user()?, self.path(name)?);
        if self.env.stat(&user.volume, &path).await?.kind != Kind::Directory {
            return Err(StorageError::NotDirectory.into());
        }
        Ok(path)
    }

    pub(super) fn working_directory(&self) -> Result<Reply, Reply> {
        let directory = &self.user()?.directory;
        Ok(pathname_is(directory, b" is the working directory"))
    }

    pub(super) async fn make_directory(&self, name: &[u8]) -> Result<Reply, Reply> {
        let (user, path) = (self.user()?, self.path(name)?);
        self.env.make_directory(&user.volume, &path).await?;
        self.env.record(Event::Changed("MKD", &path));
        Ok(pathname_is(&path, b" created"))
    }

    pub(super) async fn remove_directory(&self, name: &[u8]) -> Result<Reply, Reply> {
        let (user, path) = (self.user()?, self.path(name)?);
        self.env.remove_directory(&user.volume, &path).await?;
        self.env.record(Event::Changed("RMD", &path));
        Ok(Reply::new(Code::FileActionDone, "Directory removed"))
    }

    /// RMDA: a directory and all that is in it (draft-peterson-streamlined §3).
    pub(super) async fn remove_tree(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let path = self.directory(name).await?;
        let (env, volume) = (self.env, Rc::clone(&self.user()?.volume));
        if path.is_root() {
            return Err(StorageError::Denied.into());
        }
        // A link to a directory is removed, and what it leads to is not.
        if env.remove_file(&volume, &path).await.is_ok() {
            self.env.record(Event::Changed("RMDA", &path));
            return Ok(Reply::new(Code::FileActionDone, "Link removed"));
        }
        self.attend_command(walk::remove(env, &volume, path.clone())).await?;
        self.env.record(Event::Changed("RMDA", &path));
        Ok(Reply::new(Code::FileActionDone, "Directory removed"))
    }

    pub(super) async fn delete(&self, name: &[u8]) -> Result<Reply, Reply> {
        let (user, path) = (self.user()?, self.path(name)?);
        self.env.remove_file(&user.volume, &path).await?;
        self.env.record(Event::Changed("DELE", &path));
        Ok(Reply::new(Code::FileActionDone, "File deleted"))
    }

    pub(super) async fn rename_from(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let (user, path) = (self.user()?, self.path(name)?);
        self.env.stat(&user.volume, &path).await?;
        self.pending = Some(Pending::Rename(path));
        Ok(Reply::new(Code::NeedMoreInformation, "Now RNTO"))
    }

    pub(super) async fn rename_to(&self, pending: Option<Pending>, name: &[u8]) -> Result<Reply, Reply> {
        let user = self.user()?;
        let Some(Pending::Rename(from)) = pending else {
            return Err(Reply::new(Code::BadSequence, "RNFR must come right before"));
        };
        let to = self.new_path(name)?;
        self.env.rename(&user.volume, &from, &to).await.map_err(to_be_written)?;
        self.env.record(Event::Renamed(&from, &to));
        Ok(Reply::new(Code::FileActionDone, "Renamed"))
    }
}

/// 257 (RFC 959 Appendix II): the name in quotes, those inside doubled.
fn pathname_is(path: &VPath, text: &[u8]) -> Reply {
    let mut line = quoted(path.as_bytes());
    line.extend_from_slice(text);
    Reply::new(Code::PathnameIs, line)
}
