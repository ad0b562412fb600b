//! The contract's plain data to `env`'s and back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use wasi_ftpd::env::{
    Access, DataError, Denial, Direction, Ending, Event, Outcome, StorageError, TlsPolicy, TransferError,
};
use wasi_ftpd::proto::checksum::Algorithm;
use wasi_ftpd::proto::entry::{Attributes, Entry, Kind, Permissions, Time, Unix};

use crate::bindings::ftpd::server::{accounts, control, data, events, storage};

pub(crate) fn address(address: control::SocketAddress) -> SocketAddr {
    let ip = match address.ip {
        control::IpAddress::Ipv4((a, b, c, d)) => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        control::IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)),
    };
    SocketAddr::new(ip, address.port)
}

pub(crate) fn to_address(address: SocketAddr) -> control::SocketAddress {
    let ip = match address.ip().to_canonical() {
        IpAddr::V4(ip) => control::IpAddress::Ipv4(ip.octets().into()),
        IpAddr::V6(ip) => control::IpAddress::Ipv6(ip.segments().into()),
    };
    control::SocketAddress { ip, port: address.port() }
}

pub(crate) fn tls_policy(policy: control::TlsPolicy) -> TlsPolicy {
    match policy {
        control::TlsPolicy::Off => TlsPolicy::Off,
        control::TlsPolicy::Allowed => TlsPolicy::Allowed,
        control::TlsPolicy::Required => TlsPolicy::Required,
        control::TlsPolicy::RequiredForData => TlsPolicy::RequiredForData,
    }
}

pub(crate) fn ending(ending: control::Ending) -> Ending {
    match ending {
        control::Ending::Idle => Ending::Idle,
        control::Ending::LoginTimeout => Ending::LoginTimeout,
        control::Ending::LoginFailures => Ending::LoginFailures,
        control::Ending::Shutdown => Ending::Shutdown,
    }
}

pub(crate) fn denial(denial: accounts::Denial) -> Denial {
    match denial {
        accounts::Denial::Denied => Denial::Denied,
        accounts::Denial::Unprotected => Denial::Unprotected,
        accounts::Denial::Unavailable => Denial::Unavailable,
    }
}

pub(crate) fn data_error(error: data::Error) -> DataError {
    match error {
        data::Error::Refused => DataError::Refused,
        data::Error::NoPort => DataError::NoPort,
        data::Error::Unreachable => DataError::Unreachable,
        data::Error::Timeout => DataError::Timeout,
        data::Error::Unprotected => DataError::Unprotected,
        data::Error::Tls => DataError::Tls,
        data::Error::Truncated => DataError::Truncated,
        // `pending` is waited for where it can occur.
        data::Error::Broken | data::Error::Pending => DataError::Broken,
    }
}

pub(crate) fn transfer_error(error: data::TransferError) -> TransferError {
    match error {
        data::TransferError::Connection(error) => TransferError::Data(data_error(error)),
        data::TransferError::Storage(error) => TransferError::Storage(storage_error(error)),
    }
}

pub(crate) fn storage_error(error: storage::Error) -> StorageError {
    match error {
        storage::Error::NotFound => StorageError::NotFound,
        storage::Error::Denied => StorageError::Denied,
        storage::Error::Exists => StorageError::Exists,
        storage::Error::NotDirectory => StorageError::NotDirectory,
        storage::Error::NotFile => StorageError::NotFile,
        storage::Error::NotEmpty => StorageError::NotEmpty,
        storage::Error::BadName => StorageError::BadName,
        storage::Error::NoSpace => StorageError::NoSpace,
        storage::Error::BadOffset => StorageError::BadOffset,
        storage::Error::Busy => StorageError::Busy,
        storage::Error::Unsupported => StorageError::Unsupported,
        storage::Error::Io => StorageError::Io,
    }
}

pub(crate) fn access(access: Access) -> storage::Access {
    match access {
        Access::Read => storage::Access::Read,
        Access::Replace => storage::Access::Replace,
        Access::Resume(offset) => storage::Access::Resume(offset),
        Access::Append => storage::Access::Append,
        Access::Create => storage::Access::Create,
    }
}

pub(crate) fn permissions(given: storage::Permissions) -> Permissions {
    let has = |one| given.contains(one);
    Permissions {
        list: has(storage::Permissions::LIST),
        read: has(storage::Permissions::READ),
        write: has(storage::Permissions::WRITE),
        delete: has(storage::Permissions::DELETE),
        rename: has(storage::Permissions::RENAME),
        make_directory: has(storage::Permissions::MAKE_DIRECTORY),
        remove_directory: has(storage::Permissions::REMOVE_DIRECTORY),
        set_attributes: has(storage::Permissions::SET_ATTRIBUTES),
        set_created: has(storage::Permissions::SET_CREATED),
    }
}

pub(crate) fn entry(entry: storage::Entry) -> Entry {
    Entry { name: entry.name, attributes: attributes(entry.attributes) }
}

pub(crate) fn attributes(given: storage::Attributes) -> Attributes {
    Attributes {
        kind: match given.kind {
            storage::Kind::File => Kind::File,
            storage::Kind::Directory => Kind::Directory,
            storage::Kind::Link => Kind::Link,
            storage::Kind::Other => Kind::Other,
        },
        size: given.size,
        modified: time(given.modified),
        created: given.created.map(time),
        unix: Some(Unix { mode: given.mode, owner: given.owner, group: given.group }),
        links: given.links,
        unique: given.unique,
    }
}

fn time(given: storage::Time) -> Time {
    Time { seconds: given.seconds, nanoseconds: given.nanoseconds }
}

pub(crate) fn to_time(time: Time) -> storage::Time {
    storage::Time { seconds: time.seconds, nanoseconds: time.nanoseconds }
}

pub(crate) fn algorithm(algorithm: Algorithm) -> storage::Algorithm {
    match algorithm {
        Algorithm::Crc32 => storage::Algorithm::Crc32,
        Algorithm::Md5 => storage::Algorithm::Md5,
        Algorithm::Sha1 => storage::Algorithm::Sha1,
        Algorithm::Sha256 => storage::Algorithm::Sha256,
        Algorithm::Sha512 => storage::Algorithm::Sha512,
    }
}

pub(crate) fn event(event: Event<'_>) -> events::Event {
    match event {
        Event::Transfer { direction, path, octets, outcome } => events::Event::Transfer(events::Transfer {
            direction: match direction {
                Direction::Retrieve => events::Direction::Retrieve,
                Direction::Store => events::Direction::Store,
                Direction::Append => events::Direction::Append,
                Direction::Listing => events::Direction::Listing,
            },
            path: path.as_bytes().to_vec(),
            octets,
            outcome: match outcome {
                Outcome::Complete => events::Outcome::Complete,
                Outcome::Aborted => events::Outcome::Aborted,
                Outcome::Failed => events::Outcome::Failed,
            },
        }),
        Event::Changed(verb, path) => events::Event::Changed((verb.to_owned(), path.as_bytes().to_vec())),
        Event::Renamed(from, to) => events::Event::Renamed((from.as_bytes().to_vec(), to.as_bytes().to_vec())),
        Event::Refused(verb, code) => events::Event::Refused((verb.to_owned(), code)),
    }
}
