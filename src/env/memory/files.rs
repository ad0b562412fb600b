//! Files that are vectors.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::open_file::{OpenFile, Place};
use crate::env::{Access, StorageError, Times};
use crate::proto::entry::{Attributes, Entry, Kind, Time, Unix};

/// Octets that a node and those who have it open share.
pub(super) type Content = Rc<RefCell<Vec<u8>>>;

/// A tree, by absolute path. The root always exists.
#[derive(Debug)]
pub struct Files {
    nodes: BTreeMap<Vec<u8>, Node>,
    /// What is being written anew, or was left unfinished, by the path it is meant for.
    unfinished: BTreeMap<Vec<u8>, Content>,
    next: u64,
    /// What the next octets to be read or written meet, if not a whole medium.
    fault: Rc<Cell<Option<StorageError>>>,
}

#[derive(Clone, Debug)]
struct Node {
    kind: Kind,
    modified: Rc<Cell<Time>>,
    created: Time,
    mode: u32,
    number: u64,
    content: Content,
    /// Shared with whoever writes into the content in place.
    lock: Rc<()>,
}

impl Default for Files {
    fn default() -> Self {
        let (nodes, unfinished) = (BTreeMap::new(), BTreeMap::new());
        let mut files = Self { nodes, unfinished, next: 0, fault: Rc::default() };
        files.put(b"/", Kind::Directory, Time::default(), 0);
        files
    }
}

impl Files {
    /// Put a file there, whatever was there before.
    pub fn put_file(&mut self, path: &[u8], content: &[u8]) {
        self.put(path, Kind::File, Time::default(), 0o022).content.borrow_mut().extend_from_slice(content);
    }

    /// Put a directory there.
    pub fn put_directory(&mut self, path: &[u8]) {
        self.put(path, Kind::Directory, Time::default(), 0o022);
    }

    /// Put a link there that leads nowhere.
    pub fn put_link(&mut self, path: &[u8]) {
        self.put(path, Kind::Link, Time::default(), 0);
    }

    /// The content of a file.
    pub fn content(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.nodes.get(path).filter(|node| node.kind == Kind::File).map(|node| node.content.borrow().clone())
    }

    /// Whether there is such a directory.
    pub fn has_directory(&self, path: &[u8]) -> bool {
        self.nodes.get(path).is_some_and(|node| node.kind == Kind::Directory)
    }

    /// Let reads and writes fail from now on; with `Busy`, opening a file.
    pub fn fail(&mut self, error: StorageError) {
        self.fault.set(Some(error));
    }

    fn put(&mut self, path: &[u8], kind: Kind, now: Time, umask: u32) -> &mut Node {
        self.next += 1;
        let mode = match kind {
            Kind::Directory => 0o777 & !umask,
            Kind::Link => 0o777,
            Kind::File | Kind::Other => 0o666 & !umask,
        };
        let modified = Rc::new(Cell::new(now));
        let node =
            Node { kind, modified, created: now, mode, number: self.next, content: Rc::default(), lock: Rc::default() };
        self.nodes.entry(path.to_vec()).insert_entry(node).into_mut()
    }

    fn node(&self, path: &[u8]) -> Result<&Node, StorageError> {
        self.nodes.get(path).ok_or_else(|| self.parent(path).err().unwrap_or(StorageError::NotFound))
    }

    fn node_mut(&mut self, path: &[u8]) -> Result<&mut Node, StorageError> {
        let missing = self.parent(path).err().unwrap_or(StorageError::NotFound);
        self.nodes.get_mut(path).ok_or(missing)
    }

    /// The directory that a path is in must exist.
    fn parent(&self, path: &[u8]) -> Result<(), StorageError> {
        let mut ancestor = above(path);
        loop {
            match self.nodes.get(ancestor).map(|node| node.kind) {
                Some(Kind::Directory) if ancestor == above(path) => return Ok(()),
                Some(Kind::Directory) => return Err(StorageError::NotFound),
                Some(_) => return Err(StorageError::NotDirectory),
                None => ancestor = above(ancestor),
            }
        }
    }

    pub(super) fn stat(&self, path: &[u8]) -> Result<Attributes, StorageError> {
        Ok(self.node(path)?.attributes())
    }

    pub(super) fn list(&self, path: &[u8]) -> Result<Vec<Entry>, StorageError> {
        if self.node(path)?.kind != Kind::Directory {
            return Err(StorageError::NotDirectory);
        }
        Ok(self
            .children(path)
            .map(|(name, node)| Entry { name: name.to_vec(), attributes: node.attributes() })
            .collect())
    }

