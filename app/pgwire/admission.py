"""Who a client is, before its session begins: trust, a password over TLS, or SCRAM-SHA-256."""

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Final

from app.pgwire import messages
from app.pgwire.messages import Message, Password, ProtocolViolation
from app.pgwire.scram import MECHANISM, Exchange, nobody
from app.settings import Settings
from engine.database import Database, Verifier
from engine.errors import InvalidAuthorization

SECRET: Final = secrets.token_bytes(32)
"""Of this process: what the salts of roles that are not there are made of."""

Ask = Callable[[bytes], Awaitable[Message | None]]
"""Sends bytes, and gives what the client answers; None: it left."""


async def admit(
    database: Database, settings: Settings, threads: Executor, user: str, encrypted: bool, ask: Ask
) -> bytes:
    """What remains to be sent when `user` has proven who it is. InvalidAuthorization if it cannot."""
    role = database.credentials(user)
    if settings.auth == "trust":
        if role is not None and not role.login:
            raise InvalidAuthorization(f'role "{user}" is not permitted to log in')
        return b""
    verifier = role.verifier if role is not None and role.login else None
    if settings.auth == "password":
        if not encrypted:
            raise InvalidAuthorization("a password is asked for over TLS only", hint="Connect with sslmode=require.")
        password = _text(await _answered(ask, messages.AUTHENTICATION_PASSWORD))
        kept = verifier or nobody(user, SECRET)
        loop = asyncio.get_running_loop()
        given = await loop.run_in_executor(threads, lambda: Verifier.of(password, kept.salt, kept.iterations))
        if verifier is None or not hmac.compare_digest(given.stored_key, verifier.stored_key):
            raise _refused(user)
        return b""
    exchange = Exchange(verifier or nobody(user, SECRET))
    first = exchange.first(await _answered(ask, messages.authentication_sasl([MECHANISM])))
    final = exchange.final(await _answered(ask, messages.authentication_sasl_continue(first)))
    if verifier is None or final is None:
        raise _refused(user)
    return messages.authentication_sasl_final(final)


async def _answered(ask: Ask, question: bytes) -> bytes:
    match await ask(question):
        case Password(body):
            return body
        case _:
            raise ConnectionError("the client left instead of saying who it is")


def _text(body: bytes) -> str:
    try:
        return body.removesuffix(b"\0").decode()
    except UnicodeDecodeError:
        raise ProtocolViolation("invalid byte sequence for encoding UTF8") from None


def _refused(user: str) -> InvalidAuthorization:
    return InvalidAuthorization(f'password authentication failed for user "{user}"')
