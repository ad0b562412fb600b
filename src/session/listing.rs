//! Listings: LIST, NLST (RFC 959 §4.1.3), MLSD (RFC 3659 §7), and STAT of a path.

use std::rc::Rc;

use super::Session;
use super::lister::{Form, Lister, Style, What};
use super::transfer::{DataPort, Progress, Task};
use crate::env::{Direction, Env, StorageError};
use crate::proto::entry::{Attributes, Entry, Kind};
use crate::proto::glob;
use crate::proto::options::{All, Options};
use crate::proto::path::VPath;
use crate::proto::reply::{Code, Reply};
use crate::proto::wire::{Encoder, Format, Type};

/// What an argument names.
struct Target {
    path: VPath,
    what: What,
    /// What stands in front of the names, as typed.
    prefix: Vec<u8>,
}

impl<E: Env> Session<'_, E> {
    pub(super) async fn list(&mut self, argument: &[u8]) -> Result<Reply, Reply> {
        let (port, _) = self.take_transfer_parameters()?;
        let (options, target) = self.target(argument).await?;
        let form = self.long_form(options);
        self.send_listing(port, target.path, target.what, form, options).await
    }

    /// NLST: names that can be used as they are, whatever the options ask for (RFC 1123 §4.1.2.7).
    pub(super) async fn name_list(&mut self, argument: &[u8]) -> Result<Reply, Reply> {
        let (port, _) = self.take_transfer_parameters()?;
        let (mut options, target) = self.target(argument).await?;
        if options.all == All::Everything {
            options.all = All::Almost;
        }
        options.recursive = false;
        let form = Form::Names { prefix: target.prefix };
        self.send_listing(port, target.path, target.what, form, options).await
    }

    pub(super) async fn machine_list(&mut self, name: &[u8]) -> Result<Reply, Reply> {
        let (port, _) = self.take_transfer_parameters()?;
        let (user, path) = (self.user()?, self.path(name)?);
        if self.env.stat(&user.volume, &path).await?.kind != Kind::Directory {
            // RFC 3659 §7.2.1.
            return Err(Reply::new(Code::ArgumentError, "MLSD lists directories; use MLST"));
        }
        let form = Form::Facts { facts: self.parameters.facts, permissions: self.env.permissions(&user.volume) };
        self.send_listing(port, path, What::Directory, form, Options::default()).await
    }

    /// STAT of a path: as LIST, over the control connection.
    pub(super) async fn status_of(&mut self, argument: &[u8]) -> Result<Reply, Reply> {
        let (options, target) = self.target(argument).await?;
        let code = if let What::One(_) = target.what { Code::FileStatus } else { Code::DirectoryStatus };
        let form = self.long_form(options);
        // The reply itself is put into the client's charset.
        let style = Style { form, options, names: <_>::default(), end: b"\n" };
        let volume = Rc::clone(&self.user()?.volume);
        let mut lister = Lister::new(self.env, volume, &target.path, target.what, style).await?;
        let (mut out, mut more) = (Vec::new(), true);
        while more && out.len() < MAX_STATUS {
            more = lister.next(&mut out).await?;
        }
        let lines: Vec<&[u8]> = out.split(|&octet| octet == b'\n').filter(|line| !line.is_empty()).collect();
        let shown = lines.get(..MAX_STATUS_LINES).unwrap_or(&lines);
        let last = if more || shown.len() < lines.len() { "There is more; use LIST" } else { "End" };
        Ok(Reply::lines(code, "Status:", shown, last))
    }

    async fn send_listing(
        &mut self,
        port: DataPort<E>,
        path: VPath,
        what: What,
        form: Form,
        options: Options,
    ) -> Result<Reply, Reply> {
        let (env, volume) = (self.env, Rc::clone(&self.user()?.volume));
        let (format, level) = (listing_format(self.parameters.format), self.parameters.level);
        let as_is = format == Format::default();
        let end: &[u8] = if as_is { b"\r\n" } else { b"\n" };
        let style = Style { form, options, names: self.control.names.clone(), end };
        let mut lister = Lister::new(env, volume, &path, what, style).await?;
        let progress = Progress::new();
        let work = async |data| {
            let mut encoder = (!as_is).then(|| Encoder::new(format, level, 0));
            let (mut out, mut encoded) = (Vec::with_capacity(FULL), Vec::new());
            loop {
                let more = lister.next(&mut out).await?;
                if more && out.len() < FULL {
                    progress.moved(env, 0).await;
                    continue;
                }
                let wire = match &mut encoder {
                    None => &out,
                    Some(encoder) => {
                        encoded.clear();
                        encoder.push(&out, &mut encoded);
                        if !more {
                            encoder.finish(&mut encoded);
                        }
                        &encoded
                    }
                };
                env.write_data(&data, wire).await?;
                progress.moved(env, wire.len()).await;
                out.clear();
                if !more {
                    return Ok(env.finish_data(data).await?);
                }
            }
        };
        let task = Task { direction: Direction::Listing, path: &path, port, stored: None };
        self.attend(task, "Here comes the listing", work, &progress).await
    }

    fn long_form(&self, options: Options) -> Form {
        if options.names_only { Form::Names { prefix: Vec::new() } } else { Form::Long { now: self.env.now() } }
    }

    /// What an argument of LIST, NLST or STAT means: if what follows the options names nothing, the whole
    /// may be a name that looks like options (`-a`).
    async fn target(&self, argument: &[u8]) -> Result<(Options, Target), Reply> {
        let (options, rest) = Options::split(argument);
        match self.target_named(rest, options).await {
            Err(StorageError::NotFound) if rest.len() < argument.len() => {
                Ok((Options::default(), self.target_named(argument, Options::default()).await?))
            }
            target => Ok((options, target?)),
        }
    }

    async fn target_named(&self, name: &[u8], options: Options) -> Result<Target, StorageError> {
        let user = self.user().map_err(|_| StorageError::Denied)?;
        let path = user.directory.join(name).map_err(|_| StorageError::BadName)?;
        let last = name.iter().rposition(|&octet| octet == b'/').map_or(0, |slash| slash + 1);
        let (before, last) = name.split_at(last);
        match self.env.stat(&user.volume, &path).await {
            Ok(attributes) if attributes.kind == Kind::Directory && !options.directory => {
                let mut prefix = name.to_vec();
                if !name.is_empty() && !name.ends_with(b"/") {
                    prefix.push(b'/');
                }
                Ok(Target { path, what: What::Directory, prefix })
            }
            Ok(attributes) => Ok(Self::one(path, if name.is_empty() { b"." } else { name }, attributes)),
            Err(StorageError::NotFound) if glob::has_wildcards(last) => {
                let directory = user.directory.join(before).map_err(|_| StorageError::BadName)?;
                Ok(Target { path: directory, what: What::Matches(last.to_vec()), prefix: before.to_vec() })
            }
            Err(error) => Err(error),
        }
    }

    /// A single thing, under the name that was typed.
    fn one(path: VPath, name: &[u8], attributes: Attributes) -> Target {
        Target { path, what: What::One(Entry { name: name.to_vec(), attributes }), prefix: Vec::new() }
    }
}

/// A listing is text, whatever the type is (RFC 959 §4.1.3).
fn listing_format(format: Format) -> Format {
    let representation = if format.representation == Type::Ebcdic { Type::Ebcdic } else { Type::Ascii };
    Format { representation, ..format }
}

/// Octets of a listing that are sent together: few writes for each thousand entries, little memory.
const FULL: usize = 16 * 1024;

/// Lines and octets of STAT: the control connection must not be busy for long.
const MAX_STATUS_LINES: usize = 1000;
const MAX_STATUS: usize = 128 * 1024;