    fn children<'a>(&'a self, path: &[u8]) -> impl Iterator<Item = (&'a [u8], &'a Node)> + use<'a> {
        let prefix = below(path);
        self.nodes.iter().filter_map(move |(path, node)| {
            let name = path.strip_prefix(&prefix[..])?;
            (!name.is_empty() && !name.contains(&b'/')).then_some((name, node))
        })
    }

    pub(super) fn open(&mut self, path: &[u8], access: Access, now: Time) -> Result<OpenFile, StorageError> {
        if self.fault.get() == Some(StorageError::Busy) {
            return Err(StorageError::Busy);
        }
        let found = match self.node(path) {
            Ok(node) if node.kind == Kind::File => Some(node.clone()),
            Ok(_) if access == Access::Create => return Err(StorageError::Exists),
            Ok(node) if node.kind == Kind::Link && access == Access::Read => return Err(StorageError::NotFound),
            Ok(node) if node.kind == Kind::Link => return Err(StorageError::Denied),
            Ok(_) => return Err(StorageError::NotFile),
            Err(StorageError::NotFound) => None,
            Err(error) => return Err(error),
        };
        let left = self.unfinished.get(path).filter(|content| is_free(content)).map(|content| content.borrow().len());
        let (content, position, place) = match (access, found) {
            (Access::Read, node) => (node.ok_or(StorageError::NotFound)?.content, Some(0), Place::Read),
            (Access::Create, Some(_)) => return Err(StorageError::Exists),
            (Access::Create, None) if left.is_none() && self.unfinished.contains_key(path) => {
                return Err(StorageError::Exists);
            }
            (Access::Create, None) => (self.begin(path)?, Some(0), Place::New),
            (Access::Replace | Access::Resume(0), _) => (self.begin(path)?, Some(0), Place::Any),
            (Access::Append, None) => (self.begin(path)?, None, Place::Any),
            (Access::Resume(offset), found) => {
                let offset = usize::try_from(offset).map_err(|_| StorageError::BadOffset)?;
                match (left, found) {
                    (Some(left @ 1..), _) if offset <= left => (self.begin(path)?, Some(offset), Place::Any),
                    (Some(1..), _) => return Err(StorageError::BadOffset),
                    (_, Some(node)) if offset <= node.content.borrow().len() => self.in_place(node, Some(offset))?,
                    (_, None) => return Err(self.parent(path).err().unwrap_or(StorageError::BadOffset)),
                    _ => return Err(StorageError::BadOffset),
                }
            }
            (Access::Append, Some(node)) => self.in_place(node, None)?,
        };
        Ok(OpenFile {
            path: path.to_vec(),
            place,
            content,
            now,
            position: Rc::new(Cell::new(position)),
            fault: self.fault.clone(),
        })
    }

    /// What is to be the content of a file: what was left unfinished, if nobody has it.
    fn begin(&mut self, path: &[u8]) -> Result<Content, StorageError> {
        self.parent(path)?;
        match self.unfinished.get(path) {
            Some(content) if is_free(content) => Ok(content.clone()),
            Some(_) => Ok(Content::default()),
            None => Ok(self.unfinished.entry(path.to_vec()).or_default().clone()),
        }
    }

    fn in_place(&self, node: Node, at: Option<usize>) -> Result<(Content, Option<usize>, Place), StorageError> {
        // The node in the tree, and the one that was cloned from it.
        if Rc::strong_count(&node.lock) > 2 {
            return Err(StorageError::Busy);
        }
        Ok((node.content, at, Place::Seen { modified: node.modified, _lock: node.lock }))
    }

    /// Let a file be seen.
    pub(super) fn publish(&mut self, file: &OpenFile, umask: u32) -> Result<(), StorageError> {
        let there = self.nodes.get(&file.path).map(|node| node.kind);
        match file.place {
            Place::Read | Place::Seen { .. } => return Ok(()),
            Place::New if there.is_some() => return Err(StorageError::Exists),
            Place::Any | Place::New if there.is_some_and(|kind| kind != Kind::File) => {
                return Err(StorageError::NotFile);
            }
            Place::Any | Place::New => self.parent(&file.path)?,
        }
        if self.unfinished.get(&file.path).is_some_and(|content| Rc::ptr_eq(content, &file.content)) {
            self.unfinished.remove(&file.path);
        }
        let mode = self.nodes.get(&file.path).map(|node| node.mode);
        let node = self.put(&file.path, Kind::File, file.now, umask);
        node.content = file.content.clone();
        node.mode = mode.unwrap_or(node.mode);
        Ok(())
    }

    pub(super) fn discard(&mut self, file: &OpenFile) {
        self.unfinished.retain(|_, content| !Rc::ptr_eq(content, &file.content));
    }

    pub(super) fn unfinished(&self, path: &[u8]) -> Result<u64, StorageError> {
        let left = self.unfinished.get(path).filter(|content| is_free(content) && !content.borrow().is_empty());
        match left {
            Some(content) => Ok(content.borrow().len() as u64),
            None => Err(StorageError::NotFound),
        }
    }

    pub(super) fn remove_file(&mut self, path: &[u8]) -> Result<(), StorageError> {
        let left = self.unfinished(path).is_ok();
        if self.unfinished.get(path).is_some_and(is_free) {
            self.unfinished.remove(path);
        }
        match self.node(path) {
            Ok(node) if node.kind == Kind::Directory => Err(StorageError::NotFile),
            Err(StorageError::NotFound) if left => Ok(()),
            Err(error) => Err(error),
            Ok(_) => {
                self.nodes.remove(path);
                Ok(())
            }
        }
    }

    pub(super) fn make_directory(&mut self, path: &[u8], now: Time, umask: u32) -> Result<(), StorageError> {
        if self.nodes.contains_key(path) {
            return Err(StorageError::Exists);
        }
        self.parent(path)?;
        self.put(path, Kind::Directory, now, umask);
        Ok(())
    }

    /// Links here lead nowhere, whatever they are told to lead to.
    pub(super) fn make_link(&mut self, path: &[u8], now: Time) -> Result<(), StorageError> {
        if self.nodes.contains_key(path) {
            return Err(StorageError::Exists);
        }
        self.parent(path)?;
        self.put(path, Kind::Link, now, 0);
        Ok(())
    }

    pub(super) fn remove_directory(&mut self, path: &[u8]) -> Result<(), StorageError> {
        match self.node(path)?.kind {
            Kind::Directory if path == b"/" => Err(StorageError::Denied),
            Kind::Directory if self.children(path).next().is_some() => Err(StorageError::NotEmpty),
            Kind::Directory => {
                self.nodes.remove(path);
                Ok(())
            }
            _ => Err(StorageError::NotDirectory),
        }
    }

    pub(super) fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), StorageError> {
        let kind = self.node(from)?.kind;
        self.parent(to)?;
        if from == b"/" {
            return Err(StorageError::Denied);
        }
        if to.starts_with(&below(from)) {
            return Err(StorageError::BadName);
        }
        let there = self.nodes.get(to).map(|node| node.kind);
        if there == Some(Kind::Directory) || there.is_some() && kind == Kind::Directory {
            return Err(StorageError::Exists);
        }
        let under = below(from);
        let moving: Vec<Vec<u8>> =
            self.nodes.keys().filter(|path| *path == from || path.starts_with(&under)).cloned().collect();
        for path in moving {
            let rest = path.get(from.len()..).unwrap_or_default();
            if let Some(node) = self.nodes.remove(&path) {
                self.nodes.insert([to, rest].concat(), node);
            }
        }
        Ok(())
    }

    pub(super) fn set_times(&mut self, path: &[u8], times: Times) -> Result<(), StorageError> {
        let node = self.node_mut(path)?;
        node.modified.set(times.modified.unwrap_or(node.modified.get()));
        node.created = times.created.unwrap_or(node.created);
        Ok(())
    }

    pub(super) fn set_mode(&mut self, path: &[u8], mode: u32) -> Result<(), StorageError> {
        if path == b"/" {
            return Err(StorageError::Denied);
        }
        self.node_mut(path)?.mode = mode & 0o777;
        Ok(())
    }
}

impl Node {
    fn attributes(&self) -> Attributes {
        Attributes {
            kind: self.kind,
            size: self.content.borrow().len() as u64,
            modified: self.modified.get(),
            created: Some(self.created),
            unix: Some(Unix { mode: self.mode, owner: 0, group: 0 }),
            links: 1,
            unique: (0, self.number),
        }
    }
}

/// Whether nobody is writing what was left unfinished.
fn is_free(content: &Content) -> bool {
    Rc::strong_count(content) == 1
}

/// The directory that a path is in; the root's is the root, which always exists.
fn above(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&octet| octet == b'/') {
        None | Some(0) => b"/",
        Some(slash) => path.get(..slash).unwrap_or(b"/"),
    }
}

/// What every path beneath a directory begins with.
fn below(path: &[u8]) -> Vec<u8> {
    if path == b"/" { path.to_vec() } else { [path, b"/"].concat() }
}
