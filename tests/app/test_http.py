"""HTTP over a real server."""

import json
import re
import socket

import httpx
import pytest

from app.main import Running


@pytest.fixture(scope="module")
def http(server: Running):
    with httpx.Client(base_url=f"http://{server.http}", timeout=30) as client:
        yield client


def results(http, body, **options):
    reply = http.post("/api/sql", json=body, params=options)
    assert reply.status_code == 200, reply.text
    return reply.json()["results"]


def test_rows_in_materializes_shape(http):
    (result,) = results(http, {"query": "SELECT 1 + 2 AS col"})
    assert result == {
        "tag": "SELECT 1",
        "rows": [["3"]],
        "desc": {"columns": [{"name": "col", "type_oid": 23, "type_len": 4, "type_mod": -1}]},
        "notices": [],
        "timestamp": result["timestamp"],
    }


def test_datums_as_json(http):
    (result,) = results(
        http,
        {"query": """SELECT true, NULL, 1.5::numeric, 'é', '{"a": [1, null, "x"]}'::jsonb, 2.5::double precision"""},
    )
    assert result["rows"] == [[True, None, "1.5", "é", {"a": ["1", None, "x"]}, "2.5"]]


def test_statements_stop_at_the_first_error(http):
    query = """CREATE TABLE h (k bigint); INSERT INTO h VALUES (1), (2); SELECT * FROM h ORDER BY k;
        SELECT nope FROM h; SELECT 2"""
    table, insert, select, error = results(http, {"query": query})
    assert table == {"ok": "CREATE TABLE", "notices": []}
    assert insert == {"ok": "INSERT 0 2", "notices": []}
    assert select["rows"] == [["1"], ["2"]]
    assert error["error"]["code"] == "42703"
    assert error["error"]["position"] == query.index("nope") + 1
    assert error["notices"] == []


def test_results_say_what_time_they_are_of(http):
    """A write's is what another client waits for to read it, and a read's is that of what it saw."""
    made, _, read = results(http, {"query": "CREATE TABLE at (k int); INSERT INTO at VALUES (1); TABLE at"})
    assert "timestamp" not in made
    (again,) = results(http, {"query": "INSERT INTO at VALUES (2)"})
    (both,) = results(http, {"query": "BEGIN; INSERT INTO at VALUES (3); INSERT INTO at VALUES (4); COMMIT"})[-1:]
    (seen,) = results(http, {"query": "SELECT count(*) FROM at"})
    assert read["timestamp"] <= again["timestamp"] < both["timestamp"] <= seen["timestamp"]
    assert seen["rows"] == [["4"]]
    past = http.get("/api/views/at/rows", params={"at_least": both["timestamp"], "as_of": again["timestamp"]})
    assert past.json()["rows"] == [["1"], ["2"]]


def test_the_extended_form(http):
    body = {
        "queries": [
            {"query": "CREATE TABLE p (k bigint, v text)"},
            {"query": "INSERT INTO p VALUES ($1, $2)", "params": ["5", None]},
            {"query": "SELECT k, v IS NULL FROM p WHERE k = $1", "params": ["5"]},
            {"query": "SELECT $2", "params": ["only one"]},
        ]
    }
    _, insert, select, error = results(http, body)
    assert insert["ok"] == "INSERT 0 1"
    assert select["rows"] == [["5", True]]
    assert error["error"]["code"] == "08P01"


def test_options_are_session_variables(http):
    (result,) = results(http, {"query": "SHOW application_name"}, options=json.dumps({"application_name": "me"}))
    assert result["rows"] == [["me"]]


@pytest.mark.parametrize("options", ["{", "[]", '{"application_name": 1}'])
def test_options_that_make_no_sense(http, options):
    reply = http.post("/api/sql", json={"query": "SELECT 1"}, params={"options": options})
    assert reply.status_code == 400
    assert reply.json()["sqlstate"] == "22023"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"query": 1}', b'{"qeury": "SELECT 1"}', b'{"queries": [{"query": "x", "params": [1]}]}'],
)
def test_bodies_that_make_no_sense(http, body):
    reply = http.post("/api/sql", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 400
    assert "malformed request" in reply.json()["detail"]


def test_subscribe_and_copy_are_sent_elsewhere(http):
    for statement in ("SUBSCRIBE (SELECT 1)", "COPY (SELECT 1) TO STDOUT"):
        (result,) = results(http, {"query": statement})
        assert result["error"]["code"] == "0A000"


def test_health(http):
    assert http.get("/health/live").json() == {"status": "ok"}
    assert http.get("/health/ready").json() == {"status": "ok"}


def test_metrics_are_prometheus_text(http):
    reply = http.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    sample = re.compile(r'[a-z_:][a-z0-9_:]*(\{([a-z_]+="[^"]*",?)*\})? \S+')
    lines = reply.text.splitlines()
    assert lines
    assert all(line.startswith("# TYPE ") or sample.fullmatch(line) for line in lines)


def test_unknown_paths_and_methods(http):
    assert http.get("/nowhere").status_code == 404
    assert http.get("/api/sql").status_code == 405


def test_a_body_longer_than_allowed_is_refused_before_it_is_sent(server):
    head = b"POST /api/sql HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1073741824\r\n\r\n"
    with socket.create_connection((server.http.host, server.http.port), timeout=10) as client:
        client.sendall(head)
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 413")
