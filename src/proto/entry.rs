//! What a directory holds: the plain facts that listings are made of.

/// What an entry is, after links inside the volume were followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A plain file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link that leads nowhere inside the volume.
    Link,
    /// A device, a socket, a pipe.
    Other,
}

/// A moment, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds since 1970-01-01T00:00:00Z, before it if negative.
    pub seconds: i64,
    /// Nanoseconds after that second.
    pub nanoseconds: u32,
}

/// The attributes of a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// What it is.
    pub kind: Kind,
    /// Octets; of a directory, what the storage says.
    pub size: u64,
    /// Last change of the contents.
    pub modified: Time,
    /// When it was made, if the storage knows.
    pub created: Option<Time>,
    /// Mode and owner, if the storage knows of such.
    pub unix: Option<Unix>,
    /// Hard links.
    pub links: u64,
    /// Equal for two names of one file, and for nothing else.
    pub unique: (u64, u64),
}

/// Attributes that only Unix has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unix {
    /// The lower twelve bits of the mode.
    pub mode: u32,
    /// Numeric user.
    pub owner: u32,
    /// Numeric group.
    pub group: u32,
}

impl Unix {
    /// What is shown where there is none.
    pub fn usual(kind: Kind) -> Self {
        let mode = match kind {
            Kind::File | Kind::Other => 0o644,
            Kind::Directory => 0o755,
            Kind::Link => 0o777,
        };
        Self { mode, owner: 0, group: 0 }
    }
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The last part of its path: any octet but NUL and `/`.
    pub name: Vec<u8>,
    /// Its attributes.
    pub attributes: Attributes,
}

/// What a user may do in a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// List directories and see attributes.
    pub list: bool,
    /// Read files.
    pub read: bool,
    /// Write files, new or not.
    pub write: bool,
    /// Remove files.
    pub delete: bool,
    /// Rename files and directories.
    pub rename: bool,
    /// Make directories.
    pub make_directory: bool,
    /// Remove directories.
    pub remove_directory: bool,
    /// Change times and modes.
    pub set_attributes: bool,
    /// Change the time of creation.
    pub set_created: bool,
}

impl Permissions {
    /// Everything.
    pub const ALL: Self = Self {
        list: true,
        read: true,
        write: true,
        delete: true,
        rename: true,
        make_directory: true,
        remove_directory: true,
        set_attributes: true,
        set_created: true,
    };

    /// Look and read, change nothing.
    pub const READ_ONLY: Self = Self {
        list: true,
        read: true,
        write: false,
        delete: false,
        rename: false,
        make_directory: false,
        remove_directory: false,
        set_attributes: false,
        set_created: false,
    };
}
