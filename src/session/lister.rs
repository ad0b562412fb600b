//! The lines of a listing, a piece at a time: memory does not grow with the directory.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::names::Names;
use crate::env::{Env, StorageError};
use crate::proto::entry::{Entry, Kind, Permissions, Time};
use crate::proto::facts::Facts;
use crate::proto::glob;
use crate::proto::list::{safe_name, write_attributes};
use crate::proto::options::{All, Options, Order};
use crate::proto::path::VPath;

/// How an entry is written.
#[derive(Clone)]
pub(super) enum Form {
    /// LIST: like `ls -l`.
    Long { now: Time },
    /// NLST: the name behind what was typed, so that it can be used as it is (RFC 1123 §4.1.2.7).
    Names { prefix: Vec<u8> },
    /// MLSD.
    Facts { facts: Facts, permissions: Permissions },
}

/// What is listed.
pub(super) enum What {
    /// What a directory holds.
    Directory,
    /// Those of it that match.
    Matches(Vec<u8>),
    /// One thing, under this name.
    One(Entry),
}

/// How lines are made.
pub(super) struct Style {
    pub(super) form: Form,
    pub(super) options: Options,
    pub(super) names: Names,
    /// CR LF, or LF if the octets are changed on their way.
    pub(super) end: &'static [u8],
}

/// Makes the lines of a listing.
pub(super) struct Lister<'e, E: Env> {
    env: &'e E,
    volume: Rc<E::Volume>,
    style: Style,
    /// The directory being read; `None` before and between.
    open: Option<(VPath, E::Directory)>,
    /// What is to be read after it (`-R`), the next one last, with its name as it is shown.
    ahead: Vec<(VPath, Vec<u8>)>,
    /// Octets of these.
    ahead_octets: usize,
    /// Its name as it is shown.
    shown: Vec<u8>,
    /// Every directory that was listed or will be, so that links in circles come to an end.
    seen: BTreeSet<(u64, u64)>,
    what: Option<What>,
    /// Entries that wait to be sorted.
    run: Vec<Entry>,
    /// The same, where names suffice.
    run_of_names: Vec<Vec<u8>>,
}

impl<'e, E: Env> Lister<'e, E> {
    /// List `what` is at `path`. An error that is found at once is told at once.
    pub(super) async fn new(
        env: &'e E,
        volume: Rc<E::Volume>,
        path: &VPath,
        what: What,
        style: Style,
    ) -> Result<Self, StorageError> {
        let open = match what {
            What::One(_) => None,
            What::Directory | What::Matches(_) => Some((path.clone(), env.list(&volume, path).await?)),
        };
        let mut lister = Self {
            env,
            volume,
            style,
            open,
            ahead: Vec::new(),
            ahead_octets: 0,
            shown: b".".to_vec(),
            seen: BTreeSet::new(),
            what: Some(what),
            run: Vec::new(),
            run_of_names: Vec::new(),
        };
        if lister.style.options.recursive && lister.open.is_some() {
            lister.seen.insert(env.stat(&lister.volume, path).await?.unique);
        }
        Ok(lister)
    }

    /// Append some lines; false when there are no more. The client may be looked after in between.
    pub(super) async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, StorageError> {
        match self.what.take() {
            None => {}
            Some(What::One(entry)) => {
                self.write(&entry, out);
                return Ok(false);
            }
            Some(what) => {
                if let Some((path, _)) = &self.open {
                    let path = path.clone();
                    self.begin(&path, &what, out).await?;
                }
                self.what = if let What::Directory = what { None } else { Some(what) };
            }
        }
        let Some((path, directory)) = &self.open else { return self.next_directory(out).await };
        let ended = if self.names_suffice() {
            let names = self.env.next_names(directory).await?;
            let ended = names.is_empty();
            for name in names {
                if self.includes(&name) {
                    self.take_name(name, out);
                }
            }
            ended
        } else {
            let path = path.clone();
            let entries = self.env.next_entries(directory).await?;
            let ended = entries.is_empty();
            for entry in entries {
                if self.includes(&entry.name) {
                    self.take(&path, entry, out);
                }
            }
            ended
        };
        if ended {
            self.flush_run(out);
            self.open = None;
        }
        Ok(!ended || !self.ahead.is_empty())
    }

    /// Whether nothing else of the entries matters.
    fn names_suffice(&self) -> bool {
        let options = &self.style.options;
        matches!(self.style.form, Form::Names { .. }) && options.order == Order::Name && !options.recursive
    }

    /// The heading of a directory, and `.` and `..`.
    async fn begin(&mut self, path: &VPath, what: &What, out: &mut Vec<u8>) -> Result<(), StorageError> {
        if self.style.options.recursive {
            self.write_name(&self.shown, out);
            out.push(b':');
            out.extend_from_slice(self.style.end);
        }
        if self.style.options.all == All::Everything && matches!(what, What::Directory) {
            for (name, path) in [(&b"."[..], path), (b"..", &path.parent())] {
                let attributes = self.env.stat(&self.volume, path).await?;
                self.write(&Entry { name: name.to_vec(), attributes }, out);
            }
        }
        Ok(())
    }

