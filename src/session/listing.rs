//! Listings: LIST, NLST (RFC 959 §4.1.3), MLSD (RFC 3659 §7), and STAT of a path.

use super::Session;
use super::transfer::{Failure, Progress};
use crate::env::{Direction, Env, StorageError};
use crate::proto::entry::{Attributes, Entry, Kind, Permissions, Time};
use crate::proto::facts::Facts;
use crate::proto::path::VPath;
use crate::proto::reply::{Code, Reply};
use crate::proto::{glob, list};

/// How an entry is written.
#[derive(Clone)]
enum Form {
    /// LIST: like `ls -l`.
    Long { now: Time },
    /// NLST: the name behind what was typed, so that it can be used as it is (RFC 1123 §4.1.2.7).
    Names { prefix: Vec<u8> },
    /// MLSD.
    Facts { facts: Facts, permissions: Permissions },
}

impl Form {
    fn write(&self, out: &mut Vec<u8>, entry: &Entry) {
        match self {
            Self::Long { now } => list::write_line(out, entry, *now),
            Self::Names { prefix } => list::write_name(out, prefix, &entry.name),
            Self::Facts { facts, permissions } => {
                facts.write(out, &entry.attributes, permissions);
                out.push(b' ');
                out.extend_from_slice(&list::safe_name(&entry.name));
                out.extend_from_slice(b"\r\n");
            }
        }
    }
}

/// What is listed.
struct Target {
    path: VPath,
    what: What,
    /// What stands in front of the names, as typed.
    prefix: Vec<u8>,
}

enum What {
    Directory,
    /// The entries of a directory that match.
    Matches(Vec<u8>),
    One(Entry),
}

