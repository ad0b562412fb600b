//! Charsets of pathnames.

use encoding_rs::Encoding;

use crate::bindings::ftpd::server::charsets::Host;
use crate::session::SessionCtx;

impl Host for SessionCtx {
    fn encode(&mut self, charset: String, text: String) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(find(&charset).and_then(|encoding| {
            let (octets, _, lossy) = encoding.encode(&text);
            (!lossy).then(|| octets.into_owned())
        }))
    }

    fn decode(&mut self, charset: String, octets: Vec<u8>) -> wasmtime::Result<Option<String>> {
        Ok(find(&charset).and_then(|encoding| {
            let (text, lossy) = encoding.decode_without_bom_handling(&octets);
            (!lossy).then(|| text.into_owned())
        }))
    }
}

/// The charset of that name. `None` too if an ASCII octet could mean something else in it, since commands and
/// slashes are ASCII.
fn find(name: &str) -> Option<&'static Encoding> {
    Encoding::for_label(name.as_bytes()).filter(|encoding| encoding.is_ascii_compatible())
}
