"""Webhook sources over HTTP: what comes in is rows, once and for good; what does not pass leaves nothing."""

import base64
import hashlib
import hmac
import selectors
import socket
import threading
from contextlib import ExitStack
from dataclasses import replace

import httpx
import pytest

from app.front import WEBHOOKS_RUNNING_MAX
from app.main import in_background
from engine.database import Database
from engine.errors import DependentObjects, SqlError
from tests.serving import SETTINGS


@pytest.fixture(scope="module")
def http(server):
    with httpx.Client(base_url=f"http://{server.http}", timeout=30) as client:
        yield client


def post(http, source, content, headers=None):
    return http.post(f"/api/webhook/materialize/public/{source}", content=content, headers=headers)


def taken(http, source, content, headers=None):
    reply = post(http, source, content, headers)
    assert reply.status_code == 200, reply.text
    return reply.json()


def rows(server, sql):
    return sorted(server.database.execute(sql).rows(), key=repr)


@pytest.mark.parametrize(
    ("format", "body", "expected"),
    [
        ("JSON", b'{"b": 1.10, "a": [1, 2]}', ['{"a":[1,2],"b":1.1}']),
        ("JSON", b'{"a": 1}\n{"a": 2}\r\n\n{"a": 3}', ['{"a":1}', '{"a":2}', '{"a":3}']),
        ("JSON", b'{"a":"\\n"}{"a":2} 3 "x"', ['"x"', "3", '{"a":"\\n"}', '{"a":2}']),
        ("JSON", b"[1, 2]", ["[1,2]"]),
        ("JSON ARRAY", b"[1, {}, [2]]", ["1", "[2]", "{}"]),
        ("JSON ARRAY", b"[]", []),
        ("JSON ARRAY", b"[1]\n[2, 3]\n4", ["1", "2", "3", "4"]),
        ("TEXT", "grüße\n2".encode(), ["grüße\n2"]),
        ("TEXT", b"", [""]),
        ("BYTES", b"\xff\x00", ["\\xff00"]),
    ],
)
def test_a_body_is_rows_of_its_format(server, http, format, body, expected):
    server.database.execute(f"CREATE SOURCE wh_f FROM WEBHOOK BODY FORMAT {format}")
    assert taken(http, "wh_f", body)["rows"] == len(expected)
    assert sorted(body for (body,) in rows(server, "SELECT body::text FROM wh_f")) == expected
    server.database.execute("DROP SOURCE wh_f")


@pytest.mark.parametrize(
    ("format", "body"),
    [
        ("JSON", b""), ("JSON", b" \n"), ("JSON", b'{"a": 1}\n{"a"'), ("JSON", b"12x"), ("JSON", b"truefalse"),
        ("JSON", b"NaN"), ("JSON", b"\xff"), ("JSON", b"[" * 100_000), ("JSON", b'"\\ud800"'),
        ("JSON ARRAY", b"[1, 2"), ("JSON ARRAY", b"[1,]"), ("TEXT", b"\xff"), ("TEXT", b"a\x00"),
    ],
)  # fmt: skip
def test_a_body_that_is_not_of_the_format_leaves_nothing(server, http, format, body):
    server.database.execute(f"CREATE SOURCE wh_bad FROM WEBHOOK BODY FORMAT {format}")
    reply = post(http, "wh_bad", body)
    assert reply.status_code == 400, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert rows(server, "SELECT * FROM wh_bad") == []
    server.database.execute("DROP SOURCE wh_bad")


