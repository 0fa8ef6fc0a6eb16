"""The protocol's corners over a real socket: rubbish, truncation, departures. The server stays up through them."""

import socket
import struct

import pytest

from app.main import Running
from app.pgwire import messages as m
from app.pgwire.conversation import REPORTED


class Raw:
    """A client of bytes."""

    def __init__(self, server: Running) -> None:
        self.socket = socket.create_connection((server.pg.host, server.pg.port), timeout=20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *parts):
        self.socket.sendall(b"".join(parts))

    def start(self):
        body = struct.pack(">i", m.PROTOCOL_3_0) + b"user\0materialize\0\0"
        self.send(struct.pack(">i", len(body) + 4), body)
        return self.until(b"Z")

    def take(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise EOFError(data)
            data += piece
        return data

    def until(self, tag):
        """Messages up to the first of type `tag`."""
        found = []
        while True:
            head = self.take(5)
            found.append((head[:1], self.take(int.from_bytes(head[1:], "big") - 4)))
            if head[:1] == tag:
                return found

    def ended(self):
        """All that comes until the server closes."""
        data = b""
        while piece := self.socket.recv(1 << 16):
            data += piece
        return data


@pytest.fixture
def raw(server):
    with Raw(server) as client:
        yield client


def query(sql):
    return m.frame(b"Q", m.cstring(sql))


def tags(found):
    return b"".join(tag for tag, _ in found)


def test_ssl_is_declined_and_the_conversation_goes_on(raw):
    raw.send(struct.pack(">ii", 8, m.SSL))
    assert raw.take(1) == b"N"
    assert tags(raw.start())[:1] == b"R"


def test_startup_tells_what_drivers_read(raw):
    found = raw.start()
    status = dict(body[:-1].split(b"\0") for tag, body in found if tag == b"S")
    assert status.keys() == {name.encode() for name in REPORTED}
    assert (status[b"is_superuser"], status[b"session_authorization"]) == (b"on", b"materialize")
    assert tags(found)[-2:] == b"KZ"


@pytest.mark.parametrize("rubbish", [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\3", struct.pack(">ii", 8, 2 << 16)])
def test_rubbish_before_startup_is_told_and_cut(raw, rubbish):
    raw.send(rubbish)
    reply = raw.ended()
    assert reply[:1] == b"E"
    assert b"08P01" in reply


def test_rubbish_after_startup_is_told_and_cut(raw):
    raw.start()
    raw.send(m.frame(b"!", b"what"))
    assert b"08P01" in raw.ended()


def test_a_message_longer_than_allowed_is_refused_before_it_is_sent(raw):
    raw.start()
    raw.send(b"Q", struct.pack(">i", 0x7FFFFFFF))
    assert b"message_bytes_max" in raw.ended()


def test_one_ready_for_each_query_of_a_pipeline(raw):
    raw.start()
    raw.send(query("SELECT 1"), query("SELECT 1/0"), query(""), query("SELECT 2"))
    assert [tags(raw.until(b"Z")) for _ in range(4)] == [b"TDCZ", b"EZ", b"IZ", b"TDCZ"]


def test_an_error_in_an_extended_series_skips_to_sync(raw):
    raw.start()
    bind = m.frame(b"B", b"\0\0" + struct.pack(">hhh", 0, 0, 0))
    execute = m.frame(b"E", b"\0" + struct.pack(">i", 0))
    parse = m.frame(b"P", b"\0" + m.cstring("SELECT 1/0") + struct.pack(">h", 0))
    raw.send(parse, bind, execute, execute, m.frame(b"S"))
    assert tags(raw.until(b"Z")) == b"12EZ"
    raw.send(query("SELECT 1"))
    assert tags(raw.until(b"Z")) == b"TDCZ"


def test_execute_in_parts(raw):
    raw.start()
    parse = m.frame(b"P", b"\0" + m.cstring("SELECT * FROM generate_series(1, 3)") + struct.pack(">h", 0))
    bind = m.frame(b"B", b"\0\0" + struct.pack(">hhh", 0, 0, 0))
    two = m.frame(b"E", b"\0" + struct.pack(">i", 2))
    raw.send(parse, bind, m.frame(b"D", b"P\0"), two, two, m.frame(b"S"))
    assert tags(raw.until(b"Z")) == b"12TDDsDCZ"


def test_execute_in_parts_that_are_large(raw):
    raw.start()
    parse = m.frame(b"P", b"\0SELECT g FROM generate_series(1, 150000) AS g\0" + struct.pack(">h", 0))
    bind = m.frame(b"B", b"\0\0" + struct.pack(">hhh", 0, 0, 0))
    parts = [m.frame(b"E", b"\0" + struct.pack(">i", count)) for count in (10, 70_000, 70_000, 0)]
    raw.send(parse, bind, *parts, m.frame(b"S"))
    found = raw.until(b"Z")
    rows = [int(body[6:]) for tag, body in found if tag == b"D"]
    assert rows == list(range(1, 150_001))
    ends = [(tag, len(rows)) for rows, tag in cut(found)]
    assert ends == [(b"s", 10), (b"s", 70_000), (b"s", 70_000), (b"C", 9990)]


def cut(found):
    """The rows before each end of an Execute, and the type of that end."""
    rows = []
    for tag, body in found:
        if tag == b"D":
            rows.append(body)
        elif tag in (b"s", b"C"):
            yield rows, tag
            rows = []


def test_clients_that_leave_in_the_middle_cost_nothing_that_stays(server):
    for cut in (b"", b"\0", struct.pack(">ii", 8, m.SSL), struct.pack(">i", 100)):
        with Raw(server) as client:
            client.send(cut)
    for _ in range(20):
        with Raw(server) as client:
            client.start()
            client.send(query("COPY (SUBSCRIBE mz_databases) TO STDOUT"))
    with Raw(server) as client:
        client.start()
        client.send(query("SELECT 1"))
        assert tags(client.until(b"Z")) == b"TDCZ"


def test_a_wrong_cancel_key_cancels_nothing(server, raw):
    key = dict(raw.start())[b"K"]
    with Raw(server) as other:
        other.send(struct.pack(">ii", 16, m.CANCEL), key[:4], bytes(4))
        assert other.ended() == b""
    raw.send(query("SELECT 1"))
    assert tags(raw.until(b"Z")) == b"TDCZ"


def test_what_is_no_copy_data_ends_the_copy_and_the_connection(server: Running) -> None:
    """The write is not there, and what stands behind is not run."""
    server.database.execute("CREATE TABLE half_copied (a int)")
    with Raw(server) as client:
        client.start()
        client.send(query("COPY half_copied FROM STDIN"))
        client.until(b"G")
        client.send(m.frame(b"d", b"1\n"), query("INSERT INTO half_copied VALUES (2)"), m.frame(b"c", b""))
        with pytest.raises(EOFError):
            client.until(b"\0")
    server.database.execute("INSERT INTO half_copied VALUES (3)")
    assert server.database.execute("SELECT a FROM half_copied").rows() == [(3,)]
