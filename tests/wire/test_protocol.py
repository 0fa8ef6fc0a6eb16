"""Laws of the protocol's core: chunking never matters, rubbish is a violation, the table decides what may come."""

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pgwire import messages as m
from app.pgwire.protocol import NEXT, Connection, State

LIMIT = 1 << 16


def startup(**parameters):
    body = (
        struct.pack(">i", m.PROTOCOL_3_0) + b"".join(m.cstring(x) for pair in parameters.items() for x in pair) + b"\0"
    )
    return struct.pack(">i", len(body) + 4) + body


def encode(message):
    """The client's side of the codec: what `decode` has to undo."""
    text = m.cstring
    match message:
        case m.Query(sql):
            return m.frame(b"Q", text(sql))
        case m.Parse(name, sql, types):
            return m.frame(b"P", text(name) + text(sql) + struct.pack(f">h{len(types)}i", len(types), *types))
        case m.Bind(portal, statement, formats, parameters, results):
            body = text(portal) + text(statement) + struct.pack(f">h{len(formats)}h", len(formats), *formats)
            body += struct.pack(">h", len(parameters))
            for value in parameters:
                body += struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value
            return m.frame(b"B", body + struct.pack(f">h{len(results)}h", len(results), *results))
        case m.Describe(kind, name):
            return m.frame(b"D", kind.encode() + text(name))
        case m.Close(kind, name):
            return m.frame(b"C", kind.encode() + text(name))
        case m.Execute(portal, rows_max):
            return m.frame(b"E", text(portal) + struct.pack(">i", rows_max))
        case m.Flush():
            return m.frame(b"H")
        case m.Sync():
            return m.frame(b"S")
    raise AssertionError(message)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
OIDS = st.lists(st.integers(0, 5000), max_size=3).map(tuple)
FORMATS = st.lists(st.integers(0, 1), max_size=3).map(tuple)
KINDS = st.sampled_from(["S", "P"])
MESSAGES = st.lists(
    st.builds(m.Query, NAMES)
    | st.builds(m.Parse, NAMES, NAMES, OIDS)
    | st.builds(m.Bind, NAMES, NAMES, FORMATS, st.lists(st.none() | st.binary(max_size=9)).map(tuple), FORMATS)
    | st.builds(m.Describe, KINDS, NAMES)
    | st.builds(m.Close, KINDS, NAMES)
    | st.builds(m.Execute, NAMES, st.integers(0, 9))
    | st.builds(m.Flush)
    | st.builds(m.Sync),
    max_size=8,
)


def pieces_of(stream, cuts):
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[a:b] for a, b in itertools.pairwise(places)]


def taken(connection, chunks):
    """Everything that a connection makes of the chunks: messages, own replies, and the violation that ended it."""
    seen = []
    for chunk in chunks:
        connection.receive(chunk)
        try:
            while message := connection.next():
                seen.append(message)
                if isinstance(message, m.Startup):
                    connection.admitted()
        except m.ProtocolViolation as violation:
            return [*seen, str(violation)], connection.replies()
    return seen, connection.replies()


@given(MESSAGES, st.lists(st.integers(0, 10_000)))
def test_chunking_never_matters(messages, cuts):
    stream = struct.pack(">ii", 8, m.SSL) + startup(user="ada") + b"".join(map(encode, messages))
    expected = [m.Startup(m.PROTOCOL_3_0, {"user": "ada"}), *messages]
    whole = taken(Connection(LIMIT), [stream])
    assert whole == (expected, m.NO_ENCRYPTION)
    assert taken(Connection(LIMIT), pieces_of(stream, cuts)) == whole
    assert taken(Connection(LIMIT), [stream[i : i + 1] for i in range(len(stream))]) == whole


@given(st.binary(max_size=200), st.lists(st.integers(0, 10_000)), st.booleans())
def test_rubbish_is_a_violation_or_waits_for_more(rubbish, cuts, started):
    stream = (startup(user="ada") if started else b"") + rubbish
    assert taken(Connection(LIMIT), pieces_of(stream, cuts)) == taken(Connection(LIMIT), [stream])


@given(MESSAGES.filter(len), st.integers(0, 10_000))
def test_a_truncated_stream_gives_a_prefix(messages, cut):
    stream = startup(user="ada") + b"".join(map(encode, messages))
    seen, _ = taken(Connection(LIMIT), [stream[: cut % len(stream)]])
    assert seen == [m.Startup(m.PROTOCOL_3_0, {"user": "ada"}), *messages][: len(seen)]
    assert len(seen) <= len(messages)