def test_headers_are_columns(server, http):
    server.database.execute(
        """CREATE SOURCE wh_h FROM WEBHOOK BODY FORMAT TEXT
        INCLUDE HEADERS (NOT 'Authorization', NOT 'x-secret')
        INCLUDE HEADER 'X-Kind' AS kind, HEADER 'x-raw' AS raw BYTES"""
    )
    given = {"x-kind": "a", "x-raw": b"\xff", "authorization": "Bearer x", "x-secret": "s"}
    reply = post(http, "wh_h", "1", given)
    assert reply.status_code == 400, "headers is a map of text"
    given["x-raw"] = b"r"
    taken(http, "wh_h", "1", given)
    taken(http, "wh_h", "2")
    found = rows(server, "SELECT body, kind, raw, headers->'x-kind', headers ? 'x-secret', headers ? 'authorization', "
                         "headers ? 'host' FROM wh_h")  # fmt: skip
    assert found == [("1", "a", b"r", "a", False, False, True), ("2", None, None, None, False, False, True)]
    server.database.execute("CREATE SOURCE wh_h2 FROM WEBHOOK BODY FORMAT TEXT INCLUDE HEADERS ('x-kind')")
    taken(http, "wh_h2", "1", {"x-kind": "b"})
    assert rows(server, "SELECT headers::text FROM wh_h2") == [("{x-kind=>b}",)]


def signed(key, body):
    return {"x-signature": base64.b64encode(hmac.new(key, body, hashlib.sha256).digest()).decode()}


CHECKED = """CREATE SOURCE wh_c FROM WEBHOOK BODY FORMAT JSON CHECK (
    WITH (HEADERS, BODY AS request, SECRET wh_secret AS key)
    constant_time_eq(decode(headers->'x-signature', 'base64'), hmac(request, key, 'sha256'))
)"""


def test_only_what_passes_the_check_comes_in(server, http):
    server.database.execute(f"CREATE SECRET wh_secret AS 'hush hush'; {CHECKED}")
    body = b'{"paid": 3}'
    taken(http, "wh_c", body, signed(b"hush hush", body))
    wrong = [signed(b"guess", body), signed(b"hush hush", b'{"paid": 4}'), {}, {"x-signature": "no base64 at all!"}]
    for headers in wrong:
        reply = post(http, "wh_c", body, headers)
        assert reply.status_code == 400, reply.text
        assert "CHECK" in reply.json()["detail"]
        assert "hush" not in reply.text
    twice = [*signed(b"hush hush", body).items(), ("X-Signature", "x")]
    assert post(http, "wh_c", body, twice).status_code == 401
    assert rows(server, "SELECT body->'paid' FROM wh_c") == [("3",)]
    shown = server.database.execute("SHOW CREATE SOURCE wh_c").rows()[0][1]
    assert "wh_secret AS key" in shown
    assert "hush" not in shown
    with pytest.raises(DependentObjects):
        server.database.execute("DROP SECRET wh_secret")


def test_a_check_that_fails_says_nothing_of_the_secret(server, http):
    server.database.execute(
        """CREATE SECRET wh_word AS 'swordfish';
        CREATE SOURCE wh_e FROM WEBHOOK BODY FORMAT TEXT CHECK (WITH (SECRET wh_word) wh_word::int = 1)"""
    )
    reply = post(http, "wh_e", "x")
    assert reply.status_code == 400
    assert "swordfish" not in reply.text


def test_a_check_without_names_sees_the_request_and_the_time(server, http):
    server.database.execute(
        "CREATE SOURCE wh_n FROM WEBHOOK BODY FORMAT BYTES CHECK ("
        "body = 'b' AND headers->'x-at' > '2' AND now() > '2020-01-01')"
    )
    taken(http, "wh_n", "b", {"x-at": "3"})
    assert post(http, "wh_n", "c", {"x-at": "3"}).status_code == 400
    assert post(http, "wh_n", "b").status_code == 400, "NULL is not true"
    server.database.execute(
        "CREATE SOURCE wh_b FROM WEBHOOK BODY FORMAT BYTES CHECK ("
        "WITH (BODY BYTES, HEADERS AS h BYTES) body = '\\xff' AND h->'x-at' = '\\xfe')"
    )
    taken(http, "wh_b", b"\xff", {"x-at": b"\xfe"})


def test_what_is_no_webhook_source_is_not_found(server, http):
    server.database.execute("CREATE TABLE wh_t (body text)")
    for name in ("nowhere", "wh_t"):
        assert post(http, name, "x").status_code == 404
    assert http.post("/api/webhook/nowhere/public/s", content="x").status_code == 404
    assert http.post("/api/webhook/materialize/nowhere/s", content="x").status_code == 404


