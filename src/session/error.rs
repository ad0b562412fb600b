//! Errors to replies: one match for each family.

use crate::env::{DataError, Ending, StorageError};
use crate::proto::command::BadCommand;
use crate::proto::path::BadName;
use crate::proto::reply::{Code, Reply};
use crate::proto::verb::Row;
use crate::proto::wire::Malformed;

/// The reply to a line that is not a command (RFC 959 §5.4).
impl From<BadCommand> for Reply {
    fn from(error: BadCommand) -> Self {
        match error {
            BadCommand::Unknown => Self::new(Code::SyntaxError, "Command not understood"),
            BadCommand::NotOffered => Self::new(Code::NotOffered, "Command not implemented"),
            BadCommand::Foreign => Self::new(Code::WrongProtocol, "This is an FTP server"),
            BadCommand::Argument(row) => Self::new(Code::ArgumentError, format!("Syntax: {}", usage(row))),
            BadCommand::Parameter(row) => {
                Self::new(Code::NotForThatParameter, format!("Not for that parameter; offered: {}", usage(row)))
            }
            BadCommand::Family => Self::new(Code::BadProtocolFamily, "Network protocol not supported, use (1,2)"),
            BadCommand::LongFamily => Self::new(Code::BadLongFamily, "Supported address families are (4,6)"),
            BadCommand::SiteArgument(row) => {
                Self::new(Code::ArgumentError, format!("Syntax: SITE {} {}", row.name, row.syntax).trim_end())
            }
            BadCommand::Site => Self::new(Code::SyntaxError, "SITE command not understood"),
        }
    }
}

/// How a verb is used.
pub(super) fn usage(row: &Row) -> String {
    format!("{} {}", row.name, row.syntax).trim_end().to_owned()
}

impl From<StorageError> for Reply {
    fn from(error: StorageError) -> Self {
        let (code, text) = match error {
            StorageError::NotFound => (Code::FileUnavailable, "No such file or directory"),
            StorageError::Denied => (Code::FileUnavailable, "Permission denied"),
            StorageError::Exists => (Code::FileUnavailable, "Name is taken"),
            StorageError::NotDirectory => (Code::FileUnavailable, "Not a directory"),
            StorageError::NotFile => (Code::FileUnavailable, "Not a plain file"),
            StorageError::NotEmpty => (Code::FileUnavailable, "Directory not empty"),
            StorageError::BadName => (Code::FileUnavailable, "File name not allowed"),
            StorageError::NoSpace => (Code::NoSpace, "No space left"),
            StorageError::BadOffset => (Code::BadRestart, "Restart offset is beyond the end of the file"),
            StorageError::Busy => (Code::FileBusy, "File busy"),
            StorageError::Unsupported => (Code::NotForThatParameter, "Not possible in this storage"),
            StorageError::Io => (Code::LocalError, "Local error"),
        };
        Self::new(code, text)
    }
}

impl From<BadName> for Reply {
    fn from(_: BadName) -> Self {
        StorageError::BadName.into()
    }
}

/// The reply when a name to be written cannot be: STOR, APPE, STOU and RNTO have 553 for what is wrong
/// with the name itself (RFC 959 §5.4).
pub(super) fn to_be_written(error: StorageError) -> Reply {
    match error {
        StorageError::BadName => Reply::new(Code::NameNotAllowed, "File name not allowed"),
        StorageError::NotFile => Reply::new(Code::NameNotAllowed, "Not a plain file"),
        StorageError::Exists => Reply::new(Code::NameNotAllowed, "Name is taken"),
        other => other.into(),
    }
}

/// The reply to a command that asks for a data connection, before there is one.
pub(super) fn no_port(error: DataError) -> Reply {
    match error {
        DataError::Refused => Reply::new(Code::NotForThatParameter, "Only your own address, and ports from 1024"),
        _ => Reply::new(Code::CannotOpenData, "No data port is free"),
    }
}

/// The reply when the data connection cannot be opened.
pub(super) fn not_opened(error: DataError) -> Reply {
    let text = match error {
        DataError::Refused => "Data connection refused",
        DataError::NoPort => "No data port is free",
        DataError::Unreachable => "Cannot reach your data port",
        DataError::Timeout => "Data connection was not opened in time",
        DataError::Broken | DataError::Truncated => "Data connection broke",
        DataError::Unprotected => return Reply::new(Code::DataUnprotected, "Use PROT P first"),
        DataError::Tls => {
            return Reply::new(Code::DataTlsFailed, "TLS failed on the data connection, or must resume this session's");
        }
    };
    Reply::new(Code::CannotOpenData, text)
}

/// The reply when an open data connection failed.
pub(super) fn broken(error: DataError) -> Reply {
    let text = match error {
        DataError::Timeout => "Data connection stalled; transfer aborted",
        DataError::Truncated => "TLS was not closed; the end may be missing",
        _ => "Data connection broke; transfer aborted",
    };
    Reply::new(Code::TransferAborted, text)
}

/// The reply when what came is not what was agreed on.
pub(super) fn malformed(error: Malformed) -> Reply {
    match error {
        Malformed::Truncated => Reply::new(Code::TransferAborted, "The end of the file is missing"),
        Malformed::Syntax => Reply::new(Code::LocalError, "Not of the form that MODE and STRU ask for"),
        Malformed::LineInRecord => Reply::new(Code::LocalError, "A record holds the octet that ends records here"),
        Malformed::Expansion => Reply::new(Code::NoSpace, "Too much would come of it"),
    }
}

/// The reply when the storage failed in the middle of a transfer (RFC 959 §5.4: 451, 552).
pub(super) fn while_transferring(error: StorageError) -> Reply {
    match error {
        StorageError::NoSpace => error.into(),
        // STOU, whose name was taken meanwhile.
        StorageError::Exists => to_be_written(error),
        _ => Reply::new(Code::LocalError, "Local error; transfer aborted"),
    }
}

/// The last reply of a session that the host ends.
pub(super) fn leaving(ending: Ending) -> Reply {
    let text = match ending {
        Ending::Idle => "Idle for too long; closing control connection",
        Ending::LoginTimeout => "Not logged in in time; closing control connection",
        Ending::LoginFailures => "Too many failed log-ins; closing control connection",
        Ending::Shutdown => "Server is shutting down; closing control connection",
    };
    Reply::new(Code::Leaving, text)
}
