"""The small interfaces: events, charsets, logging, the clock, and the parts of wasi:cli that language runtimes ask
for, all of them empty."""

import logging
import time

from wasmtime import WasmtimeError

from binding import Resource
from control import record
from streams import InputStream, Nothing, OutputStream


class Events:
    """What happened, as log lines."""

    def __init__(self, session):
        self._session = session

    def record_event(self, event):
        what = event.payload
        if event.tag == "transfer":
            line = f"{what.direction} {printable(what.path)}: {what.outcome}, {what.octets} octets"
        elif event.tag == "renamed":
            line = f"renamed {printable(what[0])} to {printable(what[1])}"
        elif event.tag == "changed":
            line = f"{printable(what[0])} {printable(what[1])}"
        else:
            line = f"refused {printable(what[0])} with {what[1]}"
        self._session.log.info("%s: %s", printable(self._session.user or b"-"), line)


class Logging:
    def __init__(self, session):
        self._session = session

    def log(self, level, context, message):
        level = {"warn": logging.WARNING, "error": logging.ERROR, "critical": logging.ERROR}.get(level, logging.DEBUG)
        self._session.log.log(level, "%s: %s", printable(context), printable(message))


def printable(text):
    """Names come from clients: no terminal and no log reader is to be misled."""
    text = text.decode(errors="backslashreplace") if isinstance(text, bytes) else text
    return ascii(text[:MAX_SHOWN])[1:-1]


class Charsets:
    """Of the Encoding Standard's, those that Python has and that leave ASCII alone."""

    def encode(self, charset, text):
        return _try(lambda: text.encode(CHARSETS[charset.lower()]))

    def decode(self, charset, octets):
        return _try(lambda: octets.decode(CHARSETS[charset.lower()]))


def _try(convert):
    try:
        return convert()
    except (KeyError, UnicodeError):
        return None


class WallClock:
    def now(self):
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        return record(seconds=seconds, nanoseconds=nanoseconds)


class Terminal(Resource):
    """There is none."""


class Console:
    """wasi:cli."""

    def __init__(self, session):
        self._session = session

    def get_environment(self):
        return []

    def get_arguments(self):
        return []

    def initial_cwd(self):
        return None

    def exit(self, _status):
        raise WasmtimeError("the guest has left")

    def get_stdin(self):
        return self._session.handles.own(InputStream(self._session, Nothing()))

    def get_stdout(self):
        return self._session.handles.own(OutputStream(self._session, Nothing()))

    get_stderr = get_stdout

    def get_terminal_stdin(self):
        return None

    get_terminal_stdout = get_terminal_stderr = get_terminal_stdin


CONSOLE = [
    *("environment", "exit", "stdin", "stdout", "stderr"),
    *("terminal-input", "terminal-output", "terminal-stdin", "terminal-stdout", "terminal-stderr"),
]
"""The interfaces of wasi:cli that it is."""

CHARSETS = {
    "utf-8": "utf-8",
    "iso-8859-1": "cp1252",
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    **{name: name for name in ["euc-jp", "gb18030", "gbk", "ibm866", "koi8-r", "koi8-u", "macintosh"]},
    **{f"iso-8859-{number}": f"iso8859-{number}" for number in [2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16]},
    **{f"windows-{number}": f"cp{number}" for number in range(1250, 1259)},
}
"""Names of the Encoding Standard to Python's."""

MAX_SHOWN = 1024
"""Characters of a name in a log line."""
