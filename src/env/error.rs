//! What can go wrong outside, by whose fault it is. Flat; turned into replies in `session/error.rs`.

/// The client cannot be reached any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Why there is no grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Wrong name or password; it is not told which.
    Denied,
    /// Not over a connection that is not protected.
    Unprotected,
    /// The accounts cannot be asked at the moment.
    Unavailable,
}

/// Why a session must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing happened for too long.
    Idle,
    /// Nobody logged in for too long.
    LoginTimeout,
    /// Too many log-ins failed.
    LoginFailures,
    /// The server is being stopped.
    Shutdown,
}

/// Why there is no data connection, or none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataError {
    /// Forbidden: not the client's address, or a port below 1024.
    Refused,
    /// No local port is free.
    NoPort,
    /// The client could not be reached.
    Unreachable,
    /// The other side did nothing for too long.
    Timeout,
    /// The other side closed it, or the network broke it.
    Broken,
    /// Forbidden as long as it is not protected.
    Unprotected,
    /// It could not be protected, or is not bound to the control connection.
    Tls,
    /// The other side closed it without saying that this was the end.
    Truncated,
}

/// Why the storage did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageError {
    /// No such file or directory.
    NotFound,
    /// Permissions forbid it, or the path would leave the volume.
    Denied,
    /// There is something of that name already.
    Exists,
    /// A part of the path is not a directory.
    NotDirectory,
    /// A directory where a file is needed, or a thing that is neither.
    NotFile,
    /// The directory has entries.
    NotEmpty,
    /// Not a name that this storage can have.
    BadName,
    /// The disk or the quota is full.
    NoSpace,
    /// The offset is beyond the end of the file.
    BadOffset,
    /// In use by somebody else.
    Busy,
    /// This storage cannot do it at all.
    Unsupported,
    /// The medium failed.
    Io,
}

/// Whose fault it is that a transfer failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferError {
    /// The data connection's.
    Data(DataError),
    /// The storage's.
    Storage(StorageError),
}

impl From<DataError> for TransferError {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

impl From<StorageError> for TransferError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}
