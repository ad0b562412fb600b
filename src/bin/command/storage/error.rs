//! `wasi:filesystem`'s errors as storage errors.

use wasi::filesystem::types::ErrorCode;
use wasi_ftpd::env::StorageError;

pub(super) fn error(code: ErrorCode) -> StorageError {
    match code {
        // Links that go in circles lead nowhere.
        ErrorCode::NoEntry | ErrorCode::Loop => StorageError::NotFound,
        // NotPermitted is also the runtime's word for a path that leaves the directory.
        ErrorCode::Access | ErrorCode::NotPermitted | ErrorCode::ReadOnly | ErrorCode::CrossDevice => {
            StorageError::Denied
        }
        ErrorCode::Exist => StorageError::Exists,
        ErrorCode::NotDirectory => StorageError::NotDirectory,
        ErrorCode::IsDirectory | ErrorCode::NoDevice | ErrorCode::NoSuchDevice | ErrorCode::NoTty => {
            StorageError::NotFile
        }
        ErrorCode::NotEmpty => StorageError::NotEmpty,
        // Invalid also for a directory that would move into itself.
        ErrorCode::NameTooLong | ErrorCode::Invalid | ErrorCode::IllegalByteSequence => StorageError::BadName,
        ErrorCode::InsufficientSpace | ErrorCode::Quota | ErrorCode::FileTooLarge => StorageError::NoSpace,
        ErrorCode::Busy | ErrorCode::TextFileBusy | ErrorCode::WouldBlock => StorageError::Busy,
        ErrorCode::Unsupported | ErrorCode::Overflow => StorageError::Unsupported,
        ErrorCode::Already
        | ErrorCode::BadDescriptor
        | ErrorCode::Deadlock
        | ErrorCode::InProgress
        | ErrorCode::Interrupted
        | ErrorCode::InvalidSeek
        | ErrorCode::Io
        | ErrorCode::TooManyLinks
        | ErrorCode::MessageSize
        | ErrorCode::InsufficientMemory
        | ErrorCode::NoLock
        | ErrorCode::NotRecoverable
        | ErrorCode::Pipe => StorageError::Io,
    }
}
