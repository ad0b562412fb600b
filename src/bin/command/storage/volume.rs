//! One user's tree.

use std::rc::Rc;

use wasi::clocks::wall_clock::Datetime;
use wasi::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags};
use wasi_ftpd::env::{StorageError, Times};
use wasi_ftpd::proto::entry::{Attributes, Kind, Permissions};
use wasi_ftpd::proto::path::VPath;

use super::error::error;
use super::hidden::{NUMBERS, hidden, is_hidden};
use super::path::Path;
use super::upload::remove;
use super::{Directory, Locks, attributes};

/// One user's tree: a directory, and what may be done beneath it. Each method asks the permissions first, then
/// the path, then the runtime. Nothing else runs meanwhile, so that what was just looked at still holds, unless
/// another program has changed it.
#[derive(Clone)]
pub(crate) struct Volume {
    pub(super) root: Rc<Descriptor>,
    permissions: Permissions,
    pub(super) locks: Locks,
}

type Result<T> = std::result::Result<T, StorageError>;

impl Volume {
    pub(crate) fn new(root: Rc<Descriptor>, permissions: Permissions, locks: Locks) -> Self {
        Self { root, permissions, locks }
    }

    pub(crate) fn permissions(&self) -> Permissions {
        self.permissions
    }

    pub(super) fn allow(&self, permitted: impl Fn(&Permissions) -> bool) -> Result<()> {
        if permitted(&self.permissions) { Ok(()) } else { Err(StorageError::Denied) }
    }

    /// What `path` is. Links are followed; one that leads nowhere inside is of kind `Link`.
    pub(crate) fn stat(&self, path: &VPath) -> Result<Attributes> {
        self.allow(|may| may.list)?;
        let path = Path::new(path)?;
        let own = attributes::at(&self.root, PathFlags::empty(), path.relative()).map_err(error)?;
        self.follow(path, own)
    }

    /// What `path` leads to, given its own attributes.
    pub(super) fn follow(&self, path: Path<'_>, own: Attributes) -> Result<Attributes> {
        if own.kind != Kind::Link {
            return Ok(own);
        }
        match attributes::at(&self.root, PathFlags::SYMLINK_FOLLOW, path.relative()).map_err(error) {
            Err(StorageError::Io) => Err(StorageError::Io),
            target => Ok(target.unwrap_or(own)),
        }
    }

    pub(crate) fn list(&self, path: &VPath) -> Result<Directory> {
        self.allow(|may| may.list)?;
        let directory = self.directory(Path::new(path)?, DescriptorFlags::READ)?;
        Directory::new(self.clone(), path.clone(), directory)
    }

    /// Remove anything but a directory; of a link, the link. What was left unfinished goes too, and is enough for
    /// success.
    pub(crate) fn remove_file(&self, path: &VPath) -> Result<()> {
        self.allow(|may| may.delete)?;
        let (parent, last) = self.parent(Path::new(path)?)?.ok_or(StorageError::NotFile)?;
        let removed = match parent.unlink_file_at(last) {
            // POSIX's word for a directory.
            Err(ErrorCode::NotPermitted) if self.is_directory(&parent, last) => Err(StorageError::NotFile),
            removed => removed.map_err(error),
        };
        if !matches!(removed, Ok(()) | Err(StorageError::NotFound)) {
            return removed;
        }
        let left = (0..=NUMBERS).filter(|&number| remove(&parent, &hidden(last, number), &self.locks) == Ok(true));
        if left.count() > 0 { Ok(()) } else { removed }
    }

    fn is_directory(&self, parent: &Descriptor, name: &str) -> bool {
        attributes::at(parent, PathFlags::empty(), name).is_ok_and(|there| there.kind == Kind::Directory)
    }

    pub(crate) fn make_directory(&self, path: &VPath) -> Result<()> {
        self.allow(|may| may.make_directory)?;
        let path = Path::new(path)?;
        path.split().ok_or(StorageError::Exists)?;
        self.root.create_directory_at(path.relative()).map_err(error)
    }