def test_a_body_has_an_end(server, http):
    server.database.execute("CREATE SOURCE wh_l FROM WEBHOOK BODY FORMAT BYTES")
    assert taken(http, "wh_l", bytes(2 << 20))["rows"] == 1
    assert post(http, "wh_l", bytes((2 << 20) + 1)).status_code == 413
    assert post(http, "wh_l", (bytes(1 << 20) for _ in range(3))).status_code == 413, "without a declared length"
    assert rows(server, "SELECT length(body) FROM wh_l") == [(2 << 20,)]


def test_the_short_path_names_it_as_other_paths_do(server, http):
    server.database.execute('CREATE SCHEMA wh_s; CREATE SOURCE wh_s."a.b" FROM WEBHOOK BODY FORMAT TEXT')
    server.database.execute("CREATE SOURCE wh_short FROM WEBHOOK BODY FORMAT TEXT")
    for path in ("wh_short", "public.wh_short", "materialize.public.wh_short", 'wh_s."a.b"', "materialize/wh_s/a.b"):
        assert http.post(f"/api/webhook/{path}", content=path).json()["rows"] == 1, path
    assert len(rows(server, "SELECT * FROM wh_short")) == 3
    assert len(rows(server, 'SELECT * FROM wh_s."a.b"')) == 2
    assert http.post("/api/webhook/nowhere", content="x").status_code == 404


def test_a_flood_is_told_to_come_again(server, http):
    """As many requests at once as may be, each still sending its body, and three more: those get 429."""
    server.database.execute("CREATE SOURCE wh_flood FROM WEBHOOK BODY FORMAT TEXT")
    head = b"POST /api/webhook/wh_flood HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
    with ExitStack() as opened, selectors.DefaultSelector() as answered:
        for _ in range(WEBHOOKS_RUNNING_MAX + 3):
            one = opened.enter_context(socket.create_connection((server.http.host, server.http.port), timeout=60))
            one.sendall(head + b"ab")
            answered.register(one, selectors.EVENT_READ)
        refused = []
        while len(refused) < 3:
            ready = answered.select(60)
            assert ready
            for key, _ in ready:
                answered.unregister(key.fileobj)
                refused.append(key.fileobj.recv(1 << 16))
        for reply in refused:
            assert reply.startswith(b"HTTP/1.1 429")
            assert b"retry-after: 1\r\n" in reply.lower()
        waiting = [key.fileobj for key in answered.get_map().values()]
        for one in waiting:
            one.sendall(b"cd")
        for one in waiting:
            assert one.recv(1 << 16).startswith(b"HTTP/1.1 200")
    assert http.post("/api/webhook/wh_flood", content="late").status_code == 200
    found = server.database.execute("SELECT count(*) FROM wh_flood WHERE body = 'abcd'").rows()
    assert found == [(WEBHOOKS_RUNNING_MAX,)]


