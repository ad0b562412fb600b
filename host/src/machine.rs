//! What the machine must allow for so many sessions, asked for or at least said at the start.

use std::fs;
use std::thread;

use log::warn;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raise what may be raised; warn of what may not.
pub(crate) fn prepare(connections: usize) {
    let connections = connections as u64;
    let processors = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let files = connections * FILES_PER_SESSION + processors * FILES_PER_PROCESSOR + FILES_OF_THE_SERVER;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < files) {
        let wanted = limit.maximum.map_or(files, |maximum| files.min(maximum));
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
        if raised.is_err() || wanted < files {
            warn!("{connections} connections may need {files} open files, and {wanted} are allowed (ulimit -n)");
        }
    }
    let maps = connections * MAPS_PER_SESSION + MAPS_OF_THE_SERVER;
    let allowed = fs::read_to_string(MAX_MAP_COUNT).ok().and_then(|text| text.trim().parse::<u64>().ok());
    if allowed.is_some_and(|allowed| allowed < maps) {
        warn!("{connections} connections may need {maps} memory maps; set sysctl vm.max_map_count={maps}");
    }
}

const MAX_MAP_COUNT: &str = "/proc/sys/vm/max_map_count";

/// Control connection, data port or connection, directory (twice), and two files with their directory (a copy).
const FILES_PER_SESSION: u64 = 7;

/// Of its thread's runtime, and the listeners of a few addresses.
const FILES_PER_PROCESSOR: u64 = 16;

/// Listeners, the runtime's own, the root, standard streams.
const FILES_OF_THE_SERVER: u64 = 64;

/// Of an instance's memory and stack, with their guards.
const MAPS_PER_SESSION: u64 = 6;

/// Libraries, heaps, threads.
const MAPS_OF_THE_SERVER: u64 = 1000;
