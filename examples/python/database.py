"""The tables of the tree, in a file of SQLite's, which this process has to itself."""

import logging
import sqlite3
import threading
import time
from contextlib import contextmanager

SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS node (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    parent INTEGER REFERENCES node,
    name BLOB,
    directory INTEGER NOT NULL,
    size INTEGER NOT NULL DEFAULT 0,
    modified INTEGER NOT NULL,
    created INTEGER NOT NULL,
    mode INTEGER NOT NULL,
    UNIQUE (parent, name)
);
CREATE TABLE IF NOT EXISTS piece (
    node INTEGER NOT NULL REFERENCES node ON DELETE CASCADE,
    number INTEGER NOT NULL,
    octets BLOB NOT NULL,
    PRIMARY KEY (node, number)
);
INSERT OR IGNORE INTO node VALUES (1, NULL, NULL, 1, 0, unixepoch() * 1000000000, unixepoch() * 1000000000, 493);
DELETE FROM node WHERE parent IS NULL AND id <> 1;
"""
"""Times are in nanoseconds. A node without a parent is the root, or was not finished when a server was killed."""


class Refused(Exception):
    """What the storage does not do: an error of the WIT's `storage`."""


class Database:
    """The file, and which of its nodes are being written in their place."""

    def __init__(self, path):
        self._path = path
        self._writing, self._lock = set(), threading.Lock()
        connection = self.connect()
        connection.executescript(SCHEMA)
        connection.close()

    def connect(self):
        """A connection, for one thread."""
        return sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None, factory=Connection)

    def begin_writing(self, node):
        """Alone, or not at all."""
        with self._lock:
            if node in self._writing:
                raise Refused("busy")
            self._writing.add(node)

    def end_writing(self, node):
        with self._lock:
            self._writing.discard(node)


class Connection(sqlite3.Connection):
    """One whose failures are refusals."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.row_factory = sqlite3.Row
        self.execute("PRAGMA foreign_keys = ON")
        self.execute("PRAGMA synchronous = NORMAL")

    def execute(self, statement, values=()):
        try:
            return super().execute(statement, values)
        except sqlite3.Error as error:
            logging.getLogger("database").error("%s", error)
            raise Refused("no-space" if "full" in str(error) else "io") from None

    def one(self, statement, *values):
        """The row, if there is one."""
        return self.execute(statement, values).fetchone()

    @contextmanager
    def transaction(self):
        """All of it or nothing."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        finally:
            if self.in_transaction:
                self.rollback()

    def insert(self, parent, name, directory, mode):
        """A new node: its number."""
        now = time.time_ns()
        columns = "parent, name, directory, modified, created, mode"
        statement = f"INSERT INTO node ({columns}) VALUES (?, ?, ?, ?, ?, ?)"
        return self.execute(statement, [parent, name, directory, now, now, mode]).lastrowid

    def child(self, directory, name):
        """What has that name in a directory, if anything."""
        return self.one("SELECT * FROM node WHERE parent = ? AND name = ?", directory, name)

    def delete(self, node):
        """A node, and its octets."""
        self.execute("DELETE FROM node WHERE id = ?", [node])

    def space(self):
        """Octets that may still be written."""
        return max(0, QUOTA - int(self.one("SELECT TOTAL(size) AS total FROM node")["total"]))


PATIENCE = 10
"""Seconds to wait for another thread that writes."""

QUOTA = 1024 * 1024 * 1024
"""Octets of all files."""
