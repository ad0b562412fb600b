//! Files that are vectors.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::env::{Access, StorageError};
use crate::proto::entry::{Attributes, Entry, Kind, Time};

/// A tree, by absolute path. The root always exists.
#[derive(Debug)]
pub struct Files {
    nodes: BTreeMap<Vec<u8>, Node>,
    next: u64,
    /// What the next octets to be read or written meet, if not a whole medium.
    fault: Rc<Cell<Option<StorageError>>>,
}

#[derive(Clone, Debug)]
struct Node {
    kind: Kind,
    modified: Rc<Cell<Time>>,
    number: u64,
    content: Rc<RefCell<Vec<u8>>>,
}

impl Default for Files {
    fn default() -> Self {
        let mut files = Self { nodes: BTreeMap::new(), next: 0, fault: Rc::default() };
        files.put(b"/", Kind::Directory, Time::default());
        files
    }
}

impl Files {
    /// Put a file there, whatever was there before.
    pub fn put_file(&mut self, path: &[u8], content: &[u8]) {
        self.put(path, Kind::File, Time::default()).content.borrow_mut().extend_from_slice(content);
    }

    /// Put a directory there.
    pub fn put_directory(&mut self, path: &[u8]) {
        self.put(path, Kind::Directory, Time::default());
    }

    /// Put a link there that leads nowhere.
    pub fn put_link(&mut self, path: &[u8]) {
        self.put(path, Kind::Link, Time::default());
    }

    /// The content of a file.
    pub fn content(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.nodes.get(path).filter(|node| node.kind == Kind::File).map(|node| node.content.borrow().clone())
    }

    /// Whether there is such a directory.
    pub fn has_directory(&self, path: &[u8]) -> bool {
        self.nodes.get(path).is_some_and(|node| node.kind == Kind::Directory)
    }

    /// Let reads and writes fail from now on.
    pub fn fail(&mut self, error: StorageError) {
        self.fault.set(Some(error));
    }

    fn put(&mut self, path: &[u8], kind: Kind, modified: Time) -> &Node {
        self.next += 1;
        let modified = Rc::new(Cell::new(modified));
        let node = Node { kind, modified, number: self.next, content: Rc::default() };
        self.nodes.entry(path.to_vec()).insert_entry(node).into_mut()
    }

    fn node(&self, path: &[u8]) -> Result<&Node, StorageError> {
        self.nodes.get(path).ok_or_else(|| self.parent(path).err().unwrap_or(StorageError::NotFound))
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
        let found = match self.node(path) {
            Ok(_) if access == Access::Create => Err(StorageError::Exists),
            Ok(node) if node.kind == Kind::Link && access == Access::Read => Err(StorageError::NotFound),
            Ok(node) if node.kind == Kind::Link => Err(StorageError::Denied),
            Ok(node) if node.kind != Kind::File => Err(StorageError::NotFile),
            Ok(node) => Ok(node.clone()),
            Err(error) => Err(error),
        };
        let node = match (found, access) {
            (Err(StorageError::NotFound), Access::Write(1..)) => return Err(StorageError::BadOffset),
            (Err(StorageError::NotFound), Access::Write(0) | Access::Append | Access::Create) => {
                self.parent(path)?;
                self.put(path, Kind::File, now).clone()
            }
            (found, _) => found?,
        };
        let length = node.content.borrow().len();
        let position = match access {
            Access::Read | Access::Create => Some(0),
            Access::Append => None,
            Access::Write(offset) => {
                Some(usize::try_from(offset).ok().filter(|&at| at <= length).ok_or(StorageError::BadOffset)?)
            }
        };
        Ok(OpenFile {
            content: node.content,
            modified: node.modified,
            now,
            position: Rc::new(Cell::new(position)),
            fault: self.fault.clone(),
        })
    }

    pub(super) fn remove_file(&mut self, path: &[u8]) -> Result<(), StorageError> {
        if self.node(path)?.kind == Kind::Directory {
            return Err(StorageError::NotFile);
        }
        self.nodes.remove(path);
        Ok(())
    }

    pub(super) fn make_directory(&mut self, path: &[u8], now: Time) -> Result<(), StorageError> {
        if self.nodes.contains_key(path) {
            return Err(StorageError::Exists);
        }
        self.parent(path)?;
        self.put(path, Kind::Directory, now);
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

    pub(super) fn set_modified(&mut self, path: &[u8], to: Time) -> Result<(), StorageError> {
        self.node(path)?;
        if let Some(node) = self.nodes.get_mut(path) {
            node.modified.set(to);
        }
        Ok(())
    }
}

impl Node {
    fn attributes(&self) -> Attributes {
        Attributes {
            kind: self.kind,
            size: self.content.borrow().len() as u64,
            modified: self.modified.get(),
            mode: if self.kind == Kind::Directory { 0o755 } else { 0o644 },
            links: 1,
            owner: 0,
            group: 0,
            unique: (0, self.number),
        }
    }
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

/// An open file.
#[derive(Clone, Debug)]
pub struct OpenFile {
    content: Rc<RefCell<Vec<u8>>>,
    modified: Rc<Cell<Time>>,
    /// When it was opened.
    now: Time,
    /// Where the next octets are written, which is then the end; `None`: behind the end.
    position: Rc<Cell<Option<usize>>>,
    fault: Rc<Cell<Option<StorageError>>>,
}

impl OpenFile {
    pub(super) fn size(&self) -> u64 {
        self.content.borrow().len() as u64
    }

    pub(super) fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, StorageError> {
        if let Some(error) = self.fault.get() {
            return Err(error);
        }
        let content = self.content.borrow();
        let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..)).unwrap_or_default();
        Ok(rest.get(..length).unwrap_or(rest).to_vec())
    }

    pub(super) fn write(&self, octets: &[u8]) -> Result<(), StorageError> {
        if let Some(error) = self.fault.get() {
            return Err(error);
        }
        let mut content = self.content.borrow_mut();
        if let Some(position) = self.position.take() {
            content.truncate(position);
        }
        content.extend_from_slice(octets);
        self.modified.set(self.now);
        Ok(())
    }
}
