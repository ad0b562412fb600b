"""A tree of files in SQLite: what the volumes of this host are. Nothing here knows of WebAssembly, or of FTP."""

from database import Refused
from file import InPlace, New, Reading


class Tree:
    """For one thread. Each method takes absolute, normalised paths, and refuses others."""

    def __init__(self, database):
        self._database = database
        self._connection = database.connect()

    def close(self):
        self._connection.close()

    def stat(self, path):
        """The node, a row of the table."""
        node = self._connection.one("SELECT * FROM node WHERE id = 1")
        for name in parts(path):
            if not node["directory"]:
                raise Refused("not-directory")
            node = self._connection.child(node["id"], name)
            if node is None:
                raise Refused("not-found")
        return node

    def list(self, path):
        """What is in a directory."""
        directory = self.stat(path)
        if not directory["directory"]:
            raise Refused("not-directory")
        return Listing(self._database.connect(), directory["id"])

    def open(self, path, access, offset, umask):
        """A file, for what the WIT's `access` says. `offset` is of `resume` alone, and else 0."""
        parent, name = self._parent(path, "not-file")
        node = self._connection.child(parent["id"], name)
        if node and (node["directory"] or access == "create"):
            raise Refused("exists" if access == "create" else "not-file")
        if access == "read":
            if node is None:
                raise Refused("not-found")
            return Reading(self._database, node["id"])
        if node and (access == "append" or offset > 0):
            return InPlace(self._database, node["id"], None if access == "append" else offset)
        if offset > 0:
            raise Refused("bad-offset")
        return New(self._database, parent["id"], name, access == "create", 0o666 & ~umask)

    def remove_file(self, path):
        with self._connection.transaction():
            node = self.stat(path)
            if node["directory"]:
                raise Refused("not-file")
            self._connection.delete(node["id"])

    def make_directory(self, path, umask):
        with self._connection.transaction():
            parent, name = self._parent(path, "exists")
            if self._connection.child(parent["id"], name):
                raise Refused("exists")
            self._connection.insert(parent["id"], name, True, 0o777 & ~umask)

    def remove_directory(self, path):
        with self._connection.transaction():
            node = self.stat(path)
            if not node["directory"]:
                raise Refused("not-directory")
            if node["parent"] is None:
                raise Refused("denied")
            if self._connection.one("SELECT 1 FROM node WHERE parent = ?", node["id"]):
                raise Refused("not-empty")
            self._connection.delete(node["id"])

    def rename(self, old, new):
        with self._connection.transaction():
            node = self.stat(old)
            if node["parent"] is None:
                raise Refused("denied")
            parent, name = self._parent(new, "exists")
            if new.startswith(old + b"/"):
                raise Refused("bad-name")
            there = self._connection.child(parent["id"], name)
            if there and there["id"] != node["id"]:
                if there["directory"] or node["directory"]:
                    raise Refused("exists")
                self._connection.delete(there["id"])
            self._connection.execute(
                "UPDATE node SET parent = ?, name = ? WHERE id = ?", [parent["id"], name, node["id"]]
            )

    def change(self, path, **values):
        """Set `modified`, `created` or `mode`."""
        with self._connection.transaction():
            node = self.stat(path)
            for column, value in values.items():
                self._connection.execute(f"UPDATE node SET {column} = ? WHERE id = ?", [value, node["id"]])

    def space(self):
        """Octets that may still be written."""
        return self._connection.space()

    def _parent(self, path, of_root):
        """The directory that a path is in, and its last part; of the root, an error."""
        names = parts(path)
        if not names:
            raise Refused(of_root)
        parent = self.stat(b"/" + b"/".join(names[:-1]))
        if not parent["directory"]:
            raise Refused("not-directory")
        return parent, names[-1]


class Listing:
    """What is in a directory now, whatever becomes of it: hence a connection of its own."""

    def __init__(self, connection, directory):
        self._connection = connection
        self._nodes = connection.execute("SELECT * FROM node WHERE parent = ?", [directory])

    def next(self):
        """The next nodes, rows of the table; none at the end."""
        return self._nodes.fetchmany(BATCH)

    def close(self):
        self._connection.close()


def parts(path):
    """The names in a path; `bad-name` if it is not absolute and normalised."""
    if path == b"/":
        return []
    first, *names = path.split(b"/")
    if first or b"\0" in path or any(not name or name in (b".", b"..") or len(name) > MAX_NAME for name in names):
        raise Refused("bad-name")
    return names


BATCH = 100
"""Entries of a directory that are given at once."""

MAX_NAME = 255
"""Octets of a name."""
