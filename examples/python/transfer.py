"""Files on their way: octets go between file and socket, and never through the guest."""

import select

from wasmtime.component import Variant

from binding import Resource
from streams import Broken, Source
from database import Refused


class Transfer(Resource, Source):
    """It moves only while its session waits for it."""

    def __init__(self, session, wire, file, step):
        self._session, self._wire, self._file, self._step = session, wire, file.hold(), step
        self._count, self._result = 0, None
        self.due = wire.due

    def subscribe(self):
        return self._session.pollable(self)

    def count(self):
        return self._count

    def finish(self):
        return self._result if self.ready() else Variant("connection", "pending")

    def interest(self):
        return [(self._wire.socket, self._step.events)]

    def ready(self):
        try:
            # After so many, the session looks after its client.
            for _ in range(STEPS):
                if self._result is not None:
                    break
                moved = self._step.move()
                if moved is None:
                    self._result = self._count
                elif moved == 0:
                    break
                else:
                    self._count += moved
        except Broken:
            self._result = Variant("connection", self._wire.error)
        except Refused as refused:
            self._result = Variant("storage", str(refused))
        return self._result is not None

    def close(self):
        self._file.close()


class Sending:
    """Out of a file: at most `length` octets from `offset`."""

    events = select.POLLOUT

    def __init__(self, wire, file, offset, length):
        self._wire, self._file, self._offset, self._left = wire, file, offset, length
        self._piece = b""

    def move(self):
        """Octets moved, none if the client takes none now, `None` at the end."""
        if not self._piece:
            self._piece = self._file.read(self._offset, min(self._left, PIECE))
            self._offset += len(self._piece)
            self._left -= len(self._piece)
            if not self._piece:
                return None
        sent = self._wire.offer(self._piece)
        self._piece = self._piece[sent:]
        return sent


class Receiving:
    """Into a file."""

    events = select.POLLIN

    def __init__(self, wire, file):
        self._wire, self._file = wire, file

    def move(self):
        """The same of what the client gives."""
        octets = self._wire.receive(PIECE)
        if octets is None:
            return None
        self._file.write(octets)
        return len(octets)


PIECE = 64 * 1024
"""Octets that are moved at once."""

STEPS = 16
"""Pieces until the session looks whether its client says something."""
