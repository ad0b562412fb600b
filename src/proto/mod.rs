//! Octets to meaning and back. No I/O, no clock, no logging; nothing here names another module of ours.

pub mod address;
pub mod arguments;
pub mod ascii;
pub mod charset;
pub mod checksum;
pub mod command;
mod digits;
pub mod entry;
pub mod facts;
pub mod glob;
pub mod line;
pub mod list;
pub mod options;
pub mod path;
pub mod reply;
pub mod secret;
pub mod site;
pub mod time;
pub mod verb;
pub mod wire;
