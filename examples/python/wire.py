"""The octets on a TCP connection."""

import math
import select
import time

from streams import Broken, Source, polled


class Wire:
    """A socket, what was written and the client has not taken, and why it can be used no more. `permit`: octets that
    may be written at once; `stall`: seconds that it may stand still."""

    def __init__(self, session, socket, permit, stall=math.inf):
        self.socket, self.permit, self.error = socket, permit, None
        self._session, self._stall, self._moved = session, stall, time.monotonic()
        self._backlog = b""
        socket.setblocking(False)
        self.input, self.output = Input(self), Output(self)

    def due(self):
        return self._moved + self._stall

    def over(self):
        """Whether there has been an error."""
        if time.monotonic() >= self.due():
            self.error = self.error or "timeout"
        return self.error is not None

    def receive(self, length):
        """Octets, none if there are none now, `None` at the end."""
        octets = self.attempt(self.socket.recv, min(length, PIECE))
        return b"" if octets is None else octets or None

    def offer(self, octets):
        """How many of these the client takes now."""
        return self.attempt(self.socket.send, octets) or 0

    def send(self, octets):
        self._backlog += octets
        self.relieve()

    def owes(self):
        """Whether something that was sent has not left."""
        return bool(self._backlog)

    def relieve(self):
        """Send what is left; false while something still is."""
        if self.over():
            raise Broken
        while self._backlog:
            sent = self.offer(self._backlog)
            if not sent:
                return False
            self._backlog = self._backlog[sent:]
        return True

    def attempt(self, call, argument):
        """What came of a call of the socket's; `None` if it would have to wait."""
        if self.over():
            raise Broken
        try:
            done = call(argument)
        except BlockingIOError:
            return None
        except OSError:
            self.error = "broken"
            raise Broken from None
        self._moved = time.monotonic()
        self._session.moved()
        return done


class Input(Source):
    """Of what comes."""

    def __init__(self, wire):
        self._wire = wire
        self.receive, self.due = wire.receive, wire.due

    def ready(self):
        return self._wire.over() or polled(self._wire.socket, select.POLLIN)

    def interest(self):
        return [(self._wire.socket, select.POLLIN)]


class Output(Source):
    """Of what goes."""

    def __init__(self, wire):
        self._wire = wire
        self.permit, self.due, self.send, self.owes, self.relieve = (
            wire.permit,
            wire.due,
            wire.send,
            wire.owes,
            wire.relieve,
        )

    def ready(self):
        try:
            return self.relieve()
        except Broken:
            return True

    def interest(self):
        return [(self._wire.socket, select.POLLOUT)] if self.owes() else []


PIECE = 64 * 1024
"""Octets that are read at once."""
