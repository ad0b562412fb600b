//! Charsets, by their names in the WHATWG Encoding Standard, for environments that have no service for them. The
//! tables are large.

use encoding_rs::Encoding;

/// Text in a charset, if there is one of that name and it can write the text.
pub fn encode(charset: &str, text: &str) -> Option<Vec<u8>> {
    let (octets, _, lossy) = Encoding::for_label(charset.as_bytes())?.encode(text);
    (!lossy).then(|| octets.into_owned())
}

/// The text that octets in a charset are, if they are any.
pub fn decode(charset: &str, octets: &[u8]) -> Option<String> {
    let (text, lossy) = Encoding::for_label(charset.as_bytes())?.decode_without_bom_handling(octets);
    (!lossy).then(|| text.into_owned())
}
