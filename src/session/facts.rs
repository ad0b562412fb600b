//! What is known of a file, and changing it: SIZE, MDTM, MLST (RFC 3659), MFMT, MFCT, MFF
//! (draft-somers-ftp-mfxx).

use super::Session;
use crate::env::{Env, Event, StorageError, Times};
use crate::proto::arguments::{FactChanges, time_and_name};
use crate::proto::entry::{Kind, Time};
use crate::proto::reply::{Code, Reply};
use crate::proto::wire::{Structure, Type};

impl<E: Env> Session<'_, E> {
    /// SIZE is what a transfer would move (RFC 3659 §4). Where octets are changed on their way, that takes
    /// reading the whole file, so it is refused, as the RFC allows. Of an upload that was broken off and
    /// can be gone on with, it is where to go on.
    pub(super) async fn size(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let format = self.parameters.format;
        if format.representation != Type::Image || format.structure != Structure::File {
            return Err(Reply::new(Code::FileUnavailable, "SIZE is offered in TYPE I and STRU F only"));
        }
        let path = self.path(name)?;
        self.sized = Some(path.clone());
        let user = self.user()?;
        let size = match self.env.stat(&user.volume, &path).await {
            Ok(attributes) if attributes.kind == Kind::File => attributes.size,
            Ok(_) => return Err(StorageError::NotFile.into()),
            Err(StorageError::NotFound) => self.env.unfinished(&user.volume, &path).await?,
            Err(error) => return Err(error.into()),
        };
        Ok(Reply::new(Code::FileStatus, size.to_string()))
    }

    /// MDTM (RFC 3659 §3): the time of a file; or, if there is no file of that name and the first word is a
    /// time, MFMT by the name that WinSCP, lftp and others have for it.
    pub(super) async fn modification_time(&self, argument: &[u8]) -> Result<Reply, Reply> {
        let user = self.user()?;
        // With a time in front, it may be too long for a name.
        let found = match user.directory.join(argument) {
            Ok(path) => self.env.stat(&user.volume, &path).await,
            Err(_) => Err(StorageError::BadName),
        };
        match found {
            Ok(attributes) => Ok(Reply::new(Code::FileStatus, attributes.modified.time_val())),
            Err(error) => match time_and_name(argument) {
                Some((time, name)) => self.change_facts("MDTM", FactChanges::modified(time), &name).await,
                None => Err(error.into()),
            },
        }
    }

    /// MFMT, MFCT and MFF (draft-somers-ftp-mfxx §3 to §5): `213 Modify=time; pathname`.
    pub(super) async fn change_facts(
        &self,
        verb: &'static str,
        changes: FactChanges,
        name: &[u8],
    ) -> Result<Reply, Reply> {
        let user = self.user()?;
        if changes.created.is_some() && !self.env.permissions(&user.volume).set_created
            || changes.mode.is_some() && !self.env.abilities().modes
        {
            return Err(StorageError::Unsupported.into());
        }
        let path = self.path(name)?;
        let times = Times { modified: changes.modified, created: changes.created };
        if times != Times::default() {
            self.env.set_times(&user.volume, &path, times).await?;
        }
        if let Some(mode) = changes.mode {
            self.env.set_mode(&user.volume, &path, mode).await?;
        }
        self.env.record(Event::Changed(verb, &path));
        let time =
            |fact, time: Option<Time>| time.map_or_else(String::new, |time| format!("{fact}={};", time.time_val()));
        let mode = changes.mode.map_or_else(String::new, |mode| format!("UNIX.mode={mode:04o};"));
        let facts = [time("Modify", times.modified), time("Create", times.created), mode].concat();
        Ok(Reply::new(Code::FileStatus, [facts.as_bytes(), b" ", name].concat()))
    }

    /// MLST: the facts of one thing, over the control connection (RFC 3659 §7.2).
    pub(super) async fn machine_list_one(&self, name: &[u8]) -> Result<Reply, Reply> {
        let (user, path) = (self.user()?, self.path(name)?);
        let attributes = self.env.stat(&user.volume, &path).await?;
        let mut line = Vec::new();
        self.parameters.facts.write(&mut line, &attributes, &self.env.permissions(&user.volume));
        line.push(b' ');
        line.extend_from_slice(path.as_bytes());
        Ok(Reply::lines(Code::FileActionDone, "Facts:", [line], "End"))
    }
}
