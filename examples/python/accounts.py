"""Who may log in: users with passwords, of which only a slow hash is kept."""

import hashlib
import hmac
import secrets
import time
from concurrent.futures import ThreadPoolExecutor

from control import record
from storage import Volume

_HASHING = ThreadPoolExecutor(2)
"""scrypt takes 16 MiB each time, of which a thread keeps a part: so many at once."""


class Password:
    """A password's salt and hash."""

    def __init__(self, password):
        self._salt = secrets.token_bytes(16)
        self._hash = self._digest(password)

    def equals(self, password):
        """In a time that does not tell where they differ."""
        return hmac.compare_digest(self._hash, self._digest(password))

    def _digest(self, password):
        return _HASHING.submit(hashlib.scrypt, password, salt=self._salt, n=2**14, r=8, p=1).result()


class Accounts:
    """Passwords by names; both are octets."""

    def __init__(self, users):
        self._users = {name: Password(password) for name, password in users.items()}
        self._nobody = Password(secrets.token_bytes(16))

    def check(self, name, password):
        """Takes as long for a name that is unknown."""
        return self._users.get(name, self._nobody).equals(password)


class Interface:
    def __init__(self, session):
        self._session = session
        self._failures = 0

    def authenticate_by_certificate(self, _user):
        return None

    def authenticate(self, user, password):
        session = self._session
        # A guest that goes on after it was told to end gets no more guesses.
        if self._failures >= MAX_FAILURES:
            return "denied"
        earliest = time.monotonic() + FAILURE_DELAY
        right = session.server.accounts.check(user, password)
        # That took its time, which the guest has not spent.
        session.moved()
        if not right:
            self._failures += 1
            session.log.warning("log-in failed")
            if self._failures >= MAX_FAILURES:
                session.ending.tell("login-failures")
            time.sleep(max(0, earliest - time.monotonic()))
            return "denied"
        session.user, session.admitted = user, True
        session.log.info("logged in")
        volume = session.handles.own(Volume(session))
        return record(volume=volume, start=b"/", message=None, charset=None)


MAX_FAILURES = 3
"""Wrong passwords in a session."""

FAILURE_DELAY = 0.5
"""Seconds that the answer to a wrong password is held back."""
