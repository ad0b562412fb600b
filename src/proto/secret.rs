//! A password on its way to the host.

use std::fmt;

/// Octets that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Keep `octets` out of logs.
    pub fn new(octets: Vec<u8>) -> Self {
        Self(octets)
    }

    /// The octets, for those who check them.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
