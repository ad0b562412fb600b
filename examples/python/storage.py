"""Storage, as the guest has it: the tree's nodes as records, and its refusals as errors."""

from binding import Resource
from control import record
from database import Refused
from tree import Tree
from work import Copying, Summing, Work


def answered(method):
    """A method whose refusals are errors of the WIT."""

    def answer(self, *arguments):
        # Whoever works through a tree is not idle, and a disk that takes long is not computing.
        self._session.moved()
        try:
            return method(self, *arguments)
        except Refused as refused:
            return str(refused)
        finally:
            self._session.moved()

    return answer


class Volume(Resource):
    """One user's files; here, everybody's, and with every permission."""

    def __init__(self, session):
        self._session, self._everything, self._umask = session, Tree(session.server.database), 0o022

    @property
    def _tree(self):
        if self._session.user is None:
            raise Refused("denied")
        return self._everything

    def permissions(self):
        return set(PERMISSIONS)

    @answered
    def stat(self, path):
        return attributes(self._tree.stat(path))

    @answered
    def list(self, path):
        return self._session.handles.own(Directory(self._session, self._tree.list(path)))

    @answered
    def open(self, path, access):
        offset = access.payload if access.tag == "resume" else 0
        return self._session.handles.own(File(self._session, self._tree.open(path, access.tag, offset, self._umask)))

    @answered
    def unfinished(self, _path):
        # What is cut short is not kept.
        raise Refused("not-found")

    @answered
    def remove_file(self, path):
        self._tree.remove_file(path)

    @answered
    def make_directory(self, path):
        self._tree.make_directory(path, self._umask)

    @answered
    def remove_directory(self, path):
        self._tree.remove_directory(path)

    @answered
    def rename(self, old, new):
        self._tree.rename(old, new)

    @answered
    def make_link(self, _path, _target):
        raise Refused("unsupported")

    @answered
    def set_times(self, path, modified, created):
        times = {"modified": modified, "created": created}
        values = {name: at.seconds * SECOND + at.nanoseconds for name, at in times.items() if at is not None}
        if any(abs(value) >= 2**63 for value in values.values()):
            raise Refused("unsupported")
        self._tree.change(path, **values)

    @answered
    def set_mode(self, path, mode):
        if path == b"/":
            raise Refused("denied")
        self._tree.change(path, mode=mode & 0o777)

    def umask(self):
        return self._umask

    def set_umask(self, mask):
        self._umask = mask & 0o777

    @answered
    def space(self):
        return self._tree.space()

    def close(self):
        self._everything.close()


class Directory(Resource):
    """A directory being read."""

    def __init__(self, session, listing):
        self._session, self._listing = session, listing

    @answered
    def next(self):
        return [record(name=node["name"], attributes=attributes(node)) for node in self._listing.next()]

    @answered
    def next_names(self):
        return [node["name"] for node in self._listing.next()]

    def close(self):
        self._listing.close()


class File(Resource):
    """An open file."""

    def __init__(self, session, file):
        self._session, self.file = session, file

    @answered
    def size(self):
        return self.file.size

    @answered
    def read(self, offset, length):
        return self.file.read(offset, length)

    @answered
    def write(self, octets):
        self.file.write(octets)

    def reserve(self, _length):
        # Nothing is kept for anybody.
        pass

    def copy_from(self, source):
        return self._work(Copying(source.file, self.file))

    def checksum(self, algorithm, offset, length):
        return self._work(Summing(self.file, algorithm, offset, length))

    def _work(self, job):
        return self._session.handles.own(Work(self._session, job))

    def discard(self):
        # What is cut short is not kept in any case.
        pass

    @answered
    def finish(self):
        self.file.finish()

    def close(self):
        self.file.close()


def attributes(node):
    """What a node is."""
    return record(
        kind="directory" if node["directory"] else "file",
        size=node["size"],
        modified=moment(node["modified"]),
        created=moment(node["created"]),
        mode=node["mode"],
        links=1,
        owner=0,
        group=0,
        unique=(0, node["id"]),
    )


def moment(nanoseconds):
    """A time."""
    seconds, rest = divmod(nanoseconds, SECOND)
    return record(seconds=seconds, nanoseconds=rest)


PERMISSIONS = [
    *("list", "read", "write", "delete", "rename"),
    *("make-directory", "remove-directory", "set-attributes", "set-created"),
]

SECOND = 1_000_000_000
"""Nanoseconds."""
