"""Data connections."""

import socket
import struct

from binding import Resource
from streams import Broken, InputStream, OutputStream
from transfer import Receiving, Sending, Transfer
from wire import Wire


class Connection(Resource):
    """An open data connection."""

    def __init__(self, session, connection):
        self._session, self._finished = session, False
        self._wire = Wire(session, connection, PERMIT, STALL)
        session.busy.add(self)

    def input(self):
        return self._session.handles.own(InputStream(self._session, self._wire.input))

    def output(self):
        return self._session.handles.own(OutputStream(self._session, self._wire.output))

    def send_file(self, file, offset, length):
        return self._transfer(file, Sending(self._wire, file.file, offset, length))

    def receive_file(self, file):
        return self._transfer(file, Receiving(self._wire, file.file))

    def _transfer(self, file, step):
        return self._session.handles.own(Transfer(self._session, self._wire, file.file, step))

    def finish(self):
        """Close in good order: all was sent, and the client has not gone."""
        wire = self._wire
        try:
            if not wire.relieve():
                return "pending"
            wire.attempt(wire.socket.shutdown, socket.SHUT_WR)
        except Broken:
            return wire.error
        if wire.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return "broken"
        self._finished = True
        return None

    def close(self):
        self._session.busy.discard(self)
        if not self._finished:
            # Reset, so that the client does not take a part for the whole.
            self._wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._wire.socket.close()


PERMIT = 64 * 1024
"""Octets that the guest may write at once."""

STALL = 120
"""Seconds that a data connection may stand still."""
