"""One session: an instance of the component, what it was given, and how long it may go on."""

import logging
import math
import select
import time

from wasmtime import Store, WasmtimeError
from wasmtime.component import Linker

import accounts
import control
import data
import port
import services
import storage
import streams
import transfer
from binding import Handles, bind

RESOURCES = {
    "connection": control.Connection,
    "handshake": control.Handshake,
    "data-port": port.Port,
    "data-connection": data.Connection,
    "transfer": transfer.Transfer,
    "volume": storage.Volume,
    "directory": storage.Directory,
    "file": storage.File,
    "work": storage.Work,
    "error": streams.IoError,
    "pollable": streams.Pollable,
    "input-stream": streams.InputStream,
    "output-stream": streams.OutputStream,
    "terminal-input": services.Terminal,
    "terminal-output": services.Terminal,
}


class Session:
    """What the interfaces share. All of it happens on one thread, which the guest runs on."""

    def __init__(self, server, connection):
        self.server = server
        self.handles = Handles()
        self.ending = Ending()
        self.control = control.Control(self, connection)
        self.log = Log(logging.getLogger("session"), {"peer": self.control.remote[0]})
        self.user = None
        """Who is logged in."""
        self.admitted = False
        """Somebody has been."""
        self.ports = set()
        self.busy = set()
        """What has time limits of its own: open ports and data connections, and works."""
        self._started = self._moved = time.monotonic()
        self._idle = IDLE
        self._store = Store(server.engine)
        self._store.set_limits(memory_size=MEMORY, table_elements=TABLE_ELEMENTS, memories=MEMORIES)

    def run(self):
        """Serve the client until one of the two has had enough."""
        self.log.info("connected")
        last = b"421 Service not available, closing control connection\r\n"
        try:
            self._run()
            last = b""
            # The last replies, for as long as that may take.
            self.ending.tell("shutdown")
            self.wait([self.control.wire.output])
        except WasmtimeError as error:
            self.log.warning("session failed: %s", str(error).strip().splitlines()[-1].strip())
        finally:
            self.handles.close()
            self.control.close(last)
            self._store.close()
            self.log.info("disconnected")

    def _run(self):
        engine, component = self.server.engine, self.server.component
        linker = Linker(engine)
        bind(linker, component, self.handles, self._interfaces(), RESOURCES)
        self._renew()
        instance = linker.instantiate(self._store, component)
        # Of `wasi:cli/run`, of whichever version.
        interface = next(name for name in component.type.exports(engine) if name.startswith("wasi:cli/run@"))
        run = component.get_export_index("run", component.get_export_index(interface))
        if instance.get_func(self._store, run)(self._store).tag == "err":
            raise WasmtimeError("the guest reported an error")

    def _interfaces(self):
        console = services.Console(self)
        return {
            "ftpd:server/control": control.Interface(self),
            "ftpd:server/data": port.Interface(self),
            "ftpd:server/storage": object(),
            "ftpd:server/accounts": accounts.Interface(self),
            "ftpd:server/events": services.Events(self),
            "ftpd:server/charsets": services.Charsets(),
            "wasi:logging/logging": services.Logging(self),
            "wasi:clocks/wall-clock": services.WallClock(),
            "wasi:io/error": object(),
            "wasi:io/poll": streams.Poll(self),
            "wasi:io/streams": object(),
            **{f"wasi:cli/{name}": console for name in services.CONSOLE},
        }

    def pollable(self, source):
        """A handle with which the guest waits for a source."""
        return self.handles.own(streams.Pollable(self, source))

    def moved(self):
        """Octets moved: the session is not idle, and may compute on."""
        self._moved = time.monotonic()
        self._renew()

    def wait(self, sources):
        """Wait until at least one is ready: which."""
        while True:
            self._tend()
            ready = [index for index, source in enumerate(sources) if source.ready()]
            if ready:
                return ready
            self._sleep([*sources, self.control.wire.output, *self.ports])

    def _sleep(self, sources):
        poll, events = select.poll(), {}
        for descriptor, mask in (pair for source in sources for pair in source.interest()):
            events[descriptor.fileno()] = events.get(descriptor.fileno(), 0) | mask
        for descriptor, mask in events.items():
            poll.register(descriptor, mask)
        if self.ending.reason is None:
            poll.register(self.server.stopping, select.POLLIN)
        due = min(self._due()[0], *(source.due() for source in sources))
        poll.poll(max(0, min(due - time.monotonic(), MAX_SLEEP)) * 1000)
        self._renew()

    def _renew(self):
        """The guest may compute for so long again. Its own calls never do this, but only what it waited for."""
        self._store.set_epoch_deadline(EPOCHS)

    def _tend(self):
        """What happens whether the guest waits for it or not."""
        self.control.wire.output.ready()
        for each in list(self.ports):
            each.tend()
        now = time.monotonic()
        due, reason = self._due()
        if self.ending.reason is None:
            if self.server.stopped():
                self.ending.tell("shutdown")
            elif due <= now:
                self.ending.tell(reason)
        elif due <= now:
            raise WasmtimeError("did not end when told to")

    def _due(self):
        """When the next limit is reached, and what it means."""
        if self.ending.reason is not None:
            return self.ending.told + GRACE, None
        idle = math.inf if self.busy else self._moved + self._idle
        login = math.inf if self.admitted else self._started + LOGIN
        return min((login, "login-timeout"), (idle, "idle"))

    def idle_limits(self):
        return int(self._idle), IDLE

    def set_idle_limit(self, seconds):
        self._idle = min(max(seconds, 1), IDLE)


class Log(logging.LoggerAdapter):
    """Says whose session it is."""

    def process(self, message, named):
        return f"{self.extra['peer']}: {message}", named


class Ending:
    """Whether the session must end, and knows it."""

    def __init__(self):
        self.reason = self.told = None
        self.known = False

    def tell(self, reason):
        """The first reason stays."""
        if self.reason is None:
            self.reason, self.told = reason, time.monotonic()

    def is_news(self):
        """It must, and does not know."""
        return self.reason is not None and not self.known


IDLE = 300
"""Seconds that a user may say nothing while nothing is transferred."""

LOGIN = 60
"""Seconds until somebody must have logged in."""

GRACE = 5
"""Seconds that a session has to end when told to."""

MEMORY = 16 * 1024 * 1024
"""Octets that a memory may have."""

MEMORIES = 2
"""Memories of an instance: one, and that of a layer that is composed into it."""

TABLE_ELEMENTS = 10_000
"""Elements of an instance's tables: it has a few hundred functions in one."""

EPOCHS = 20
"""Epochs (`server.EPOCH`) that a guest may compute without waiting and without an octet moving."""

MAX_SLEEP = 3600
"""Seconds: what `poll` can be told."""
