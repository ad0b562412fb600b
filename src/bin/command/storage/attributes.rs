//! What WASI says of a file, as attributes.

use wasi::clocks::wall_clock::Datetime;
use wasi::filesystem::types::{Descriptor, DescriptorStat, DescriptorType, ErrorCode, MetadataHashValue, PathFlags};
use wasi_ftpd::proto::entry::{Attributes, Kind, Time};

/// Of an open file or directory.
pub(super) fn of(descriptor: &Descriptor) -> Result<Attributes, ErrorCode> {
    Ok(attributes(&descriptor.stat()?, &descriptor.metadata_hash()?))
}

/// Of a name in `directory`: with `SYMLINK_FOLLOW` of what it leads to, else of a link itself.
pub(super) fn at(directory: &Descriptor, flags: PathFlags, name: &str) -> Result<Attributes, ErrorCode> {
    Ok(attributes(&directory.stat_at(flags, name)?, &directory.metadata_hash_at(flags, name)?))
}

/// Modes and owners are not WASI's; these look like what most files have.
fn attributes(stat: &DescriptorStat, hash: &MetadataHashValue) -> Attributes {
    let (kind, mode) = match stat.type_ {
        DescriptorType::RegularFile => (Kind::File, 0o644),
        DescriptorType::Directory => (Kind::Directory, 0o755),
        DescriptorType::SymbolicLink => (Kind::Link, 0o777),
        _ => (Kind::Other, 0o644),
    };
    Attributes {
        kind,
        // The text of a link is none of the client's business, nor is that text's length.
        size: if kind == Kind::Link { 0 } else { stat.size },
        // What lies before 1970 is not told.
        modified: stat.data_modification_timestamp.map_or_else(Time::default, time),
        created: None,
        mode,
        links: stat.link_count,
        owner: 0,
        group: 0,
        unique: (hash.upper, hash.lower),
    }
}

/// WASI's moment.
pub(crate) fn time(moment: Datetime) -> Time {
    Time { seconds: i64::try_from(moment.seconds).unwrap_or(i64::MAX), nanoseconds: moment.nanoseconds }
}