def test_views_follow_and_writers_share_ticks(server, http):
    server.database.execute(
        "CREATE SOURCE wh_v FROM WEBHOOK BODY FORMAT JSON; "
        "CREATE MATERIALIZED VIEW wh_sum AS SELECT count(*) n, sum((body->>'v')::int) s FROM wh_v"
    )

    def send(k):
        with httpx.Client(base_url=f"http://{server.http}", timeout=30) as client:
            for i in range(5):
                taken(client, "wh_v", f'{{"v": {k}}}\n{{"v": {i}}}')

    threads = [threading.Thread(target=send, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(server, "SELECT n, s::text FROM wh_sum") == [(60, str(5 * 15 + 6 * 10))]
    status = rows(server, "SELECT status FROM mz_internal.mz_source_statuses WHERE name = 'wh_v'")
    assert status == [("running",)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("CREATE SOURCE x (a int) FROM WEBHOOK BODY FORMAT JSON", "its own columns"),
        ("CREATE SOURCE x FROM WEBHOOK BODY FORMAT CSV", "syntax error"),
        ("CREATE SOURCE x FROM WEBHOOK BODY FORMAT JSON ENVELOPE UPSERT", "no options"),
        ("CREATE SOURCE x FROM WEBHOOK BODY FORMAT JSON INCLUDE HEADER 'a' AS body", "more than once"),
        ("CREATE SOURCE x FROM WEBHOOK BODY FORMAT JSON CHECK (body)", "must be type boolean"),
        ("CREATE SOURCE x FROM WEBHOOK BODY FORMAT JSON CHECK (WITH (BODY) headers IS NULL)", "does not exist"),
        ("CREATE SOURCE x FROM WEBHOOK BODY FORMAT JSON CHECK (WITH (BODY, SECRET nope) true)", "nope"),
        ("CREATE SOURCE x FROM WEBHOOK BODY FORMAT JSON CHECK (WITH (BODY, HEADERS AS body) true)", "two things"),
        ("CREATE SOURCE x FROM WEBHOOK BODY FORMAT JSON CHECK ((SELECT true))", "subquery"),
        ("CREATE SOURCE x FROM WEBHOOK BODY FORMAT JSON CHECK (count(*) > 1)", "aggregate"),
    ],
)
def test_what_is_no_webhook_source_is_refused(server, sql, message):
    with pytest.raises(SqlError, match=message):
        server.database.execute(sql)


def test_a_secret_may_get_another_value(tmp_path):
    """From the commit on, for good; what a block does is its own until then."""
    kept = replace(SETTINGS, data_directory=tmp_path)
    body = b'{"paid": 1}'
    with in_background(kept) as running, httpx.Client(base_url=f"http://{running.http}") as client:
        running.database.execute(f"CREATE SECRET wh_secret AS 'k'; {CHECKED}")
        session = running.database.session()
        for end, key in (("ROLLBACK", b"k"), ("COMMIT", b"l")):
            session.execute("BEGIN; ALTER SECRET wh_secret AS 'l'")
            taken(client, "wh_c", body, signed(b"k", body))
            session.execute(end)
            taken(client, "wh_c", body, signed(key, body))
        assert post(client, "wh_c", body, signed(b"k", body)).status_code == 400
        with pytest.raises(SqlError, match="does not exist"):
            session.execute("ALTER SECRET other AS 'x'")
        assert session.execute("ALTER SECRET IF EXISTS other AS 'x'").tag == "ALTER SECRET"
    with in_background(kept) as running, httpx.Client(base_url=f"http://{running.http}") as client:
        taken(client, "wh_c", body, signed(b"l", body))
        assert post(client, "wh_c", body, signed(b"k", body)).status_code == 400


def test_what_was_acknowledged_survives_a_restart(tmp_path):
    kept = replace(SETTINGS, data_directory=tmp_path)
    body = b'{"paid": 1.50}'
    with in_background(kept) as running, httpx.Client(base_url=f"http://{running.http}") as client:
        running.database.execute(f"CREATE SECRET wh_secret AS 'k'; {CHECKED}")
        running.database.execute("CREATE MATERIALIZED VIEW paid AS SELECT body->'paid' AS paid FROM wh_c")
        taken(client, "wh_c", body, signed(b"k", body))
        running.database.execute("ALTER SOURCE wh_c RENAME TO wh_c2; ALTER SECRET wh_secret RENAME TO other")
    with in_background(kept) as running, httpx.Client(base_url=f"http://{running.http}") as client:
        assert rows(running, "SELECT paid FROM paid") == [("1.5",)]
        taken(client, "wh_c2", body, signed(b"k", body))
        assert post(client, "wh_c2", body, signed(b"l", body)).status_code == 400
        assert post(client, "wh_c", body, signed(b"k", body)).status_code == 404
        assert rows(running, "SELECT paid FROM paid") == [("1.5",), ("1.5",)]
        running.database.execute("DROP SOURCE wh_c2 CASCADE")
    with Database.open(tmp_path) as database:
        assert database.execute("SELECT count(*) FROM mz_sources WHERE name LIKE 'wh%'").rows() == [(0,)]
