//! Binding sockets, with errors that say what to do.

use std::io;
use std::iter;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result, anyhow};
use log::debug;
use rustix::net::sockopt;
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::{ActivePort, Config};

/// A listener for control connections, after a look at the port that goes with it for active data
/// connections.
pub(crate) fn control(address: SocketAddr, config: &Config) -> Result<StdListener> {
    let listener = listener(address, CONTROL_BACKLOG).map_err(|error| explain(&error, address))?;
    let listener = given(listener)?;
    // From now on and not before: another program that has the port is found out.
    sockopt::set_socket_reuseport(&listener, true)?;
    let bound = listener.local_addr()?;
    if let Some(port) = active_port(config.active_port, bound.port()) {
        try_active(SocketAddr::new(bound.ip(), port), config.active_port)?;
    }
    Ok(listener)
}

/// A socket that listens, made ready for control connections, which have these from their listener.
pub(crate) fn given(listener: StdListener) -> io::Result<StdListener> {
    listener.set_nonblocking(true)?;
    // A reply must not wait for the acknowledgement of the one before.
    sockopt::set_tcp_nodelay(&listener, true)?;
    // Telnet's urgent octet (IAC DM before ABOR, RFC 959 §4.1.3) stays in its place.
    sockopt::set_socket_oobinline(&listener, true)?;
    // A client that lost power is noticed at last.
    sockopt::set_socket_keepalive(&listener, true)?;
    Ok(listener)
}

/// This listener and, if it may have others beside it (SO_REUSEPORT), one for each of the other processors: each for the
/// connections whose packets arrive on its own (socket(7), SO_INCOMING_CPU; before Linux 6.2, for any).
pub(crate) fn on_each(first: StdListener, processors: &[u32]) -> Vec<StdListener> {
    let may = sockopt::socket_reuseport(&first).unwrap_or(false);
    let others: io::Result<Vec<_>> = processors.iter().skip(1).filter(|_| may).map(|_| another(&first)).collect();
    let others = others.unwrap_or_else(|error| {
        debug!("one listener for all processors: {error}");
        Vec::new()
    });
    let all: Vec<_> = iter::once(first).chain(others).collect();
    for (listener, &processor) in all.iter().zip(processors) {
        // Without it, it is only slower.
        let _ = sockopt::set_socket_incoming_cpu(listener, processor);
    }
    all
}

/// Another listener of the same address.
fn another(first: &StdListener) -> io::Result<StdListener> {
    let address = first.local_addr()?;
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    given(listening(socket, address, CONTROL_BACKLOG)?)
}

/// A socket that listens on `address`, and does not block.
pub(crate) fn listener(address: SocketAddr, backlog: i32) -> io::Result<StdListener> {
    listening(socket(address)?, address, backlog)
}

fn listening(socket: Socket, address: SocketAddr, backlog: i32) -> io::Result<StdListener> {
    if address.is_ipv6() {
        // IPv4 has listeners of its own: no mapped addresses, no surprises.
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// A socket of our own, bound to nothing yet. Addresses in TIME_WAIT do not keep it from a port.
pub(crate) fn socket(like: SocketAddr) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(like), kind, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

/// Bound to an address and no port, it gets one when it connects: then the kernel knows for whom, and need not look for
/// one that nobody has used for a while, which takes long when many are in TIME_WAIT.
pub(crate) fn choose_late(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the value is an int, as ip(7) has it, and lives until the call is over; the descriptor is the socket's.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The local port of active data connections; `None`: any (RFC 959 §5.2: the one below the control port).
pub(crate) fn active_port(configured: ActivePort, control: u16) -> Option<u16> {
    match configured {
        ActivePort::BesideControl => control.checked_sub(1).filter(|&port| port != 0),
        ActivePort::Fixed(port) => Some(port),
        ActivePort::Any => None,
    }
}

/// A port that only a privileged process may bind must be found out now, not at the first transfer. One
/// that is in use may be free by then, unless it was asked for.
fn try_active(address: SocketAddr, configured: ActivePort) -> Result<()> {
    let bound = socket(address).and_then(|socket| socket.bind(&address.into()));
    match bound {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(anyhow!(
            "port {} for active data connections needs the right to bind ports below 1024; run as root or with \
             CAP_NET_BIND_SERVICE, or use --active-port 0",
            address.port()
        )),
        Err(error) if matches!(configured, ActivePort::Fixed(_)) => Err(error)
            .with_context(|| format!("cannot use port {} for active data connections (--active-port)", address.port())),
        _ => Ok(()),
    }
}

fn explain(error: &io::Error, address: SocketAddr) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied => anyhow!(
            "cannot listen on {address}: ports below 1024 need root or CAP_NET_BIND_SERVICE (sudo setcap \
             cap_net_bind_service=+ep wasi-ftpd), or use a port above, such as --listen {}:2121",
            ip_text(address)
        ),
        io::ErrorKind::AddrInUse => anyhow!(
            "cannot listen on {address}: another program has that port; stop it or choose another with --listen"
        ),
        io::ErrorKind::AddrNotAvailable => {
            anyhow!("cannot listen on {address}: this machine has no such address; --listen takes one of its own")
        }
        _ => anyhow!("cannot listen on {address}: {error}"),
    }
}

fn ip_text(address: SocketAddr) -> String {
    if address.is_ipv6() { format!("[{}]", address.ip()) } else { address.ip().to_string() }
}

/// Clients that may wait to be accepted: a flood of log-ins at the start of a shift.
const CONTROL_BACKLOG: i32 = 1024;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};
    use std::thread;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    use super::*;

    fn own() -> StdListener {
        control((Ipv4Addr::LOCALHOST, 0).into(), &Config { active_port: ActivePort::Any, ..Config::default() }).unwrap()
    }

    #[test]
    fn a_connection_comes_to_the_listener_of_its_processor_and_to_no_other_program() {
        let before = sched_getaffinity(None).unwrap();
        let numbers: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&number| before.is_set(number)).collect();
        let processors: Vec<u32> = numbers.iter().map(|&number| number.try_into().unwrap()).collect();
        let all = on_each(own(), &processors);
        assert_eq!(all.len(), numbers.len());
        let address = all.first().unwrap().local_addr().unwrap();
        assert_eq!(listener(address, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        for (at, number) in numbers.into_iter().enumerate() {
            let mut only = CpuSet::new();
            only.set(number);
            sched_setaffinity(None, &only).unwrap();
            for _ in 0..20 {
                let _client = TcpStream::connect(address).unwrap();
                // The kernel may be late with the last packet.
                let came = loop {
                    if let Some(at) = all.iter().position(|listener| listener.accept().is_ok()) {
                        break at;
                    }
                    thread::yield_now();
                };
                assert_eq!(came, at);
            }
        }
        sched_setaffinity(None, &before).unwrap();
    }

    #[test]
    fn what_was_given_is_alone() {
        let listener = given(StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).unwrap();
        assert_eq!(on_each(listener, &[0, 0]).len(), 1);
    }
}