@given(MESSAGES, MESSAGES)
def test_after_an_error_all_but_sync_is_dropped(dropped, after):
    connection = Connection(LIMIT)
    connection.receive(startup(user="ada") + encode(m.Parse("", "", ())))
    assert connection.next() is not None
    connection.admitted()
    while connection.next():
        connection.failed()
    assert connection.state is State.SKIPPING
    dropped = [message for message in dropped if message != m.Sync()]
    assert taken(connection, [b"".join(map(encode, [*dropped, m.Sync(), *after]))])[0] == [m.Sync(), *after]


def test_an_error_of_a_simple_query_drops_nothing():
    connection = Connection(LIMIT)
    connection.receive(startup(user="ada") + encode(m.Query("SELECT 1/0")))
    assert connection.next() is not None
    connection.admitted()
    while connection.next():
        connection.failed()
    assert connection.state is State.READY


def test_every_state_has_its_row():
    assert set(NEXT) == set(State)


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (struct.pack(">ii", 8, 2 << 16), "unsupported frontend protocol 2.0"),
        (struct.pack(">i", 3), "invalid length 3 of startup packet"),
        (struct.pack(">i", 1 << 30), "startup packet of 1073741824 bytes"),
        (b"GET / HTTP/1.1\r\n\r\n", "startup packet of"),
        (startup(user="a") + b"Q" + struct.pack(">i", LIMIT + 1), "message_bytes_max"),
        (startup(user="a") + b"Q\x00\x00\x00\x03", "invalid length 3 of message"),
        (startup(user="a") + m.frame(b"Q", b"no end"), "invalid string in message"),
        (startup(user="a") + m.frame(b"Q", b"\xff\0"), "invalid byte sequence"),
        (startup(user="a") + m.frame(b"Q", b"a\0b"), "invalid message format"),
        (startup(user="a") + m.frame(b"!"), "invalid frontend message type 33"),
        (startup(user="a") + m.frame(b"D", b"X\0"), "kind"),
        (startup(user="a") + m.frame(b"p", b"secret\0"), "unexpected Password message between queries"),
    ],
)
def test_violations_say_what_was_wrong(stream, said):
    seen, _ = taken(Connection(LIMIT), [stream])
    assert said in seen[-1]


def test_unknown_protocol_options_are_negotiated_away():
    connection = Connection(LIMIT)
    connection.receive(startup(**{"user": "ada", "_pq_.shiny": "1"}))
    assert connection.next() is not None
    assert connection.replies() == m.negotiate_protocol_version(m.PROTOCOL_3_0, ["_pq_.shiny"])


def test_a_cancel_request_ends_the_conversation():
    connection = Connection(LIMIT)
    connection.receive(struct.pack(">iiii", 16, m.CANCEL, 7, 8) + b"more")
    assert connection.next() == m.CancelRequest(7, struct.pack(">i", 8))
    assert connection.next() is None


@pytest.mark.parametrize(
    ("minor", "version", "told"), [(0, m.PROTOCOL_3_0, False), (2, m.PROTOCOL_3_2, False), (9999, m.PROTOCOL_3_2, True)]
)
def test_the_version_is_negotiated_down(minor, version, told):
    connection = Connection(LIMIT)
    body = struct.pack(">i", 3 << 16 | minor) + b"user\0ada\0\0"
    connection.receive(struct.pack(">i", len(body) + 4) + body)
    assert connection.next() is not None
    assert connection.version == version
    assert connection.replies() == (m.negotiate_protocol_version(version, []) if told else b"")


def test_nothing_but_a_password_comes_before_the_client_is_admitted():
    connection = Connection(LIMIT)
    connection.receive(startup(user="ada") + m.frame(b"p", b"secret\0") + encode(m.Query("SELECT 1")))
    assert isinstance(connection.next(), m.Startup)
    assert connection.next() == m.Password(b"secret\0")
    with pytest.raises(m.ProtocolViolation):
        connection.next()


def test_bytes_behind_a_granted_request_for_tls_are_refused():
    """They would be read as if they had come encrypted (CVE-2021-23214)."""
    connection = Connection(LIMIT, tls=True)
    connection.receive(struct.pack(">ii", 8, m.SSL) + startup(user="ada"))
    with pytest.raises(m.ProtocolViolation):
        connection.next()
