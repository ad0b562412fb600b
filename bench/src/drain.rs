//! Octets that nobody looks at, as cheap as they can be had and given.

use std::io::{self, Write};
use std::net::TcpStream;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

/// Take octets until the end; tell how many. With MSG_TRUNC the kernel drops them (tcp(7)), so that the server
/// is what is measured.
pub(crate) fn discard(stream: &TcpStream) -> Result<u64, Errno> {
    // Never written to, and so never in memory.
    let mut nothing: Vec<u8> = Vec::with_capacity(PIECE);
    let mut all = 0;
    loop {
        match recv(stream, nothing.spare_capacity_mut(), RecvFlags::TRUNC) {
            Ok((_, 0)) => return Ok(all),
            Ok((_, count)) => all += count as u64,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Give `length` octets of no meaning.
pub(crate) fn fill(mut stream: impl Write, length: u64) -> io::Result<()> {
    let mut left = length;
    while left > 0 {
        let now = usize::try_from(left).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
        stream.write_all(ZEROS.get(..now).unwrap_or_default())?;
        left -= now as u64;
    }
    Ok(())
}

/// Octets asked for at once.
const PIECE: usize = 4 << 20;

static ZEROS: [u8; 256 * 1024] = [0; 256 * 1024];
