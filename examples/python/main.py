"""An FTP server in Python: it runs `session.wasm`, one instance for each client, over a tree in SQLite."""

import argparse
import ipaddress
import logging
import os
import select
import signal
import socket
import threading
import time

from wasmtime import Config, Engine
from wasmtime.component import Component

from accounts import Accounts
from database import Database
from session import Session
from streams import polled


class Server:
    """What all sessions share."""

    def __init__(self, component, database, users):
        config = Config()
        config.epoch_interruption = True
        self.engine = Engine(config)
        with open(component, "rb") as file:
            self.component = Component(self.engine, file.read())
        self.database, self.accounts = Database(database), Accounts(users)
        # Readable from the first signal on. Python itself handles signals only when its main thread has time.
        self.stopping, written = os.pipe()
        os.set_blocking(written, False)
        signal.set_wakeup_fd(written)
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        self._sessions = set()
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self):
        """Epochs: what running guests are measured by."""
        while True:
            time.sleep(EPOCH)
            self.engine.increment_epoch()

    def stopped(self):
        """Whether it was told to stop."""
        return polled(self.stopping, select.POLLIN)

    def serve(self, listener):
        """Serve until it is told to stop; then wait until all sessions, which are told too, have ended."""
        poll = select.poll()
        poll.register(self.stopping, select.POLLIN)
        poll.register(listener, select.POLLIN)
        listener.setblocking(False)
        while not self.stopped():
            poll.poll()
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, ConnectionError):
                continue
            except OSError as error:
                logging.error("accept: %s", error)
                time.sleep(EPOCH)
                continue
            if not self._free.acquire(blocking=False):
                connection.close()
                continue
            thread = threading.Thread(target=self._session, args=[connection], daemon=True)
            self._sessions.add(thread)
            thread.start()
        listener.close()
        for thread in list(self._sessions):
            thread.join()

    def _session(self, connection):
        try:
            Session(self, connection).run()
        except OSError:
            connection.close()
        except Exception:
            logging.exception("a session")
        finally:
            self._sessions.discard(threading.current_thread())
            self._free.release()


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("component", help="session.wasm")
    options.add_argument("database", help="the file of SQLite's, which is made if there is none")
    options.add_argument("--listen", default="127.0.0.1:2121", metavar="ADDRESS:PORT", help="port 0: any that is free")
    options.add_argument("--user", action="append", required=True, metavar="NAME:PASSWORD")
    options = options.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    host, _, port = options.listen.rpartition(":")
    family = socket.AF_INET6 if ipaddress.ip_address(host.strip("[]")).version == 6 else socket.AF_INET
    listener = socket.create_server((host.strip("[]"), int(port)), family=family, backlog=128)
    users = dict(user.encode().split(b":", 1) for user in options.user)
    server = Server(options.component, options.database, users)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    url, name = f"ftp://{host}:{listener.getsockname()[1]}/", options.user[0].partition(":")[0]
    print(f"Serving {options.database}\n  at {url}\nTry: curl --user {name} {url}", flush=True)
    server.serve(listener)


CONNECTIONS = 100
"""Sessions at once: each has a thread."""

EPOCH = 0.1
"""Seconds."""

if __name__ == "__main__":
    main()
