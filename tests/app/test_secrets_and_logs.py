"""A server of its own, as it is run: its log lines, its shutdown, and that no secret is anywhere in what it says.

Each secret is a word of its own kind, so that whatever repeats one tells which."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.app.test_command import ENVIRONMENT, READY, ROOT

ADMIN = "planted-admin-password"


@contextmanager
def serving(*arguments, **environment):
    """(the process, its pgwire port, where HTTP is)."""
    command = [sys.executable, "-m", "app.cli", "serve", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env={**ENVIRONMENT, **environment}, **pipes) as process:
        try:
            ready = READY.fullmatch(process.stdout.readline().rstrip())
            assert ready, process.stderr.read()
            yield process, int(ready[1]), f"127.0.0.1:{ready[2]}"
        finally:
            process.kill()


def ended(process):
    """Told to stop; what it logged."""
    process.send_signal(signal.SIGTERM)
    said, logged = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, "")
    return logged


FINE = [
    "CREATE SECRET s1 AS 'planted-before'", "ALTER SECRET s1 AS 'planted-secret'",
    "CREATE SECRET s2 AS $$planted-dollars$$",
    "CREATE ROLE someone LOGIN PASSWORD 'planted-role'", "ALTER ROLE someone PASSWORD 'planted-changed'",
    "CREATE CONNECTION kc TO KAFKA (BROKER '127.0.0.1:1', SASL MECHANISMS 'PLAIN', SASL USERNAME 'u', "
    "SASL PASSWORD = SECRET s1)",
    "CREATE SOURCE hook FROM WEBHOOK BODY FORMAT TEXT CHECK (WITH (HEADERS, SECRET s1) headers->'x-key' = s1)",
]  # fmt: skip
FAILING = [
    "CREATE SECRET s1 AS 'planted-again'",
    "CREATE SECRET s3 AS 'planted-behind' and more",
    "CREATE SECRET s3 'planted-no-as'",
    "CREATE SECRET 'planted-no-name'",
    "CREATE SECRET s3 AS 'planted-cast'::int",
    "CREATE SECRET s3 AS 'planted-open",
    "CREATE SECRET s3 AS upper($$planted-upper$$) || 1/0",
    "CREATE SECRET nowhere.s3 AS 'planted-nowhere'",
    "SELECT 1; CREATE SECRET s3 'planted-second'",
    "ALTER SECRET s9 AS 'planted-alter-nowhere'",
    "EXPLAIN CREATE SECRET s AS 'planted-ex'",
    "CREATE ROLE x LOGIN PASSWORD planted_word",
    "CREATE ROLE x LOGIN PASSWORD 'planted-rest' rest",
    "ALTER ROLE nobody PASSWORD 'planted-nobody'",
    "CREATE ROLE x LOGIN PASSWORD 'planted-quote''d",
    "CREATE CONNECTION c TO KAFKA (BROKER 'b:1', SASL MECHANISMS 'PLAIN', SASL USERNAME 'u', "
    "SASL PASSWORD 'planted-sasl')",
    "CREATE CONNECTION c TO KAFKA (BROKER 'b:1', SASL PASSWORD 'planted-unclosed'",
    "CREATE CONNECTION c TO KAFKA (BROKER 'b:1', SSL CERTIFICATE 'x', SSL KEY 'planted-key')",
    "CREATE CONNECTION c TO CONFLUENT SCHEMA REGISTRY (URL 'http://u:planted-url@h:1')",
    "CREATE CONNECTION c TO CONFLUENT SCHEMA REGISTRY (URL 'http://h:1', USERNAME 'u', PASSWORD 'planted-registry')",
    "CREATE CONNECTION c TO AWS (ACCESS KEY ID 'a', SECRET ACCESS KEY 'planted-aws')",
    "CREATE SOURCE k FROM KAFKA BROKER 'b:1' TOPIC 't' WITH (sasl_mechanisms='PLAIN', sasl_username='u', "
    "sasl_password='planted-inline') FORMAT TEXT",
]
BODIES = [
    ("secrets", {"name": "r1", "value": "planted-body"}), ("secrets", {"name": "r2", "value": ["planted-list"]}),
    ("secrets", {"name": "r3", "value": "planted-b64", "base64": True}),
    ("secrets", {"name": "a.b.c.d", "value": "planted-name"}),
    ("secrets", {"name": "r1", "value": "planted-twice"}), ("secrets", {"nam": "r1", "value": "planted-key-name"}),
    ("connections", {"name": "c", "connection": {"type": "kafka", "brokers": ["b:1"],
                     "sasl": {"mechanism": "PLAIN", "username": "u", "password": "planted-open-body"}}}),
    ("connections", {"name": "c", "connection": {"type": "confluent schema registry",
                     "url": "http://u:planted-in-url@h"}}),
]  # fmt: skip


def fields(error):
    """What the server said; psycopg repeats the statement beside it."""
    return [str(getattr(error.diag, name)) for name in dir(error.diag) if name[0] != "_"]


def dump(client):
    """Every row of every relation of the system, and how everything was made."""
    names = client.execute(
        "SELECT s.name, r.name FROM mz_catalog.mz_relations r JOIN mz_catalog.mz_schemas s ON r.schema_id = s.id"
    ).fetchall()
    assert len(names) > 100
    for schema, name in names:
        yield repr(client.execute(f'SELECT * FROM "{schema}"."{name}"').fetchall())
    for what in ("SECRET s1", "CONNECTION kc", "SOURCE hook"):
        yield repr(client.execute(f"SHOW CREATE {what}").fetchall())
    for what in ("SECRETS", "CONNECTIONS", "ROLES", "SOURCES", "ALL"):
        yield repr(client.execute(f"SHOW {what}").fetchall())


def test_no_secret_is_anywhere(tmp_path):
    data = ("--data-directory", str(tmp_path))
    with serving(*data) as (process, pg, _):
        with psycopg.connect(host="127.0.0.1", port=pg, user="materialize", autocommit=True) as client:
            client.execute(f"ALTER ROLE materialize PASSWORD '{ADMIN}'")
        ended(process)
    said = []
    strict = ("--auth", "scram-sha-256", "--log-format", "json", "--log-level", "debug")
    with serving(*data, *strict) as (process, pg, http):
        whose = {"host": "127.0.0.1", "port": pg, "user": "materialize", "password": ADMIN, "autocommit": True}
        with (
            psycopg.connect(**whose) as client,
            httpx.Client(base_url=f"http://{http}", auth=("materialize", ADMIN)) as web,
        ):
            client.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
            for sql in FINE:
                client.execute(sql)
            for sql in FAILING:
                with pytest.raises(psycopg.Error) as raised:
                    client.execute(sql)
                said += fields(raised.value)
                reply = web.post("/api/sql", json={"query": sql})
                said.append(reply.text)
                with pytest.raises(psycopg.Error) as raised:
                    client.execute(sql.encode(), prepare=True)
                said += fields(raised.value)
            for path, body in BODIES:
                said.append(web.post(f"/api/{path}", json=body).text)
            token = web.post("/api/tokens").json()["token"]
            for auth in ("Basic c29tZW9uZTpwbGFudGVkLWJhc2lj", "Bearer planted-bearer", f"Bearer {token}x"):
                said.append(
                    httpx.get(f"http://{http}/api/objects?token=planted-query", headers={"Authorization": auth}).text
                )
            for who in (
                {"type": "auth", "user": "materialize", "password": "planted-socket"},
                {"type": "auth", "token": "planted-t"},
            ):
                with connect(f"ws://{http}/api/subscribe") as live:
                    live.send(json.dumps(who))
                    said.append(live.recv(timeout=30))
            with pytest.raises(psycopg.OperationalError) as refused:
                psycopg.connect(**whose | {"password": "planted-pg"})
            said.append(str(refused.value))
            said.append(web.post("/api/webhook/hook", content="x", headers={"x-key": "planted-header"}).text)
            assert web.post("/api/webhook/hook", content="x", headers={"x-key": "planted-secret"}).status_code == 200
            assert web.get("/api/objects", headers={"Authorization": f"Bearer {token}"}).status_code == 200
            said += dump(client)
            said += [
                web.get(path).text
                for path in ("/api/objects", "/api/secrets", "/api/connections", "/metrics", "/openapi.json")
            ]
        said.append(ended(process))
    for text in said:
        assert "planted" not in text, text[max(0, text.index("planted") - 200) :][:400]
        assert token not in text
        assert "SCRAM-SHA-256$" not in text
    assert '"path": "/api/secrets"' in said[-1]


def test_lines_for_programs():
    with serving("--log-format", "json") as (process, _, http):
        httpx.get(f"http://{http}/api/views/nowhere?limit=3", headers={"X-Request-Id": "mine-7"})
        httpx.post(f"http://{http}/api/sql", json={"query": "SELECT 1"})
        logged = [json.loads(line) for line in ended(process).splitlines()]
    mine = next(line for line in logged if line.get("request_id") == "mine-7")
    assert mine.items() >= {"level": "info", "logger": "tailrace.access", "method": "GET", "path": "/api/views/nowhere",
                            "status": 404, "client": "127.0.0.1"}.items()  # fmt: skip
    assert mine["ms"] >= 0
    assert mine["time"].endswith("Z")
    assert [line["status"] for line in logged if line.get("path") == "/api/sql"] == [200]


def test_lines_for_people():
    with serving() as (process, _, http):
        httpx.get(f"http://{http}/health/live", headers={"X-Request-Id": "mine-8"})
        logged = ended(process).splitlines()
    (line,) = [line for line in logged if "mine-8" in line]
    assert "info" in line
    assert "GET /health/live 200" in line
    assert line.endswith("[mine-8]")


def test_a_shutdown_finishes_what_it_answers_and_tells_subscribers():
    """A reply that is under way comes whole, a connection that says nothing is closed, a subscriber knows when to come
    back, and nobody new gets in."""
    with serving("--shutdown-seconds-max", "30") as (process, pg, http):
        rows = 150_000
        with psycopg.connect(host="127.0.0.1", port=pg, user="materialize", autocommit=True) as client:
            client.execute("CREATE TABLE t (k int, v text)")
            client.execute(f"INSERT INTO t SELECT k, repeat('x', 50) FROM generate_series(1, {rows}) k")
        host, port = http.split(":")
        with connect(f"ws://{http}/api/subscribe") as live, socket.create_connection((host, int(port))) as reading:
            live.send(json.dumps({"type": "subscribe", "id": "a", "query": "SELECT count(*) AS n FROM t"}))
            assert json.loads(live.recv(timeout=30))["type"] == "subscribed"
            request = f"GET /api/views/t/rows?limit={rows}&format=ndjson HTTP/1.1\r\nHost: {http}\r\n"
            reading.sendall(request.encode() + b"Connection: close\r\n\r\n")
            got = bytearray(reading.recv(1000))  # it is under way: more than the buffers of two sockets is to come
            assert got.startswith(b"HTTP/1.1 200")
            process.send_signal(signal.SIGTERM)
            heard = []
            with suppress(ConnectionClosed):
                heard.extend(map(json.loads, live))
            assert heard[-1] == {"type": "goodbye", "reconnect_ms": 1000}
            assert live.close_code == 1012
            while piece := reading.recv(1 << 20):
                got += piece
            assert got.count(b'"k"') == rows
            assert got.endswith(b"0\r\n\r\n")
        process.wait(30)
        assert process.returncode == 0
