//! SITE (RFC 959 §4.1.3).

use super::Session;
use super::error::to_be_written;
use super::state::Pending;
use crate::env::{Env, Event, StorageError};
use crate::proto::arguments::FactChanges;
use crate::proto::reply::{Code, Reply};
use crate::proto::site::{self, Site};

impl<E: Env> Session<'_, E> {
    pub(super) async fn site(&mut self, command: Site, pending: Option<Pending>) -> Result<Reply, Reply> {
        match command {
            Site::Chmod(mode, name) => self
                .change_facts("CHMOD", FactChanges::mode(mode), &name)
                .await
                .map(|_| Reply::new(Code::Done, "Mode changed")),
            Site::Copy(from, to) => {
                let from = self.path(&from)?;
                self.copy(from, &to).await
            }
            Site::Cpfr(name) => self.copy_from(&name).await,
            Site::Cpto(name) => self.copy_to(pending, &name).await,
            Site::Help => {
                let lines = site::TABLE.iter().map(|row| format!("{} {}", row.name, row.syntax));
                Ok(Reply::lines(Code::HelpText, "SITE commands:", lines, "End"))
            }
            Site::Idle(seconds) => self.idle(seconds),
            Site::Mkdir(name) => self.make_directory(&name).await,
            Site::Rmdir(name) => self.remove_directory(&name).await,
            Site::Symlink(target, name) => self.make_link(&target, &name).await,
            Site::Umask(mask) => self.umask(mask),
            Site::Utime(time, name) => self
                .change_facts("UTIME", FactChanges::modified(time), &name)
                .await
                .map(|_| Reply::new(Code::Done, "Time changed")),
            Site::Who => {
                let lines = self.status_lines("No transfer in progress");
                Ok(Reply::lines(Code::SystemStatus, "Your session:", lines, "End"))
            }
        }
    }

    fn idle(&self, seconds: Option<u32>) -> Result<Reply, Reply> {
        let (now, most) = self.env.idle_limit();
        match seconds {
            None => Ok(Reply::new(Code::Done, format!("Idle limit is {now} seconds; at most {most}"))),
            Some(seconds) if (LEAST_IDLE.min(most)..=most).contains(&seconds) => {
                self.env.set_idle_limit(seconds);
                Ok(Reply::new(Code::Done, format!("Idle limit is {seconds} seconds now")))
            }
            Some(_) => {
                let text = format!("Idle limit must be from {} to {most} seconds", LEAST_IDLE.min(most));
                Err(Reply::new(Code::ArgumentError, text))
            }
        }
    }

    fn umask(&self, mask: Option<u32>) -> Result<Reply, Reply> {
        let volume = &self.user()?.volume;
        if !self.env.abilities().modes {
            return Err(StorageError::Unsupported.into());
        }
        let before = self.env.umask(volume);
        Ok(match mask {
            None => Reply::new(Code::Done, format!("UMASK is {before:03o}")),
            Some(mask) => {
                self.env.set_umask(volume, mask);
                Reply::new(Code::Done, format!("UMASK is {mask:03o} now, was {before:03o}"))
            }
        })
    }

    async fn make_link(&self, target: &[u8], name: &[u8]) -> Result<Reply, Reply> {
        let (target, path) = (self.path(target)?, self.new_path(name)?);
        self.env.make_link(&self.user()?.volume, &path, &target).await.map_err(to_be_written)?;
        self.env.record(Event::Changed("SYMLINK", &path));
        Ok(Reply::new(Code::Done, "Link made"))
    }
}

/// Seconds: below, a person who reads would be thrown out.
const LEAST_IDLE: u32 = 30;
