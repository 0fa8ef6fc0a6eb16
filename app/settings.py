"""Every knob of the server in one table: its type, unit, default and reason.

A field here is a flag of `tailrace serve` (`--pg-listen`), an environment variable (`TAILRACE_PG_LISTEN`) and a row of
docs/settings.md, which a test holds to this file. Units stand last in the names. The limits of the engine itself are
engine.database.Options.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar, Self


class SettingError(ValueError):
    """A value that its setting cannot take; the message names the setting."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 lets the system choose one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """'127.0.0.1:6875', '[::1]:6875', ':6875' (loopback)."""
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdecimal() or int(port) > 65535:
            raise ValueError(f"{text!r} is not host:port")
        return cls(host.strip("[]") or "127.0.0.1", int(port))

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False  # another name: nobody knows what it means elsewhere

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def directory(text: str) -> Path:
    return Path(text).expanduser()


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(f"{number} is not positive")
    return number


def choice(*allowed: str) -> Callable[[str], str]:
    """One of some words."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"{text!r} is not one of {', '.join(allowed)}")
        return text

    return parse


def several(text: str) -> tuple[str, ...]:
    """Words with commas between them."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def directories(text: str) -> tuple[Path, ...]:
    return tuple(directory(each) for each in several(text))


def truth(text: str) -> bool:
    """Whether a switch is on."""
    if text.lower() not in ("true", "false", "on", "off", "1", "0"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() in ("true", "on", "1")


def knob(parse: Callable[[str], object], unit: str, reason: str) -> Mapping[str, Any]:
    """How a setting's text is read, and what docs/settings.md says of it."""
    return {"parse": parse, "unit": unit, "reason": reason}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one server process."""

    PREFIX: ClassVar[str] = "TAILRACE_"

    pg_listen: Address = field(
        default=Address("127.0.0.1", 6875),
        metadata=knob(
            Address.parse,
            "host:port",
            "Where pgwire listens. The port is Materialize's; loopback, because nobody is asked for a password.",
        ),
    )
    http_listen: Address = field(
        default=Address("127.0.0.1", 6876),
        metadata=knob(Address.parse, "host:port", "Where HTTP and websockets listen; loopback for the same reason."),
    )
    data_directory: Path | None = field(
        default=None,
        metadata=knob(
            directory,
            "path",
            "Where the catalog, tables and source offsets are kept. Unset: the database ends with the process.",
        ),
    )
    file_roots: tuple[Path, ...] = field(
        default=(),
        metadata=knob(
            directories,
            "path,...",
            "Directories below which sources and COPY may read files of this host; links are followed before the "
            "check. Unset: the working and the data directory. The log in the data directory is never read.",
        ),
    )
    file_write_roots: tuple[Path, ...] = field(
        default=(),
        metadata=knob(
            directories,
            "path,...",
            "Directories below which COPY may write files of this host, in the place of those that are there. Unset: "
            "`out` in the data directory, or nowhere without one: what may be read is more than a client should "
            "replace.",
        ),
    )
    auth: str = field(
        default="trust",
        metadata=knob(
            choice("trust", "scram-sha-256", "password"),
            "trust, scram-sha-256 or password",
            "Whether clients have to prove who they are. trust takes their word for it, so it is for loopback; "
            "password asks for it in the clear, so pgwire does that over TLS only.",
        ),
    )
    insecure_no_auth: bool = field(
        default=False,
        metadata=knob(
            truth,
            "true or false",
            "Listen beyond loopback although nobody is asked for a password. Whoever reaches the port is superuser.",
        ),
    )
    tls_mode: str = field(
        default="allow",
        metadata=knob(
            choice("disable", "allow", "require"),
            "disable, allow or require",
            "Whether pgwire speaks TLS when asked, or only so. It needs tls_cert and tls_key.",
        ),
    )
    tls_cert: Path | None = field(
        default=None,
        metadata=knob(
            directory, "path", "The certificate of pgwire's TLS, in PEM, its chain behind it. Unset: no TLS."
        ),
    )
    tls_key: Path | None = field(default=None, metadata=knob(directory, "path", "The private key of tls_cert, in PEM."))
    token_seconds_max: int = field(
        default=43_200,
        metadata=knob(positive, "seconds", "How long a bearer token of POST /api/tokens is good: a working day."),
    )
    http_hosts: tuple[str, ...] = field(
        default=(),
        metadata=knob(
            several,
            "host,...",
            "Names that HTTP clients may call this server by, besides addresses and localhost; * for any. Others are "
            "refused: a page may have pointed its own name here.",
        ),
    )
    cors_origins: tuple[str, ...] = field(
        default=(),
        metadata=knob(
            several,
            "origin,...",
            "Origins whose pages may call this server, as https://app.example. Unset: none but its own.",
        ),
    )
    requests_per_second_max: int = field(
        default=5_000,
        metadata=knob(
            positive,
            "requests/s",
            "HTTP requests a second of one client address, twice as many in a burst; more get 429. About what one core "
            "answers.",
        ),
    )
    requests_per_client_max: int = field(
        default=1_000,
        metadata=knob(
            positive,
            "requests",
            "HTTP requests, websockets and event streams of one client address at once; more get 429.",
        ),
    )
    subscriptions_per_socket_max: int = field(
        default=100,
        metadata=knob(
            positive, "subscriptions", "Subscriptions on one websocket; each may have a batch of changes in memory."
        ),
    )
    frame_bytes_max: int = field(
        default=4 << 20,
        metadata=knob(
            positive,
            "bytes",
            "The longest websocket message that is read; a longer one ends the connection with 1009. Rows in bulk come "
            "by POST.",
        ),
    )
    heartbeat_ms: int = field(
        default=5_000,
        metadata=knob(
            positive,
            "ms",
            "How often a subscriber hears something even when nothing changes, so that it can tell quiet from dead.",
        ),
    )
    reconnect_ms: int = field(
        default=1_000,
        metadata=knob(
            positive, "ms", "When subscribers are told to come back after a shutdown: about a restart later."
        ),
    )
    log_format: str = field(
        default="console",
        metadata=knob(choice("console", "json"), "console or json", "Log lines on stderr, for people or for programs."),
    )
    log_level: str = field(
        default="info",
        metadata=knob(
            choice("debug", "info", "warning", "error"),
            "level",
            "The least severe lines that are logged; requests are info.",
        ),
    )
    connections_max: int = field(
        default=500,
        metadata=knob(
            positive,
            "connections",
            "pgwire connections at once; one more gets error 53300. Each costs a thread while a statement of it runs.",
        ),
    )
    message_bytes_max: int = field(
        default=64 << 20,
        metadata=knob(
            positive,
            "bytes",
            "The longest pgwire message or HTTP body that is read. A longer one is refused before it is buffered.",
        ),
    )
    transaction_bytes_max: int = field(
        default=1 << 30,
        metadata=knob(
            positive,
            "bytes",
            "What of a PostgreSQL source's transaction or snapshot waits in memory until all of it is there. The rest "
            "lies in the data directory, in files without names.",
        ),
    )
    source_errors_max: int = field(
        default=100_000,
        metadata=knob(
            positive,
            "rows",
            "The error relation of one source: the latest of its records that were none. The oldest go for them, at "
            "the tick at which they come, and are counted, so that memory stays however long such records come.",
        ),
    )
    reply_rows_max: int = field(
        default=65_536,
        metadata=knob(
            positive,
            "rows",
            "How much of a reply is encoded, and so in memory, at once. Smaller pieces save no memory that matters.",
        ),
    )
    startup_seconds_max: int = field(
        default=60,
        metadata=knob(
            positive,
            "seconds",
            "How long a new pgwire connection may take to send its startup packet; as PostgreSQL.",
        ),
    )
    shutdown_seconds_max: int = field(
        default=5,
        metadata=knob(
            positive,
            "seconds",
            "How long replies under way may take after SIGTERM before their connections are cut. "
            "After twice as long the process ends whatever it computes.",
        ),
    )

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ, flags: Mapping[str, str | None] | None = None) -> Self:
        """Defaults, overridden by the environment, overridden by flags. SettingError for a bad value."""
        flags = flags or {}
        values: dict[str, object] = {}
        for row in fields(cls):
            variable = cls.PREFIX + row.name.upper()
            flag = flags.get(row.name)
            text = environment.get(variable) if flag is None else flag
            if text is None:
                continue
            try:
                values[row.name] = row.metadata["parse"](text)
            except ValueError as error:
                name = variable if flag is None else "--" + row.name.replace("_", "-")
                raise SettingError(f"{name}: {error}") from None
        return cls(**values)  # type: ignore[arg-type] # each value came from its own field's parser
