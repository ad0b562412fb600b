//! One user's files, over the one directory that the runtime opened. The runtime keeps every path beneath it.

mod attributes;
mod directory;
mod error;
mod file;
mod hidden;
mod lock;
mod open;
mod path;
mod upload;
mod volume;
mod work;

pub(crate) use attributes::time;
pub(crate) use directory::Directory;
pub(crate) use file::File;
pub(crate) use lock::Locks;
pub(crate) use volume::Volume;
pub(crate) use work::Work;
