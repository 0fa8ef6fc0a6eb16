"""Session variables: one table of what SHOW shows and SET may change. docs/variables.md has the same rows."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from engine.errors import InvalidParameter, UndefinedObject
from engine.expr import text_forms
from engine.sql.binding.session import MZ_VERSION

Check = Callable[[str], str]
"""Gives the value as it is kept, or raises InvalidParameter."""


def _any(value: str) -> str:
    return value


def _fixed(value: str) -> str:
    raise InvalidParameter("it cannot be changed")


def _one_of(*allowed: str) -> Check:
    def check(value: str) -> str:
        for choice in allowed:
            if choice.lower() == value.lower():
                return choice
        raise InvalidParameter(f"it may be {', '.join(allowed)}")

    return check


def _boolean(value: str) -> str:
    """on or off, in the words that PostgreSQL takes for them."""
    plain = value.strip().lower()
    if plain in text_forms.TRUE_TEXTS:
        return "on"
    if plain in text_forms.FALSE_TEXTS:
        return "off"
    raise InvalidParameter("it may be on or off")


def _utf8(value: str) -> str:
    """As PostgreSQL reads the names of encodings: only letters and digits count."""
    if re.sub("[^a-z0-9]", "", value.lower()) in ("utf8", "unicode"):
        return "UTF8"
    raise InvalidParameter("it may be UTF8")


def milliseconds(value: str) -> int:
    """A duration as PostgreSQL's settings have it: '250ms', '5 s', '1min', '2h', or a number of milliseconds."""
    found = DURATION.fullmatch(value.strip())
    if found is None:
        raise InvalidParameter("it may be a number of milliseconds, or one with a unit: ms, s, min, h, d")
    return int(float(found[1]) * UNITS_MS[found[2] or "ms"])


def _duration(value: str) -> str:
    milliseconds(value)
    return value


def byte_count(value: str) -> int:
    """A size: '64kB', '1GB', or a number of bytes."""
    found = SIZE.fullmatch(value.strip())
    if found is None:
        raise InvalidParameter("it may be a number of bytes, or one with a unit: kB, MB, GB, TB")
    return int(found[1]) * UNITS_BYTES[(found[2] or "B").upper()]


def _size(value: str) -> str:
    byte_count(value)
    return value


