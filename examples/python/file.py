"""Open files of the tree, each with a connection to the database of its own."""

import time
from contextlib import suppress

from database import Refused


class File:
    """It lives until everybody who holds it has closed it."""

    def __init__(self, database, node):
        self._connection, self._node = database.connect(), node
        self._holders = 1

    def hold(self):
        """One more holds it."""
        self._holders += 1
        return self

    def close(self):
        self._holders -= 1
        if self._holders == 0:
            with suppress(Refused):
                self._let_go()
            self._connection.close()

    def _let_go(self):
        pass

    def _stored(self):
        """Octets that the node has."""
        found = self._connection.one("SELECT size FROM node WHERE id = ?", self._node)
        if found is None:
            raise Refused("not-found")
        return found["size"]

    def _piece(self, number):
        found = self._connection.one("SELECT octets FROM piece WHERE node = ? AND number = ?", self._node, number)
        return found["octets"] if found else b""

    def finish(self):
        """Everything is written."""

    def read(self, _offset, _length):
        raise Refused("denied")

    def write(self, _octets):
        raise Refused("denied")


class Reading(File):
    """As the file is now, whatever becomes of it."""

    def __init__(self, database, node):
        super().__init__(database, node)
        # What is read in a transaction is of one moment.
        self._connection.execute("BEGIN")
        self.size = self._stored()

    def read(self, offset, length):
        """At most `length` octets; none at the end."""
        number, skip = divmod(offset, PIECE)
        return self._piece(number)[skip : skip + length]


class Writing(File):
    """Into a node, behind the octets that it has."""

    def __init__(self, database, node):
        super().__init__(database, node)
        self._left = self._connection.space()
        self._number, self._tail = 0, b""

    @property
    def size(self):
        return self._number * PIECE + len(self._tail)

    def write(self, octets):
        """Behind those written before."""
        if len(octets) > self._left:
            raise Refused("no-space")
        self._left -= len(octets)
        self._tail += octets
        if len(self._tail) >= PIECE:
            with self._connection.transaction():
                self._store()

    def _store(self):
        """Write whole pieces, and the last as far as it goes. What lay behind goes."""
        self._connection.execute("DELETE FROM piece WHERE node = ? AND number >= ?", [self._node, self._number])
        pieces = [self._tail[at : at + PIECE] for at in range(0, len(self._tail), PIECE)]
        for number, octets in enumerate(pieces, self._number):
            self._connection.execute("INSERT INTO piece VALUES (?, ?, ?)", [self._node, number, octets])
        row = [self.size, time.time_ns(), self._node]
        self._connection.execute("UPDATE node SET size = ?, modified = ? WHERE id = ?", row)
        whole = len(self._tail) // PIECE
        self._number, self._tail = self._number + whole, self._tail[whole * PIECE :]


class New(Writing):
    """One that nobody sees before it is finished, and which then has a name."""

    def __init__(self, database, parent, name, exclusive, mode):
        connection = database.connect()
        super().__init__(database, connection.insert(None, None, False, mode))
        connection.close()
        self._parent, self._name, self._exclusive, self._finished = parent, name, exclusive, False

    def finish(self):
        if self._finished:
            return
        with self._connection.transaction():
            self._store()
            self._take()
        self._finished = True

    def _take(self):
        """Take the name, and the mode of whoever had it."""
        there = self._connection.child(self._parent, self._name)
        if there:
            if self._exclusive or there["directory"]:
                raise Refused("exists" if self._exclusive else "not-file")
            self._connection.delete(there["id"])
            self._connection.execute("UPDATE node SET mode = ? WHERE id = ?", [there["mode"], self._node])
        name = [self._parent, self._name, self._node]
        self._connection.execute("UPDATE node SET parent = ?, name = ? WHERE id = ?", name)

    def _let_go(self):
        if not self._finished:
            self._connection.delete(self._node)


class InPlace(Writing):
    """One that everybody sees, and nobody else writes; from an offset, or, `None`, from its end."""

    def __init__(self, database, node, offset):
        super().__init__(database, node)
        self._database = database
        database.begin_writing(node)
        try:
            size = self._stored()
            if offset is not None and offset > size:
                raise Refused("bad-offset")
            self._number, skip = divmod(size if offset is None else offset, PIECE)
            self._tail = self._piece(self._number)[:skip]
        except Refused:
            database.end_writing(node)
            raise

    def finish(self):
        with self._connection.transaction():
            self._store()

    def _let_go(self):
        try:
            self.finish()
        finally:
            self._database.end_writing(self._node)


PIECE = 64 * 1024
"""Octets of a row."""
