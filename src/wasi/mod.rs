//! Glue between futures and `wasi:io`, shared by the program roots.

pub mod stream;
pub mod wait;
