//! Octets to meaning and back. No I/O, no clock, no logging; nothing here names another module of ours.

pub mod address;
pub mod ascii;
pub mod command;
pub mod entry;
pub mod facts;
pub mod glob;
pub mod line;
pub mod list;
pub mod path;
pub mod reply;
pub mod secret;
pub mod time;
pub mod verb;
