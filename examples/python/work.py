"""What takes time and is done by the host: a little whenever its session waits for it."""

import hashlib
import time
import zlib

from binding import Resource
from database import Refused
from streams import Source


class Work(Resource, Source):
    """Of a job with `step()`: what came of it, once it is done, and `None` before that."""

    def __init__(self, session, job):
        self._session, self._job, self._result = session, job, None
        session.busy.add(self)

    def ready(self):
        if self._result is None:
            try:
                self._result = self._job.step()
            except Refused as refused:
                self._result = str(refused)
        return self._result is not None

    def due(self):
        return time.monotonic()

    def subscribe(self):
        return self._session.pollable(self)

    def finish(self):
        return self._result

    def close(self):
        self._session.busy.discard(self)
        self._job.close()


class Copying:
    """All of a file, behind what was written to another."""

    def __init__(self, source, target):
        self._source, self._target, self._offset = source.hold(), target.hold(), 0

    def step(self):
        octets = self._source.read(self._offset, STEP)
        self._offset += len(octets)
        self._target.write(octets)
        return None if octets else b""

    def close(self):
        self._source.close()
        self._target.close()


class Summing:
    """The checksum of a part of a file."""

    def __init__(self, file, algorithm, offset, length):
        self._file, self._offset, self._left = file.hold(), offset, length
        self._sum = Crc32() if algorithm == "crc32" else hashlib.new(algorithm)

    def step(self):
        octets = self._file.read(self._offset, min(self._left, STEP))
        self._offset += len(octets)
        self._left -= len(octets)
        self._sum.update(octets)
        return None if octets else self._sum.digest()

    def close(self):
        self._file.close()


class Crc32:
    """zlib's, in hashlib's manner."""

    def __init__(self):
        self._sum = 0

    def update(self, octets):
        self._sum = zlib.crc32(octets, self._sum)

    def digest(self):
        return self._sum.to_bytes(4)


STEP = 1024 * 1024
"""Octets that are read at once; a file gives fewer."""
