"""The files of a ZIP archive, to read: a component of world storage-provider, in Python.

It serves `archive.zip` of the directory that the host lends it. Build and serve:

    componentize-py -d wit -w storage-provider componentize -p examples/providers/archive archive -o archive.wasm
    wasi-ftpd serve --storage archive.wasm,DIR
"""

import calendar
import encodings.cp437  # What zipfile asks for later, when there is no library to load it from.
from zipfile import ZipFile

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.storage_backend import Attributes, Entry, Error

archive = None
tree = {}  # The entries of each directory: name to ZipInfo, or None for a directory.


def load():
    """Read the archive's own directory, once."""
    global archive
    if archive:
        return
    archive = ZipFile("/archive.zip")
    tree[b"/"] = {}
    for info in archive.infolist():
        parts = [part for part in info.filename.encode().split(b"/") if part]
        if any(part in (b".", b"..") for part in parts):
            continue
        path = b"/"
        for part in parts[:-1]:
            tree[path].setdefault(part, None)
            path = path.rstrip(b"/") + b"/" + part
            tree.setdefault(path, {})
        if parts:
            tree[path][parts[-1]] = None if info.is_dir() else info
        if info.is_dir() and parts:
            tree.setdefault(path.rstrip(b"/") + b"/" + parts[-1], {})


def attributes(info):
    if info is None:
        return Attributes(True, 0, 0)
    return Attributes(False, info.file_size, calendar.timegm(info.date_time))


def find(path):
    """What there is at a path: ZipInfo, or None for a directory."""
    load()
    if path in tree:
        return None
    parent, _, name = path.rpartition(b"/")
    entries = tree.get(parent or b"/", {})
    if name not in entries:
        raise Err(Error.NOT_FOUND)
    return entries[name]


class StorageBackend(exports.StorageBackend):
    """Reading; all else is refused."""

    opened = None  # The path of the file that was read last, the open file, and where it is.

    def stat(self, path):
        return attributes(find(path))

    def list(self, path, skip):
        if find(path) is not None:
            raise Err(Error.NOT_DIRECTORY)
        entries = list(tree[path].items())[skip : skip + 200]
        return [Entry(name, attributes(info)) for name, info in entries]

    def read(self, path, offset, length):
        info = find(path)
        if info is None:
            raise Err(Error.NOT_FILE)
        # Most ask for one piece after the other; a ZIP archive cannot be entered in the middle.
        if not self.opened or self.opened[0] != path:
            self.opened = (path, archive.open(info))
        file = self.opened[1]
        if file.tell() != offset:
            file.seek(offset)
        return file.read(length)

    def begin(self, path, placement):
        raise Err(Error.DENIED)

    def write(self, upload, octets):
        raise Err(Error.DENIED)

    def finish(self, upload):
        raise Err(Error.DENIED)

    def discard(self, upload):
        pass

    def remove_file(self, path):
        raise Err(Error.DENIED)

    def make_directory(self, path):
        raise Err(Error.DENIED)

    def remove_directory(self, path):
        raise Err(Error.DENIED)

    def rename(self, from_, to):
        raise Err(Error.DENIED)
