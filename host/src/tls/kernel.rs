//! TLS that the kernel makes, where it has it (Documentation/networking/tls.rst of Linux): octets are encrypted on their
//! way from the page cache to the socket, and never come into this process.
//!
//! Only of TLS 1.3 with AES-GCM, and only what is sent: nothing can be received any more.

use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::LazyLock;
use std::time::Duration;

use log::info;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustls::{CipherSuite, ConnectionTrafficSecrets};
use socket2::{MsgHdr, SockRef};
use tokio::io::Interest;
use zeroize::Zeroizing;

use crate::socket::Stream;

/// Whether the kernel can do a suite of TLS 1.3, which is found out once, by trying.
pub(super) fn can(suite: CipherSuite) -> bool {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => ABLE.0,
        CipherSuite::TLS13_AES_256_GCM_SHA384 => ABLE.1,
        _ => false,
    }
}

static ABLE: LazyLock<(bool, bool)> = LazyLock::new(|| {
    let able = |cipher, key: &[u8]| try_here(&Parameters::new(cipher, key, &[0; 12], 0)).is_ok();
    let able = (able(libc::TLS_CIPHER_AES_GCM_128, &[0; 16]), able(libc::TLS_CIPHER_AES_GCM_256, &[0; 32]));
    info!("large downloads are encrypted by {}", if able == (false, false) { "this process" } else { "the kernel" });
    able
});

fn try_here(parameters: &Parameters) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let socket = TcpStream::connect_timeout(&listener.local_addr()?, PATIENCE)?;
    attach(&socket)?;
    parameters.set(socket.as_fd())
}

/// Prepare a connection, which nothing is changed by. Error ENOTCONN if the client has said its last word.
pub(crate) fn attach(socket: impl AsFd) -> io::Result<()> {
    set_option(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_ULP, b"tls")
}

/// Let the kernel protect what is sent from now on, with these secrets, from that record on. Only if it is
/// attached.
pub(super) fn take_over(socket: &Stream, (record, secrets): &(u64, ConnectionTrafficSecrets)) -> io::Result<()> {
    let parameters = match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv } => {
            Parameters::new(libc::TLS_CIPHER_AES_GCM_128, key.as_ref(), iv.as_ref(), *record)
        }
        ConnectionTrafficSecrets::Aes256Gcm { key, iv } => {
            Parameters::new(libc::TLS_CIPHER_AES_GCM_256, key.as_ref(), iv.as_ref(), *record)
        }
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    parameters.set(socket.as_fd())
}

/// `struct tls12_crypto_info_aes_gcm_128`, or `_256`, of linux/tls.h.
struct Parameters(Zeroizing<Vec<u8>>);

impl Parameters {
    /// `iv`: of 12 octets, of which the kernel calls the first four salt.
    fn new(cipher: u16, key: &[u8], iv: &[u8], record: u64) -> Self {
        let (salt, iv) = iv.split_at_checked(libc::TLS_CIPHER_AES_GCM_128_SALT_SIZE).unwrap_or_default();
        let (version, cipher) = (libc::TLS_1_3_VERSION.to_ne_bytes(), cipher.to_ne_bytes());
        Self(Zeroizing::new([&version[..], &cipher, iv, key, salt, &record.to_be_bytes()].concat()))
    }

    fn set(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        set_option(socket, libc::SOL_TLS, libc::TLS_TX, &self.0)
    }
}

fn set_option(socket: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: &[u8]) -> io::Result<()> {
    let length = libc::socklen_t::try_from(value.len()).map_err(io::Error::other)?;
    // SAFETY: setsockopt(2) reads `length` octets of the value, which are there until it is over; the socket is open.
    let set = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value.as_ptr().cast(), length) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Say that nothing will follow; false, and not said, while the socket takes nothing.
pub(crate) fn close(socket: &Stream) -> io::Result<bool> {
    // `struct cmsghdr`, and an octet that belongs to it.
    let length = size_of::<libc::cmsghdr>() + size_of_val(&ALERT);
    let (level, name) = (libc::SOL_TLS.to_ne_bytes(), libc::TLS_SET_RECORD_TYPE.to_ne_bytes());
    let record_type = [&length.to_ne_bytes()[..], &level, &name, &[ALERT, 0, 0, 0, 0, 0, 0, 0]].concat();
    let octets = [IoSlice::new(&CLOSE_NOTIFY)];
    let message = MsgHdr::new().with_buffers(&octets).with_control(&record_type);
    let said = socket.attempt(Interest::WRITABLE, || {
        // The kernel takes a record for sent that it could not send, and forgets it with the connection. There is room for
        // the last ones where a socket says that there is: a third of its buffer.
        let mut writable = [PollFd::new(socket, PollFlags::OUT)];
        if retry_on_intr(|| poll(&mut writable, Some(&Timespec::default())))? == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        SockRef::from(socket).sendmsg(&message, libc::MSG_NOSIGNAL)
    });
    match said {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        said => said.map(|_| true),
    }
}

/// RFC 8446 §5.1.
const ALERT: u8 = 21;

/// RFC 8446 §6.1, with the level that it always has.
const CLOSE_NOTIFY: [u8; 2] = [1, 0];

/// How long a connection to this very machine may take.
const PATIENCE: Duration = Duration::from_millis(100);
