"""Data ports: where data connections come from, and to whom they may go."""

import math
import select
import socket
import time

from binding import Resource
from control import address, from_wit, to_wit
from data import Connection
from streams import Source, polled


class Failed(Exception):
    """Why there is no data connection: an error of the WIT."""


class Interface:
    """Ports are for users only, and only so many."""

    def __init__(self, session):
        self._session = session

    def passive(self):
        return self._port(lambda: Passive(self._session.control))

    def active(self, to):
        return self._port(lambda: Active(self._session, *from_wit(to)))

    def _port(self, make):
        if self._session.user is None:
            return "refused"
        if len(self._session.ports) >= MAX_PORTS:
            return "no-port"
        try:
            return self._session.handles.own(Port(self._session, make()))
        except Failed as failed:
            return str(failed)


class Passive(Source):
    """A listener for one client, on the address that it reached us by."""

    def __init__(self, control):
        self._client = address(control.remote[0])
        self._due = time.monotonic() + CONNECT
        self._listener = socket.socket(control.family)
        try:
            self._listener.bind((control.local[0], 0, *control.local[2:]))
            self._listener.listen(BACKLOG)
        except OSError:
            self._listener.close()
            raise Failed("no-port") from None
        self._listener.setblocking(False)
        self.address = self._listener.getsockname()

    def open(self):
        pass

    def look(self):
        """The client's connection, once it is there. Strangers are turned away, and do not use the port up."""
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError as error:
                if time.monotonic() < self._due and isinstance(error, (BlockingIOError, ConnectionError)):
                    return None
                self.close()
                raise Failed("timeout") from None
            if address(peer[0]) == self._client:
                self.close()
                return connection
            connection.close()

    def interest(self):
        return [(self._listener, select.POLLIN)]

    def due(self):
        return self._due

    def close(self):
        self._listener.close()


class Active(Source):
    """A port of the client's: checked here, whatever the guest has checked, and no packet is sent before `open`."""

    def __init__(self, session, ip, port):
        remote, self._local = session.control.remote, session.control.local
        if ip != address(remote[0]) or port < FIRST_USER_PORT:
            session.log.warning("refused a data connection to %s port %s", ip, port)
            raise Failed("refused")
        # The peer's own address: it has the scope of a link-local one.
        self.address = (remote[0], port, *remote[2:])
        self._socket, self._due = None, math.inf

    def open(self):
        self._due = time.monotonic() + CONNECT
        # RFC 959 §5.2: from the port beside the control port; or from any, if that is not to be had.
        self._socket = self._connect(self._local[1] - 1) or self._connect(0)

    def _connect(self, port):
        connection = socket.socket(socket.AF_INET6 if ":" in self._local[0] else socket.AF_INET)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        connection.setblocking(False)
        try:
            connection.bind((self._local[0], port, *self._local[2:]))
            connection.connect(self.address)
        except BlockingIOError:
            pass
        except OSError:
            connection.close()
            return None
        return connection

    def look(self):
        """The connection, once it is there. Only after `open`."""
        if self._socket is None or polled(self._socket, select.POLLOUT):
            if self._socket is None or self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise Failed("unreachable")
            connection, self._socket = self._socket, None
            return connection
        if time.monotonic() >= self._due:
            raise Failed("timeout")
        return None

    def interest(self):
        return [(self._socket, select.POLLOUT)] if self._socket else []

    def due(self):
        return self._due

    def close(self):
        if self._socket:
            self._socket.close()


class Port(Resource, Source):
    """The next data connection."""

    def __init__(self, session, way):
        self._session, self._way = session, way
        self._opened, self._connection, self._error = False, None, None
        session.ports.add(self)

    def address(self):
        return to_wit(self._way.address)

    def open(self, protected):
        if self._opened:
            return
        self._opened = True
        self._session.busy.add(self)
        if protected:
            self._error = "tls"
        else:
            self._way.open()

    def tend(self):
        """Look whether the client has come, or will not any more."""
        if self._waits():
            try:
                self._connection = self._way.look()
            except Failed as failed:
                self._error = str(failed)

    def _waits(self):
        passive = isinstance(self._way, Passive)
        return self._connection is None and self._error is None and (passive or self._opened)

    def ready(self):
        self.tend()
        return self._opened and not self._waits()

    def interest(self):
        return self._way.interest() if self._waits() else []

    def due(self):
        return self._way.due() if self._waits() else math.inf

    def subscribe(self):
        return self._session.pollable(self)

    def finish(self):
        if not self.ready():
            return "pending"
        if self._connection is None:
            return self._error
        connection, self._connection, self._error = self._connection, None, "pending"
        return self._session.handles.own(Connection(self._session, connection))

    def close(self):
        self._session.ports.discard(self)
        self._session.busy.discard(self)
        self._way.close()
        if self._connection:
            self._connection.close()


CONNECT = 30
"""Seconds until a data connection must be there."""

BACKLOG = 64
"""Connections that may wait on a passive port until its session looks."""

FIRST_USER_PORT = 1024
"""Ports below are those of services (RFC 2577 §3)."""

MAX_PORTS = 3
"""Ports of a session: one, and those that it has not let go yet."""
