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

fn attributes(stat: &DescriptorStat, hash: &MetadataHashValue) -> Attributes {
    let kind = match stat.type_ {
        DescriptorType::RegularFile => Kind::File,
        DescriptorType::Directory => Kind::Directory,
        DescriptorType::SymbolicLink => Kind::Link,
        _ => Kind::Other,
    };
    Attributes {
        kind,
        // The text of a link is none of the client's business, nor is that text's length.
        size: if kind == Kind::Link { 0 } else { stat.size },
        // What lies before 1970 is not told.
        modified: stat.data_modification_timestamp.map_or_else(Time::default, time),
        created: None,
        unix: None,
        links: stat.link_count,
        unique: (hash.upper, hash.lower),
    }
}

/// WASI's moment.
pub(crate) fn time(moment: Datetime) -> Time {
    Time { seconds: i64::try_from(moment.seconds).unwrap_or(i64::MAX), nanoseconds: moment.nanoseconds }
}
