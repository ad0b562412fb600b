"""The control connection."""

import ipaddress
import socket
from contextlib import suppress

from wasmtime.component import Record, Variant

from binding import Resource
from streams import Broken, InputStream, OutputStream, Source
from wire import Wire


class Control:
    """Its socket, and its ends."""

    def __init__(self, session, connection):
        # A reply must not wait for the acknowledgement of the one before; Telnet's urgent octet stays in its place.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.local, self.remote = connection.getsockname(), connection.getpeername()
        self.family = connection.family
        self.wire = Wire(session, connection, PERMIT)

    def close(self, last):
        """Say a last line and close, so that it arrives: unread octets would make the end a reset."""
        connection = self.wire.socket
        with suppress(Broken, OSError):
            self.wire.send(last)
            connection.shutdown(socket.SHUT_WR)
            for _ in range(MAX_UNREAD):
                if not self.wire.receive(READ):
                    break
        connection.close()


class Connection(Resource):
    """The guest's handle on it."""

    def __init__(self, session):
        self._session, self._control = session, session.control

    def input(self):
        return self._session.handles.own(InputStream(self._session, Input(self._session)))

    def output(self):
        return self._session.handles.own(OutputStream(self._session, self._control.wire.output))

    def local_address(self):
        return to_wit(self._control.local)

    def remote_address(self):
        return to_wit(self._control.remote)

    def tls_policy(self):
        return "off"

    def protection(self):
        return None

    def start_tls(self):
        return self._session.handles.own(Handshake(self._session))

    def may_stop_tls(self):
        return False

    def stop_tls(self):
        # There is nothing to stop; but whoever asks for it without leave is logged out.
        self._session.user = None

    def select_host(self, _name):
        return True

    def idle_limit(self):
        return self._session.idle_limits()

    def set_idle_limit(self, seconds):
        self._session.set_idle_limit(seconds)

    def ending(self):
        ending = self._session.ending
        ending.known = ending.reason is not None
        return ending.reason


class Input(Source):
    """What the client sends, and nothing while the session must first hear that it must end."""

    def __init__(self, session):
        self._ending, self._wire = session.ending, session.control.wire.input
        self.due, self.interest = self._wire.due, self._wire.interest

    def ready(self):
        return self._ending.is_news() or self._wire.ready()

    def receive(self, length):
        return b"" if self._ending.is_news() else self._wire.receive(length)


class Handshake(Resource, Source):
    """There is no TLS in this host: it has failed from the start."""

    def __init__(self, session):
        self._session = session

    def ready(self):
        return True

    def subscribe(self):
        return self._session.pollable(self)

    def finish(self):
        return Variant("some", None)


class Interface:
    def __init__(self, session):
        self._session = session

    def get_connection(self):
        return self._session.handles.own(Connection(self._session))


def address(host):
    """The address of a host as text; an IPv4-mapped one as what it is."""
    ip = ipaddress.ip_address(host.partition("%")[0])
    return getattr(ip, "ipv4_mapped", None) or ip


def to_wit(socket_address):
    """The guest's form of an address of Python's."""
    ip = address(socket_address[0])
    if ip.version == 4:
        wit = Variant("ipv4", tuple(ip.packed))
    else:
        wit = Variant("ipv6", tuple(int.from_bytes(ip.packed[at : at + 2]) for at in range(0, 16, 2)))
    return record(ip=wit, port=socket_address[1])


def from_wit(wit):
    """The address and the port that the guest means."""
    packed = bytes(wit.ip.payload) if wit.ip.tag == "ipv4" else b"".join(g.to_bytes(2) for g in wit.ip.payload)
    return ipaddress.ip_address(packed), wit.port


def record(**fields):
    """A record of the WIT."""
    made = Record()
    made.__dict__.update(fields)
    return made


PERMIT = 16 * 1024
"""Octets that the guest may write at once: what a client that does not read costs."""

READ = 4096
"""Octets of a piece."""

MAX_UNREAD = 16
"""Pieces of unread octets that are taken before closing."""