    /// Remove an empty directory. What was left unfinished in it goes too.
    pub(crate) fn remove_directory(&self, path: &VPath) -> Result<()> {
        self.allow(|may| may.remove_directory)?;
        let (parent, last) = self.parent(Path::new(path)?)?.ok_or(StorageError::Denied)?;
        match parent.remove_directory_at(last) {
            Err(ErrorCode::NotEmpty | ErrorCode::Exist) => {}
            removed => return removed.map_err(error),
        }
        let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
        let directory = parent
            .open_at(PathFlags::empty(), last, OpenFlags::DIRECTORY, flags)
            .map_err(|_| StorageError::NotEmpty)?;
        self.remove_hidden(&directory)?;
        match parent.remove_directory_at(last) {
            Err(ErrorCode::Exist) => Err(StorageError::NotEmpty),
            removed => removed.map_err(error),
        }
    }

    /// Remove what was left unfinished in a directory, if it has nothing else: `NotEmpty`.
    fn remove_hidden(&self, directory: &Descriptor) -> Result<()> {
        let entries = directory.read_directory().map_err(error)?;
        let mut names = Vec::new();
        while let Some(entry) = entries.read_directory_entry().map_err(|_| StorageError::NotEmpty)? {
            if !is_hidden(&entry.name) {
                return Err(StorageError::NotEmpty);
            }
            names.push(entry.name);
        }
        for name in &names {
            if !remove(directory, name, &self.locks)? {
                return Err(StorageError::NotEmpty);
            }
        }
        Ok(())
    }

    /// Rename a file, directory or link. A file at `to` is replaced; a directory is not (`Exists`), nor is
    /// anything replaced by a directory.
    pub(crate) fn rename(&self, from: &VPath, to: &VPath) -> Result<()> {
        self.allow(|may| may.rename)?;
        let (from, to) = (Path::new(from)?, Path::new(to)?);
        from.split().and(to.split()).ok_or(StorageError::Denied)?;
        let kind = |path: Path<'_>| {
            attributes::at(&self.root, PathFlags::empty(), path.relative()).map(|there| there.kind).map_err(error)
        };
        let moved = kind(from)?;
        if let Ok(there) = kind(to)
            && from != to
            && (there == Kind::Directory || moved == Kind::Directory)
        {
            return Err(StorageError::Exists);
        }
        self.root.rename_at(from.relative(), &self.root, to.relative()).map_err(error)
    }

    /// Make a symbolic link that leads to `target`, which need not exist. Error `Unsupported` beneath a directory
    /// that is reached by a link: what `..` means there cannot be told.
    pub(crate) fn make_link(&self, path: &VPath, target: &VPath) -> Result<()> {
        self.allow(|may| may.write)?;
        let (path, target) = (Path::new(path)?, Path::new(target)?);
        path.split().ok_or(StorageError::Exists)?;
        for directory in path.ancestors() {
            let there = attributes::at(&self.root, PathFlags::empty(), directory.relative()).map_err(error)?;
            if there.kind == Kind::Link {
                return Err(StorageError::Unsupported);
            }
        }
        self.root.symlink_at(&path.link_to(target), path.relative()).map_err(error)
    }

    /// Set the times that are given. Links are followed. Error `Unsupported` for the time of creation, and for
    /// what lies before 1970.
    pub(crate) fn set_times(&self, path: &VPath, times: Times) -> Result<()> {
        self.allow(|may| may.set_attributes)?;
        let path = Path::new(path)?;
        if times.created.is_some() {
            return Err(StorageError::Unsupported);
        }
        let modified = match times.modified {
            None => NewTimestamp::NoChange,
            Some(time) => NewTimestamp::Timestamp(Datetime {
                seconds: u64::try_from(time.seconds).map_err(|_| StorageError::Unsupported)?,
                nanoseconds: time.nanoseconds,
            }),
        };
        let flags = PathFlags::SYMLINK_FOLLOW;
        self.root.set_times_at(flags, path.relative(), NewTimestamp::NoChange, modified).map_err(error)
    }

    /// The directory that holds the last part of `path`, opened, and that part. `None` for the root.
    pub(super) fn parent<'a>(&self, path: Path<'a>) -> Result<Option<(Descriptor, &'a str)>> {
        let Some((parent, last)) = path.split() else { return Ok(None) };
        let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
        Ok(Some((self.directory(parent, flags)?, last)))
    }

    fn directory(&self, path: Path<'_>, flags: DescriptorFlags) -> Result<Descriptor> {
        self.root.open_at(PathFlags::SYMLINK_FOLLOW, path.relative(), OpenFlags::DIRECTORY, flags).map_err(error)
    }
}