impl<E: Env> Session<'_, E> {
    pub(super) async fn list(&mut self, argument: &[u8]) -> Result<Reply, Reply> {
        let (port, _) = self.take_transfer_parameters()?;
        let target = self.target(argument).await?;
        let form = Form::Long { now: self.env.now() };
        self.send_listing(port, target, form).await
    }

    pub(super) async fn name_list(&mut self, argument: &[u8]) -> Result<Reply, Reply> {
        let (port, _) = self.take_transfer_parameters()?;
        let target = self.target(argument).await?;
        let form = Form::Names { prefix: target.prefix.clone() };
        self.send_listing(port, target, form).await
    }

    pub(super) async fn machine_list(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let (port, _) = self.take_transfer_parameters()?;
        let user = self.user()?;
        let path = user.directory.join(name)?;
        if self.env.stat(&user.volume, &path).await?.kind != Kind::Directory {
            // RFC 3659 §7.2.1.
            return Err(Reply::new(Code::ArgumentError, "MLSD lists directories; use MLST"));
        }
        let form = Form::Facts { facts: self.parameters.facts, permissions: self.env.permissions(&user.volume) };
        self.send_listing(port, Target { path, what: What::Directory, prefix: Vec::new() }, form).await
    }

    /// STAT of a path: as LIST, over the control connection.
    pub(super) async fn status_of(&mut self, argument: &[u8]) -> Result<Reply, Reply> {
        let target = self.target(argument).await?;
        let form = Form::Long { now: self.env.now() };
        let code = if let What::One(_) = target.what { Code::FileStatus } else { Code::DirectoryStatus };
        let user = self.user()?;
        let mut lines = Vec::new();
        let written = |entry: &Entry| {
            let mut line = Vec::new();
            form.write(&mut line, entry);
            line.strip_suffix(b"\r\n").unwrap_or(&line).to_vec()
        };
        match &target.what {
            What::One(entry) => lines.push(written(entry)),
            What::Directory | What::Matches(_) => {
                let directory = self.env.list(&user.volume, &target.path).await?;
                loop {
                    let entries = self.env.next_entries(&directory).await?;
                    if entries.is_empty() {
                        break;
                    }
                    lines.extend(entries.iter().filter(|entry| target.includes(entry)).map(written));
                    if lines.len() > MAX_STATUS_LINES {
                        lines.truncate(MAX_STATUS_LINES);
                        return Ok(Reply::lines(code, "Status:", lines, "There is more; use LIST"));
                    }
                }
            }
        }
        Ok(Reply::lines(code, "Status:", lines, "End"))
    }

    async fn send_listing(&mut self, port: E::Port, target: Target, form: Form) -> Result<Reply, Reply> {
        let (env, user) = (self.env, self.user()?);
        let directory = match target.what {
            What::One(_) => None,
            What::Directory | What::Matches(_) => Some(env.list(&user.volume, &target.path).await?),
        };
        let progress = Progress::new();
        let work = async {
            let data = env.open_data(&port).await.map_err(Failure::NotOpened)?;
            let mut out = Vec::with_capacity(FULL);
            if let What::One(entry) = &target.what {
                form.write(&mut out, entry);
            }
            if let Some(directory) = &directory {
                loop {
                    let entries = env.next_entries(directory).await?;
                    if entries.is_empty() {
                        break;
                    }
                    for entry in entries.iter().filter(|entry| target.includes(entry)) {
                        form.write(&mut out, entry);
                    }
                    if out.len() >= FULL {
                        env.write_data(&data, &out).await?;
                        progress.moved(env, out.len()).await;
                        out.clear();
                    } else {
                        progress.moved(env, 0).await;
                    }
                }
            }
            env.write_data(&data, &out).await?;
            progress.moved(env, out.len()).await;
            Ok(env.finish_data(data).await?)
        };
        self.attend(Direction::Listing, &target.path, "Here comes the listing", work, &progress).await
    }

    /// What an argument of LIST, NLST or STAT means: options are passed over; if what is left names
    /// nothing, the whole may be a name that looks like options (`-a`).
    async fn target(&self, argument: &[u8]) -> Result<Target, Reply> {
        let (options, rest) = list::split_options(argument);
        match self.target_named(rest).await {
            Err(StorageError::NotFound) if !options.is_empty() => Ok(self.target_named(argument).await?),
            target => Ok(target?),
        }
    }

    async fn target_named(&self, name: &[u8]) -> Result<Target, StorageError> {
        let user = self.user().map_err(|_| StorageError::Denied)?;
        let path = user.directory.join(name).map_err(|_| StorageError::BadName)?;
        let last = name.iter().rposition(|&octet| octet == b'/').map_or(0, |slash| slash + 1);
        let (before, last) = name.split_at(last);
        match self.env.stat(&user.volume, &path).await {
            Ok(attributes) if attributes.kind == Kind::Directory => {
                let mut prefix = name.to_vec();
                if !name.is_empty() && !name.ends_with(b"/") {
                    prefix.push(b'/');
                }
                Ok(Target { path, what: What::Directory, prefix })
            }
            Ok(attributes) => Ok(Self::one(path, name, attributes)),
            Err(StorageError::NotFound) if glob::has_wildcards(last) => {
                let directory = user.directory.join(before).map_err(|_| StorageError::BadName)?;
                Ok(Target { path: directory, what: What::Matches(last.to_vec()), prefix: before.to_vec() })
            }
            Err(error) => Err(error),
        }
    }

    /// A single file, under the name that was typed.
    fn one(path: VPath, name: &[u8], attributes: Attributes) -> Target {
        Target { path, what: What::One(Entry { name: name.to_vec(), attributes }), prefix: Vec::new() }
    }
}

impl Target {
    fn includes(&self, entry: &Entry) -> bool {
        match &self.what {
            What::Matches(pattern) => glob::matches(pattern, &entry.name),
            What::Directory | What::One(_) => true,
        }
    }
}

/// Octets of a listing that are sent together: few writes for each thousand entries, little memory.
const FULL: usize = 16 * 1024;

/// Lines of STAT: the control connection must not be busy for long.
const MAX_STATUS_LINES: usize = 1000;
