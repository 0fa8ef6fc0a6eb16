"""SASL's GSSAPI: a principal's tickets of Kerberos, and what brokers are told with them (RFC 4752).

A login has a keytab and a cache of tickets of its own, in memory, and never those of the process; all connections that
say the same of who they are have one login. The realm's servers are those of the machine's krb5.conf. A ticket that
ends is got again when the next connection is made, which is when brokers ask who we are: also those that hang up when
a session has lasted its time (`connections.max.reauth.ms`).
"""

import importlib
import secrets
import struct
import tempfile
import time
from collections.abc import Generator
from functools import lru_cache
from threading import Lock
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, BaseSaslAuthenticator
from aiokafka.errors import KafkaError

from engine.catalog.connections import Kerberos
from engine.connectors.feed import Resolve
from engine.errors import SourceError

NO_LAYER: Final = 1
"""Of the protections of what follows that a broker may offer: none, which is the only one that Kafka has."""

LOGINS_MAX: Final = 64
"""Kept at once; one that was let go of is made anew."""


def _library() -> Any:  # noqa: ANN401 - it may not be there
    """The extra "kerberos", which is compiled where it is installed."""
    try:
        return importlib.import_module("gssapi")
    except ImportError:
        raise SourceError(
            "Kerberos is not installed here",
            hint="pip install 'tailrace[kerberos]', which needs libkrb5-dev and a C compiler.",
        ) from None


class Login:
    """Who a connection is, with the contents of its keytab."""

    def __init__(self, kerberos: Kerberos, keytab: bytes) -> None:
        self.library: Final = _library()
        self.service: Final = kerberos.service
        self._principal: Final[Any] = self.library.Name(kerberos.principal, self.library.NameType.kerberos_principal)
        # The library reads keys from files only, whenever it asks for tickets.
        self._file: Final = tempfile.NamedTemporaryFile(suffix=".keytab")  # noqa: SIM115 - it lives as long as we do
        self._file.write(keytab)
        self._file.flush()
        self._store: Final = {
            "client_keytab": f"FILE:{self._file.name}", "ccache": f"MEMORY:tailrace-{secrets.token_hex(8)}",
        }  # fmt: skip
        self._between: Final = kerberos.relogin_ms / 1000
        self._lock: Final = Lock()
        self._held: Any = None
        self._until = 0.0  # the ticket's end
        self._again = 0.0  # when the next may be asked for

    def credentials(self) -> Any:  # noqa: ANN401 - the library may not be there
        """Tickets that have not ended: got again in the second half of their life, not oftener than they may be. Asks
        the realm's server; GSSError when that gives none."""
        with self._lock:
            now = time.monotonic()
            if self._held is None or now >= self._until or now >= self._again:
                held = self.library.Credentials(name=self._principal, usage="initiate", store=self._store)
                lives = held.lifetime
                self._held, self._until, self._again = held, now + lives, now + max(self._between, lives / 2)
            return self._held


@lru_cache(LOGINS_MAX)
def _login(kerberos: Kerberos, keytab: bytes) -> Login:
    return Login(kerberos, keytab)


def login_of(kerberos: Kerberos, resolve: Resolve) -> Login:
    """The login of all who say this of who they are."""
    return _login(kerberos, resolve(kerberos.keytab).encode(errors="surrogateescape"))


class _Authenticator(BaseSaslAuthenticator):
    """What the library asks for tokens. `host` is the broker's, whose ticket is asked for."""

    def __init__(self, loop: Any, login: Login, host: str) -> None:  # noqa: ANN401 - as the library has it
        self._loop = loop
        self._authenticator = _said(login, host)


def _said(login: Login, host: str) -> Generator[tuple[bytes, bool], bytes, None]:
    """Tokens to the broker against those from it: a context, then that nothing is wrapped and nobody is stood for."""
    gssapi = login.library
    try:
        name = gssapi.Name(f"{login.service}@{host}", gssapi.NameType.hostbased_service)
        context = gssapi.SecurityContext(
            name=name, creds=login.credentials(), usage="initiate", mech=gssapi.MechType.kerberos
        )
        token: Any = None
        while not context.complete:
            token = yield context.step(token) or b"", True
        offered = context.unwrap(token).message
        if not offered[0] & NO_LAYER:
            raise KafkaError("the broker wants GSSAPI to wrap what is said, which Kafka does not do")
        yield context.wrap(struct.pack(">I", NO_LAYER << 24), False).message, False
    except gssapi.exceptions.GSSError as error:
        raise KafkaError(f"Kerberos gives no ticket for {login.service}/{host}: {error.gen_message()}") from None


def _of_connection(connection: AIOKafkaConnection) -> _Authenticator:
    login: Any = connection._sasl_oauth_token_provider
    return _Authenticator(connection._loop, login, connection.host)


AIOKafkaConnection.authenticator_gssapi = _of_connection  # pyright: ignore[reportAttributeAccessIssue]
"""The library's own would speak for the process, with whatever tickets its environment has. It hands a Login from its
producers, admins and connections to here in the one argument of theirs that it does not look into."""
