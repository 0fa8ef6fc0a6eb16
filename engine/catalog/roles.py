"""Roles: who may log in, and what checks a password.

No password is kept: a role has a SCRAM-SHA-256 verifier (RFC 5802, RFC 7677), written as PostgreSQL writes it,
`SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`. Who reads it cannot log in with it.
"""

import hashlib
import hmac
import stringprep
import unicodedata
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

MECHANISM: Final = "SCRAM-SHA-256"
ITERATIONS: Final = 4096
"""PostgreSQL's default, and the least that RFC 7677 allows."""
SALT_BYTES: Final = 16
SUPERUSER: Final = "materialize"
"""The role of a new database, which may do everything and has no password."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """What is kept instead of a password."""

    iterations: int
    salt: bytes
    stored_key: bytes
    server_key: bytes

    @classmethod
    def of(cls, password: str, salt: bytes, iterations: int = ITERATIONS) -> Self:
        """The verifier of a password. About 1 ms."""
        salted = hashlib.pbkdf2_hmac("sha256", prepared(password).encode(), salt, iterations)
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        return cls(iterations, salt, hashlib.sha256(client_key).digest(), server_key)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The verifier that `text` is; None: it is a password. PASSWORD takes both, as in PostgreSQL."""
        mechanism, _, rest = text.partition("$")
        head, _, keys = rest.partition("$")
        iterations, _, salt = head.partition(":")
        stored, _, server = keys.partition(":")
        if mechanism != MECHANISM or not iterations.isdecimal() or not (salt and stored and server):
            return None
        try:
            parts = [b64decode(part, validate=True) for part in (salt, stored, server)]
        except Base64Error:
            return None
        return cls(int(iterations), *parts) if len(parts[1]) == len(parts[2]) == 32 else None

    def __str__(self) -> str:
        salt, stored, server = (b64encode(part).decode() for part in (self.salt, self.stored_key, self.server_key))
        return f"{MECHANISM}${self.iterations}:{salt}${stored}:{server}"


@dataclass(frozen=True, slots=True)
class Role:
    """`settings` are the session variables that a session of the role begins with, by their names."""

    name: str
    login: bool = False
    superuser: bool = False
    create_role: bool = False
    create_database: bool = False
    inherit: bool = True
    verifier: Verifier | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def manages_roles(self) -> bool:
        return self.superuser or self.create_role


def initial() -> Mapping[str, Role]:
    """The roles of a new database."""
    every = Role(SUPERUSER, login=True, superuser=True, create_role=True, create_database=True)
    return {every.name: every}


def prepared(password: str) -> str:
    """SASLprep (RFC 4013) as both sides apply it: what it does not allow is taken as it is, as PostgreSQL does."""
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in password
        if not stringprep.in_table_b1(character)
    )
    normal = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not normal or any(map(_prohibited, normal)):
        return password
    if any(map(stringprep.in_table_d1, normal)):  # right to left: nothing else in it, and at both of its ends
        ends = stringprep.in_table_d1(normal[0]) and stringprep.in_table_d1(normal[-1])
        if not ends or any(map(stringprep.in_table_d2, normal)):
            return password
    return normal


def _prohibited(character: str) -> bool:
    return (
        stringprep.in_table_a1(character)
        or stringprep.in_table_c12(character)
        or stringprep.in_table_c21_c22(character)
        or stringprep.in_table_c3(character)
        or stringprep.in_table_c4(character)
        or stringprep.in_table_c5(character)
        or stringprep.in_table_c6(character)
        or stringprep.in_table_c7(character)
        or stringprep.in_table_c8(character)
        or stringprep.in_table_c9(character)
    )
