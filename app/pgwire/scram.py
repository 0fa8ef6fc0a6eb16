"""SCRAM-SHA-256, the server's side, without I/O: messages in, messages out. Channel binding is not offered.

Law   Whoever has no password, or no role, goes through the same exchange with a salt that stays the same, and fails
      at its end: nothing tells which roles there are.
From  RFC 5802 and RFC 7677; PostgreSQL's auth-scram.c.
"""

import hashlib
import hmac
import re
import secrets
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Final

from app.pgwire.messages import ProtocolViolation
from engine.database import Verifier

MECHANISM: Final = "SCRAM-SHA-256"
FIRST: Final = re.compile(rb"([ny])(?:,|,a=[^,]*),(n=[^,]*,r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)", re.DOTALL)
FINAL: Final = re.compile(rb"(c=([^,]*),r=([^,]*)(?:,[^p].*)?),p=([^,]*)", re.DOTALL)
ITERATIONS: Final = 4096


def nobody(user: str, secret: bytes) -> Verifier:
    """A verifier that no password has, the same each time for a name."""
    salt = hmac.digest(secret, user.encode(), "sha256")[:16]
    return Verifier(ITERATIONS, salt, secrets.token_bytes(32), secrets.token_bytes(32))


class Exchange:
    """One client's proof that it knows a password."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier: Final = verifier
        self._nonce = b""
        self._said = b""
        self._header = b""

    def first(self, initial: bytes) -> bytes:
        """The answer to a SASLInitialResponse's body (mechanism, length, data). ProtocolViolation for what is none."""
        mechanism, _, rest = initial.partition(b"\0")
        if mechanism != MECHANISM.encode():
            raise ProtocolViolation(f"client selected an invalid SASL authentication mechanism: {mechanism!r}")
        found = FIRST.fullmatch(rest[4:])
        if found is None or int.from_bytes(rest[:4], "big", signed=True) != len(rest) - 4:
            raise ProtocolViolation("malformed SCRAM message")
        flag, bare, nonce = found.groups()
        self._header = rest[4 : 4 + found.start(2)]
        self._nonce = nonce + b64encode(secrets.token_bytes(18))
        salt = b64encode(self._verifier.salt)
        answer = b"r=" + self._nonce + b",s=" + salt + b",i=" + str(self._verifier.iterations).encode()
        self._said = bare + b"," + answer
        assert flag in (b"n", b"y")
        return answer

    def final(self, response: bytes) -> bytes | None:
        """The answer to the client's proof; None: it is wrong. ProtocolViolation for what is none."""
        found = FINAL.fullmatch(response)
        if found is None:
            raise ProtocolViolation("malformed SCRAM message")
        without_proof, binding, nonce, proof = found.groups()
        try:
            header, given = b64decode(binding, validate=True), b64decode(proof, validate=True)
        except Base64Error:
            raise ProtocolViolation("malformed SCRAM message") from None
        if nonce != self._nonce or header != self._header or len(given) != 32:
            raise ProtocolViolation("SCRAM message does not match the one before it")
        said = self._said + b"," + without_proof
        signature = hmac.digest(self._verifier.stored_key, said, "sha256")
        key = bytes(a ^ b for a, b in zip(given, signature, strict=True))
        if not hmac.compare_digest(hashlib.sha256(key).digest(), self._verifier.stored_key):
            return None
        return b"v=" + b64encode(hmac.digest(self._verifier.server_key, said, "sha256"))
