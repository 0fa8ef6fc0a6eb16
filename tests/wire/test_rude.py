"""Clients that read slowly, break off or send rubbish: no tick waits for them, no memory stays behind them."""

import gc
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable
from weakref import WeakSet

import pytest

from app.main import Running
from app.pgwire import messages as m
from app.pgwire.conversation import Conversation
from app.pgwire.peer import Peer
from tests.wire.test_corners import Raw, query, tags

LONG = 8192
UPDATES = 1500


def test_a_slow_reader_gets_every_change_merged_and_no_write_waits_for_it(server: Running) -> None:
    database = server.database
    database.execute("CREATE TABLE busy (a text)")
    with Raw(server) as raw:
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        raw.start()
        raw.send(query("COPY (SUBSCRIBE busy) TO STDOUT"))
        raw.until(b"H")
        text = None
        for number in range(UPDATES):
            before, text = text, f"{number:06}" * (LONG // 6)
            rows = [(text,)] if before is None else [(text,), (before,)]
            database.write("busy", rows, [1, -1][: len(rows)])
        database.write("busy", [("end",)])
        found: Counter[str] = Counter()
        size = 0
        while +found != {text: 1, "end": 1}:
            (_, body) = raw.until(b"d")[-1]
            size += len(body)
            _, diff, changed = body.decode().rstrip("\n").split("\t")
            found[changed] += int(diff)
            if not found[changed]:
                del found[changed]
    assert size < UPDATES * LONG  # half of what it is without merging: a row less and a row more for each write


def opened(raw: Raw) -> None:
    """Nothing is said."""


def truncated(raw: Raw) -> None:
    raw.start()
    raw.send(b"Q", struct.pack(">i", 1000), b"SELECT")


def oversized(raw: Raw) -> None:
    raw.start()
    raw.send(b"d", struct.pack(">i", 0x7FFFFFFF), bytes(1000))


def fuzzed(raw: Raw) -> None:
    raw.start()
    raw.send(random.Random(7).randbytes(2000))


def half_started(raw: Raw) -> None:
    raw.send(struct.pack(">ii", 100, m.PROTOCOL_3_0), b"user\0mat")


def subscribed(raw: Raw) -> None:
    raw.start()
    raw.send(query("COPY (SUBSCRIBE (SELECT * FROM generate_series(1, 1000))) TO STDOUT"))
    raw.until(b"H")


def copying(raw: Raw) -> None:
    raw.start()
    raw.send(query("CREATE TEMP TABLE c (a text)"), query("COPY c FROM STDIN"))
    raw.until(b"G")
    raw.send(m.frame(b"d", b"x" * 100_000))


def unread(raw: Raw) -> None:
    """A large answer that nobody reads."""
    raw.start()
    raw.send(query("SELECT repeat('x', 100) FROM generate_series(1, 100000)"))
    raw.until(b"T")


def in_transaction(raw: Raw) -> None:
    raw.start()
    raw.send(query("BEGIN; DECLARE c CURSOR FOR SELECT 1"))
    raw.until(b"Z")


KINDS = (opened, truncated, oversized, fuzzed, half_started, subscribed, copying, unread, in_transaction)


def there() -> list[Peer | Conversation]:
    """What the server keeps for a client."""
    return [thing for thing in gc.get_objects() if isinstance(thing, Peer | Conversation)]


@pytest.mark.parametrize("rude", KINDS)
def test_what_a_rude_client_took_comes_back(server: Running, rude: Callable[[Raw], None]) -> None:
    with Raw(server) as polite:
        polite.start()
        before = {id(thing) for thing in there()}
        clients = [Raw(server) for _ in range(20)]
        for client in clients:
            rude(client)
        polite.send(query("SELECT 1"))
        polite.until(b"Z")
        taken = WeakSet(thing for thing in there() if id(thing) not in before)
        assert taken
        for client in clients:
            client.socket.close()
        for _ in range(2000):
            polite.send(query("SELECT 1"))
            assert tags(polite.until(b"Z")) == b"TDCZ"
            if gauges(server)["tailrace_sessions"] <= 1:
                gc.collect()
                if not taken:
                    break
        assert not taken
        assert gauges(server)["tailrace_subscriptions"] == 0


def gauges(server: Running) -> dict[str, float]:
    return {name: value for name, labels, value in server.database.metrics() if not labels}
