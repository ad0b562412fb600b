"""wasi:io: streams and what can be waited for. wasmtime's own cannot be mixed with streams made in Python, so all
of it is here.

A source is anything with `ready()`, which also moves it on, `interest()`: pairs of a descriptor and poll events that
may change that, and `due()`: when it changes by itself. One that is read or written raises `Broken`."""

import math
import select

from wasmtime import WasmtimeError
from wasmtime.component import Variant

from binding import Resource


class Broken(Exception):
    """The other end, or the network, ended it before its time."""


class Source:
    """Something to wait for."""

    def interest(self):
        return ()

    def due(self):
        return math.inf


class IoError(Resource):
    """Says no more than that there was one; `data-connection.finish` tells which."""


class Pollable(Resource):
    def __init__(self, session, source):
        self._session, self.source = session, source

    def ready(self):
        return self.source.ready()

    def block(self):
        self._session.wait([self.source])


class InputStream(Resource):
    """Of a source with `receive(length)`: octets, none if there are none now, `None` at the end."""

    def __init__(self, session, source):
        self._session, self._source = session, source

    def read(self, length):
        if length == 0:
            return b""
        try:
            return self._source.receive(length)
        except Broken:
            return self._session.handles.own(IoError())

    def subscribe(self):
        return self._session.pollable(self._source)


class OutputStream(Resource):
    """Of a source with `permit`: octets that it takes at once, `send(octets)`, and `relieve()`: whether all that was
    sent has left."""

    def __init__(self, session, source):
        self._session, self._source = session, source

    def check_write(self):
        return self._try(lambda: self._source.permit if self._source.relieve() else 0)

    def write(self, octets):
        if len(octets) > self._source.permit or self._source.owes():
            raise WasmtimeError("more was written than was permitted")
        return self._done(lambda: self._source.send(octets))

    def flush(self):
        return self._done(self._source.relieve)

    def blocking_flush(self):
        self._session.wait([self._source])
        return self.flush()

    def subscribe(self):
        return self._session.pollable(self._source)

    def _try(self, attempt):
        try:
            return attempt()
        except Broken:
            return self._session.handles.own(IoError())

    def _done(self, attempt):
        # Nothing and an error look alike to wasmtime unless they are named.
        failed = self._try(lambda: (attempt(), None)[1])
        return Variant("ok") if failed is None else Variant("err", failed)


class Nothing(Source):
    """Standard input, which is empty, and standard output, which nobody reads."""

    permit = 4096

    def ready(self):
        return True

    def receive(self, _length):
        return None

    def send(self, octets):
        pass

    def relieve(self):
        return True

    def owes(self):
        return False


class Poll:
    """The interface wasi:io/poll."""

    def __init__(self, session):
        self._session = session

    def poll(self, pollables):
        if not pollables:
            raise WasmtimeError("nothing to wait for")
        return self._session.wait([pollable.source for pollable in pollables])


def polled(descriptor, events):
    """Whether one of these events has come, or the descriptor is broken."""
    poll = select.poll()
    poll.register(descriptor, events)
    return bool(poll.poll(0))