    /// Go on with what is ahead. What vanished meanwhile, or may not be read, is passed over.
    async fn next_directory(&mut self, out: &mut Vec<u8>) -> Result<bool, StorageError> {
        let Some((path, shown)) = self.ahead.pop() else { return Ok(false) };
        self.ahead_octets -= path.as_bytes().len() + shown.len();
        self.shown = shown;
        match self.env.list(&self.volume, &path).await {
            Ok(directory) => {
                self.open = Some((path.clone(), directory));
                out.extend_from_slice(self.style.end);
                self.begin(&path, &What::Directory, out).await?;
                Ok(true)
            }
            Err(StorageError::Io) => Err(StorageError::Io),
            Err(_) => Ok(!self.ahead.is_empty()),
        }
    }

    fn includes(&self, name: &[u8]) -> bool {
        match &self.what {
            Some(What::Matches(pattern)) => glob::matches(pattern, name),
            _ => self.style.options.all != All::Visible || !name.starts_with(b".") || self.is_machine_listing(),
        }
    }

    fn is_machine_listing(&self) -> bool {
        matches!(self.style.form, Form::Facts { .. })
    }

    fn take(&mut self, path: &VPath, entry: Entry, out: &mut Vec<u8>) {
        if self.style.options.recursive
            && entry.attributes.kind == Kind::Directory
            && self.seen.len() < MAX_DIRECTORIES
            && self.ahead_octets < MAX_AHEAD
            && self.seen.insert(entry.attributes.unique)
            && let Ok(path) = path.child(&entry.name)
        {
            let shown = [&self.shown, &b"/"[..], &entry.name].concat();
            self.ahead_octets += path.as_bytes().len() + shown.len();
            self.ahead.push((path, shown));
        }
        if self.is_machine_listing() {
            return self.write(&entry, out);
        }
        self.run.push(entry);
        if self.run.len() >= self.run_limit() {
            self.flush_run(out);
        }
    }

    fn take_name(&mut self, name: Vec<u8>, out: &mut Vec<u8>) {
        self.run_of_names.push(name);
        if self.run_of_names.len() >= self.run_limit() {
            self.flush_run(out);
        }
    }

    fn run_limit(&self) -> usize {
        if self.is_sorted_at_will() { MAX_SORTED } else { SORTED }
    }

    /// The client has asked for an order.
    fn is_sorted_at_will(&self) -> bool {
        self.style.options.order != Order::Name || self.style.options.reverse
    }

    fn flush_run(&mut self, out: &mut Vec<u8>) {
        let (mut run, mut names) = (std::mem::take(&mut self.run), std::mem::take(&mut self.run_of_names));
        names.sort_unstable();
        match self.style.options.order {
            Order::Name => run.sort_unstable_by(|a, b| a.name.cmp(&b.name)),
            Order::Time => run.sort_by_key(|entry| Reverse(entry.attributes.modified)),
            Order::Size => run.sort_by_key(|entry| Reverse(entry.attributes.size)),
        }
        if self.style.options.reverse {
            run.reverse();
            names.reverse();
        }
        run.iter().for_each(|entry| self.write(entry, out));
        names.iter().for_each(|name| self.end_line(name, out));
    }

    fn write(&self, entry: &Entry, out: &mut Vec<u8>) {
        match &self.style.form {
            Form::Long { now } => write_attributes(out, &entry.attributes, *now),
            Form::Names { .. } => {}
            Form::Facts { facts, permissions } => {
                facts.write(out, &entry.attributes, permissions);
                out.push(b' ');
            }
        }
        self.end_line(&entry.name, out);
    }

    /// The name, with which a line ends.
    fn end_line(&self, name: &[u8], out: &mut Vec<u8>) {
        if let Form::Names { prefix } = &self.style.form {
            self.write_name(prefix, out);
        }
        self.write_name(name, out);
        out.extend_from_slice(self.style.end);
    }

    /// A name that does not end its line.
    fn write_name(&self, name: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.style.names.to_wire(self.env, safe_name(name)));
    }
}

/// Entries that are sorted by name before they are written, so that the listings that people look at are
/// in order and those that machines look at are quick. Larger directories come in several such runs.
const SORTED: usize = 1000;

/// Entries that are sorted if that was asked for: about a MiB.
const MAX_SORTED: usize = 8000;

/// Directories of one listing with `-R`, and octets of the names of those that wait. What is beyond is not gone into.
const MAX_DIRECTORIES: usize = 10_000;
const MAX_AHEAD: usize = 4 * 1024 * 1024;
