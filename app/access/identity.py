"""Who a client is: basic auth and bearer tokens against the same roles as PostgreSQL's protocol.

A bearer token is a role, its end and a signature. The key is the process's own secret and the role's verifier, so a
token ends with its time, with the process, with the role, and with its password. Law: nothing here says whether a role
exists: what takes long for one that does (PBKDF2) takes as long for one that does not.
"""

import hashlib
import hmac
import secrets
import time
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from app.settings import Settings
from engine.database import Database, Verifier
from engine.errors import InvalidAuthorization

SALT: Final = b"no role has this"
REMEMBERED_MAX: Final = 1024
"""Passwords that were right lately: one PBKDF2 (1 ms or more) a client, not one a request."""


class Identity:
    """Says which role a client is. `required` False: a client without credentials is the default role."""

    def __init__(self, database: Database, settings: Settings, now: Callable[[], float] = time.time) -> None:
        self._database: Final = database
        self._now: Final = now
        self._secret: Final = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._token_seconds: Final = settings.token_seconds_max
        self.required: Final = settings.auth != "trust"
        self.default: Final = "materialize"

    def of_header(self, authorization: str | None) -> str | None:
        """The role of an Authorization header; None: there is none, and one is needed. Raises InvalidAuthorization."""
        if authorization is None:
            return None if self.required else self.default
        scheme, _, value = authorization.partition(" ")
        match scheme.lower():
            case "bearer":
                return self.of_token(value.strip())
            case "basic":
                try:
                    user, colon, password = b64decode(value.strip(), validate=True).decode().partition(":")
                except (Base64Error, UnicodeDecodeError, ValueError):
                    raise InvalidAuthorization("the Authorization header is malformed") from None
                if not colon:
                    raise InvalidAuthorization("the Authorization header is malformed")
                return self.of_password(user, password)
            case _:
                raise InvalidAuthorization("the Authorization header is neither Basic nor Bearer")

    def of_password(self, user: str, password: str) -> str:
        """The role, if the password is its. Raises InvalidAuthorization."""
        role = self._database.credentials(user)
        known = role is not None and role.login
        verifier = role.verifier if role is not None else None
        if known and not self.required and verifier is None:
            return user  # as over PostgreSQL's protocol with trust
        if verifier is None:
            Verifier.of(password, SALT)
            raise self._refused(user)
        asked = self._digest(user, verifier, password)
        if asked not in self._right:
            found = Verifier.of(password, verifier.salt, verifier.iterations)
            if not hmac.compare_digest(found.stored_key, verifier.stored_key) or not known:
                raise self._refused(user)
            self._right[asked] = None
            while len(self._right) > REMEMBERED_MAX:
                self._right.popitem(last=False)
        return user

    def token(self, user: str) -> tuple[str, int]:
        """A new bearer token of a role that was proven, and its end in seconds since 1970."""
        until = int(self._now()) + self._token_seconds
        body = f"{until}:{user}".encode()
        return f"{_text(body)}.{_text(self._signature(user, body))}", until

    def of_token(self, token: str) -> str:
        """The role of a bearer token. Raises InvalidAuthorization."""
        body, _, signature = token.partition(".")
        try:
            said, given = _bytes(body), _bytes(signature)
            until, _, user = said.decode().partition(":")
            ends = int(until)
        except (Base64Error, UnicodeDecodeError, ValueError):
            raise InvalidAuthorization("the bearer token is malformed") from None
        role = self._database.credentials(user)
        right = hmac.compare_digest(given, self._signature(user, said))
        if not right or role is None or not role.login or ends < self._now():
            raise InvalidAuthorization("the bearer token is not valid", hint="Get another from POST /api/tokens.")
        return user

    def _signature(self, user: str, body: bytes) -> bytes:
        role = self._database.credentials(user)
        verifier = b"" if role is None or role.verifier is None else role.verifier.stored_key
        return hmac.digest(hmac.digest(self._secret, verifier, "sha256"), body, "sha256")

    def _digest(self, user: str, verifier: Verifier, password: str) -> bytes:
        """What stands for a right password in memory: no password is kept, nor what one could be found from."""
        said = b"\0".join([user.encode(), verifier.salt, verifier.stored_key, password.encode()])
        return hmac.digest(self._secret, said, hashlib.sha256)

    @staticmethod
    def _refused(user: str) -> InvalidAuthorization:
        return InvalidAuthorization(f'password authentication failed for user "{user}"')


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