UNITS_MS: Final = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
UNITS_BYTES: Final = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)?")
SIZE: Final = re.compile(r"(\d+)\s*(B|kB|MB|GB|TB)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    default: str
    check: Check
    doc: str


VARIABLES: Final = {
    variable.name.lower(): variable
    for variable in (
        Variable("application_name", "", _any, "what the client calls itself"),
        Variable("auto_route_catalog_queries", "on", _boolean, "accepted: there is one cluster to send queries to"),
        Variable("bytea_output", "hex", _one_of("hex"), "how bytes are written as text"),
        Variable("client_encoding", "UTF8", _utf8, "the encoding of text: always UTF-8"),
        Variable("client_min_messages", "notice", _any, "the least severity of notices that the client wants"),
        Variable("cluster", "quickstart", _any, "where dataflows run: there is one cluster"),
        Variable("current_object_missing_warnings", "off", _boolean, "accepted: there are none"),
        Variable("database", "materialize", _any, "the database that unqualified names are in"),
        Variable("DateStyle", "ISO, MDY", _one_of("ISO, MDY", "ISO", "ISO,MDY"), "how dates are written: always ISO"),
        Variable("default_table_access_method", "heap", _one_of("heap"), "how tables are held: there is one way"),
        Variable("default_transaction_read_only", "off", _boolean, "whether transactions only read unless they say"),
        Variable("default_tablespace", "", _one_of(""), "where tables are kept: there is one place"),
        Variable(
            "default_transaction_isolation",
            "strict serializable",
            _one_of("strict serializable", "serializable", "repeatable read", "read committed", "read uncommitted"),
            "every level is run as strict serializable",
        ),
        Variable("extra_float_digits", "3", _any, "accepted; floats are always written so that they read back exactly"),
        Variable(
            "idle_in_transaction_session_timeout",
            "0",
            _duration,
            "how long a client may leave a transaction open and say nothing; 0: for ever",
        ),
        Variable("in_hot_standby", "off", _fixed, "whether the server is a copy that only reads: never"),
        Variable("integer_datetimes", "on", _fixed, "times are 64-bit integers"),
        Variable("is_superuser", "on", _fixed, "whether the session's role may do everything"),
        Variable("jit", "off", _boolean, "accepted, without effect: there is nothing to compile in a query"),
        Variable("IntervalStyle", "postgres", _one_of("postgres"), "how intervals are written"),
        Variable("lc_collate", "C", _fixed, "how texts are ordered: by their bytes"),
        Variable("lc_ctype", "C", _fixed, "which letters there are: those of Unicode, whatever the locale"),
        Variable("lc_messages", "C", _one_of("C"), "the language of messages: English"),
        Variable("lc_monetary", "C", _one_of("C"), "how money is written: there is none"),
        Variable("lc_numeric", "C", _one_of("C"), "how numbers are written"),
        Variable("lc_time", "C", _one_of("C"), "how the names of months and days are written"),
        Variable("lock_timeout", "0", _duration, "how long a statement may wait for an advisory lock; 0: for ever"),
        Variable("max_result_size", "1GB", _size, "the most bytes that the answer to a SELECT may have"),
        Variable("max_identifier_length", "255", _fixed, "bytes of a name that clients may count on"),
        Variable(
            "mz_version", MZ_VERSION, _fixed, "the version of Materialize that clients go by, and that of Tailrace"
        ),
        Variable("max_index_keys", "32", _fixed, "columns of a key that clients may count on"),
        Variable("role", "none", _any, "the role that the session acts as; none: session_authorization"),
        Variable("search_path", "public", _any, "the schemas that unqualified names are looked up in"),
        Variable("server_encoding", "UTF8", _fixed, "the encoding of what is kept"),
        Variable("server_version", "15.0", _fixed, "the PostgreSQL version that clients go by"),
        Variable("server_version_num", "150000", _fixed, "the same as a number"),
        Variable("session_authorization", "materialize", _any, "the role whose session it is: the one that logged in"),
        Variable("sql_safe_updates", "off", _boolean, "accepted, without effect"),
        Variable("standard_conforming_strings", "on", _one_of("on"), "backslashes in '...' are backslashes"),
        Variable("statement_timeout", "0", _duration, "how long a statement may run, SUBSCRIBE aside; 0: for ever"),
        Variable("TimeZone", "UTC", _one_of("UTC", "GMT", "Etc/UTC", "Z", "+00:00"), "the session's zone: always UTC"),
        Variable(
            "transaction_isolation",
            "strict serializable",
            _one_of("strict serializable", "serializable", "repeatable read", "read committed", "read uncommitted"),
            "every level is run as strict serializable",
        ),
        Variable("transaction_read_only", "off", _boolean, "whether the transaction only reads: to write is an error"),
        Variable("welcome_message", "off", _boolean, "accepted: there is none"),
    )
}
CUSTOM: Final = re.compile(r"[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)+", re.IGNORECASE)
"""Settings with a dot in their name are the clients' own: anybody may assign them, and they mean nothing here."""
SYNONYMS: Final = {"time zone": "timezone", "schema": "search_path", "names": "client_encoding"}


def variable(name: str) -> Variable:
    """The variable of that name, in any case; UndefinedObject when there is none."""
    found = VARIABLES.get(SYNONYMS.get(name.lower(), name.lower()))
    if found is None and CUSTOM.fullmatch(name):
        return Variable(name.lower(), "", _any, "a setting of the client's own")
    if found is None:
        raise UndefinedObject(f'unrecognized configuration parameter "{name}"', hint="SHOW ALL lists them.")
    return found


def checked(name: str, value: str) -> tuple[str, str]:
    """(key, value as kept) of an assignment. Raises UndefinedObject or InvalidParameter."""
    row = variable(name)
    try:
        return row.name.lower(), row.check(value)
    except InvalidParameter as error:
        message = f'invalid value for parameter "{row.name}": "{value}"'
        raise InvalidParameter(message, detail=error.message) from None


@dataclass(frozen=True, slots=True)
class Assigned:
    """The values of a moment: those that count, and those that outlive the block."""

    values: Mapping[str, str]
    lasting: Mapping[str, str]


class Settings:
    """The variables of a session, by their keys in VARIABLES.

    Law: what a block assigns is undone when it is rolled back; what it assigns LOCAL, whenever it ends.
    """

    def __init__(self, defaults: Mapping[str, str]) -> None:
        self.defaults: Final = defaults
        self.values: dict[str, str] = dict(defaults)
        self.changes = 0  # how often anything was assigned or undone
        self._lasting = self.values
        self._before: Assigned | None = None  # when the block began to assign

    @property
    def state(self) -> Assigned:
        """What a savepoint keeps."""
        return Assigned(dict(self.values), dict(self._lasting))

    def assign(self, assigned: Mapping[str, str], in_block: bool, local: bool) -> None:
        """Assign some variables. LOCAL outside of a block lasts no longer than the statement, so it does nothing."""
        if in_block and self._before is None:
            self._before = self.state
            self._lasting = dict(self._lasting)
        if not local:
            self._lasting.update(assigned)
        if in_block or not local:
            self.values.update(assigned)
            self.changes += 1

    def return_to(self, state: Assigned) -> None:
        """As it was at a savepoint."""
        self.values, self._lasting = dict(state.values), dict(state.lasting)
        self.changes += 1

    def end(self, committed: bool) -> None:
        """The block has ended."""
        if self._before is None:
            return
        self.values = dict(self._lasting if committed else self._before.lasting)
        self._lasting, self._before = self.values, None
        self.changes += 1
