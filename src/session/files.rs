//! Files and directories, but for their contents: CWD, PWD, MKD, RMD, DELE, RNFR, RNTO (RFC 959), SIZE,
//! MDTM, MLST (RFC 3659), MFMT.

use super::error::to_be_written;
use super::{Login, Session};
use crate::env::{Env, Event, StorageError};
use crate::proto::command::Type;
use crate::proto::entry::{Kind, Time};
use crate::proto::path::{VPath, quoted};
use crate::proto::reply::{Code, Reply};

impl<E: Env> Session<'_, E> {
    pub(super) async fn change_directory(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let Login::User(user) = &mut self.login else {
            return Err(super::not_logged_in());
        };
        let path = user.directory.join(name)?;
        if self.env.stat(&user.volume, &path).await?.kind != Kind::Directory {
            return Err(StorageError::NotDirectory.into());
        }
        user.directory = path;
        Ok(Reply::new(Code::FileActionDone, "Directory changed"))
    }

    pub(super) fn working_directory(&self) -> Result<Reply, Reply> {
        let directory = &self.user()?.directory;
        Ok(pathname_is(directory, b" is the working directory"))
    }

    pub(super) async fn make_directory(&self, name: &[u8]) -> Result<Reply, Reply> {
        let user = self.user()?;
        let path = user.directory.join(name)?;
        self.env.make_directory(&user.volume, &path).await?;
        self.env.record(Event::Changed("MKD", &path));
        Ok(pathname_is(&path, b" created"))
    }

    pub(super) async fn remove_directory(&self, name: &[u8]) -> Result<Reply, Reply> {
        let user = self.user()?;
        let path = user.directory.join(name)?;
        self.env.remove_directory(&user.volume, &path).await?;
        self.env.record(Event::Changed("RMD", &path));
        Ok(Reply::new(Code::FileActionDone, "Directory removed"))
    }

    pub(super) async fn delete(&self, name: &[u8]) -> Result<Reply, Reply> {
        let user = self.user()?;
        let path = user.directory.join(name)?;
        self.env.remove_file(&user.volume, &path).await?;
        self.env.record(Event::Changed("DELE", &path));
        Ok(Reply::new(Code::FileActionDone, "File deleted"))
    }

    pub(super) async fn rename_from(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let user = self.user()?;
        let path = user.directory.join(name)?;
        self.env.stat(&user.volume, &path).await?;
        self.rename_from = Some(path);
        Ok(Reply::new(Code::NeedMoreInformation, "Now RNTO"))
    }

    pub(super) async fn rename_to(&self, from: Option<VPath>, name: &[u8]) -> Result<Reply, Reply> {
        let user = self.user()?;
        let from = from.ok_or_else(|| Reply::new(Code::BadSequence, "RNFR must come right before"))?;
        let to = user.directory.join(name).map_err(|_| to_be_written(StorageError::BadName))?;
        self.env.rename(&user.volume, &from, &to).await.map_err(to_be_written)?;
        self.env.record(Event::Renamed(&from, &to));
        Ok(Reply::new(Code::FileActionDone, "Renamed"))
    }

    /// SIZE is what a transfer would move (RFC 3659 §4). In TYPE A that takes reading the whole file, so
    /// it is refused, as the RFC allows.
    pub(super) async fn size(&self, name: &[u8]) -> Result<Reply, Reply> {
        let user = self.user()?;
        if self.parameters.representation == Type::Ascii {
            return Err(Reply::new(Code::FileUnavailable, "SIZE is offered in TYPE I only"));
        }
        let attributes = self.env.stat(&user.volume, &user.directory.join(name)?).await?;
        if attributes.kind != Kind::File {
            return Err(StorageError::NotFile.into());
        }
        Ok(Reply::new(Code::FileStatus, attributes.size.to_string()))
    }

    pub(super) async fn modification_time(&self, name: &[u8]) -> Result<Reply, Reply> {
        let user = self.user()?;
        let attributes = self.env.stat(&user.volume, &user.directory.join(name)?).await?;
        Ok(Reply::new(Code::FileStatus, attributes.modified.time_val()))
    }

    /// draft-somers-ftp-mfxx §3.1: `213 Modify=time; pathname`.
    pub(super) async fn set_modification_time(&self, time: Time, name: &[u8]) -> Result<Reply, Reply> {
        let user = self.user()?;
        let path = user.directory.join(name)?;
        self.env.set_modified(&user.volume, &path, time).await?;
        let mut text = format!("Modify={}; ", time.time_val()).into_bytes();
        text.extend_from_slice(name);
        Ok(Reply::new(Code::FileStatus, text))
    }

    /// MLST: the facts of one thing, over the control connection (RFC 3659 §7.2).
    pub(super) async fn machine_list_one(&self, name: &[u8]) -> Result<Reply, Reply> {
        let user = self.user()?;
        let path = user.directory.join(name)?;
        let attributes = self.env.stat(&user.volume, &path).await?;
        let mut line = Vec::new();
        self.parameters.facts.write(&mut line, &attributes, &self.env.permissions(&user.volume));
        line.push(b' ');
        line.extend_from_slice(path.as_bytes());
        Ok(Reply::lines(Code::FileActionDone, "Facts:", [line], "End"))
    }
}

/// 257 (RFC 959 Appendix II): the name in quotes, those inside doubled.
fn pathname_is(path: &VPath, text: &[u8]) -> Reply {
    let mut line = quoted(path.as_bytes());
    line.extend_from_slice(text);
    Reply::new(Code::PathnameIs, line)
}
