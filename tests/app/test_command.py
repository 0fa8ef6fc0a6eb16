"""The `tailrace` command as people run it: in a process of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "TAILRACE_PG_LISTEN": "127.0.0.1:0", "TAILRACE_HTTP_LISTEN": "127.0.0.1:0"}
READY = re.compile(r"tailrace is ready: pgwire 127\.0\.0\.1:(\d+), http http://127\.0\.0\.1:(\d+), data in (.*)")


def tailrace(*arguments, **more):
    environment = {**ENVIRONMENT, **more.pop("env", {})}
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, **more)


@contextmanager
def serving(*arguments, end=signal.SIGTERM):
    """A server process and what its ready line says; it has to end well when it is told to."""
    command = [sys.executable, "-m", "app.cli", "serve", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        try:
            found = READY.fullmatch(process.stdout.readline().rstrip("\n"))
            assert found, "no ready line"
            yield found
            process.send_signal(end)
            rest, _ = process.communicate(timeout=20)
            assert (process.returncode, rest) == (0, "")
        finally:
            process.kill()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_when_it_is_ready_and_stops_when_told(end):
    with serving(end=end) as ready:
        assert ready[3] == "memory"
        with urllib.request.urlopen(f"http://127.0.0.1:{ready[2]}/health/live", timeout=10) as reply:
            assert reply.status == 200


def test_serve_stops_with_clients_connected_and_subscribed():
    with serving() as ready:
        command = [
            sys.executable,
            "-m",
            "app.cli",
            "sql",
            "--server",
            f"127.0.0.1:{ready[1]}",
            "SUBSCRIBE mz_databases",
        ]
        client = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert "mz_timestamp" in client.stdout.readline()
    _, said = client.communicate(timeout=20)
    assert client.returncode == 1
    assert "FATAL:  terminating connection: the server is shutting down" in said


LONG_STATEMENTS = (
    "SELECT mz_unsafe.mz_sleep(1000)",
    "SELECT mz_unsafe.mz_sleep(0.1); SELECT mz_unsafe.mz_sleep(1000)",
    "SELECT count(*) FROM t a, t b WHERE (a.k * b.k) % 7 = 3",
    "SELECT * FROM hydrating",
    "SELECT pg_advisory_lock(1)",
    "COPY copied FROM STDIN",
)


def test_serve_stops_whatever_its_clients_run():
    """Each is told; a view that hydrates and a request over HTTP do not keep the process either."""
    with ThreadPoolExecutor(len(LONG_STATEMENTS)) as threads, serving("--shutdown-seconds-max", "1") as ready:
        connect = partial(psycopg.connect, host="127.0.0.1", port=ready[1], user="materialize", autocommit=True)
        holder = connect()  # its lock is held until the server ends
        for made in (
            "CREATE TABLE t (k int)", "CREATE TABLE copied (k int)",
            "INSERT INTO t SELECT generate_series(1, 20000)", "SELECT pg_advisory_lock(1)",
            "CREATE MATERIALIZED VIEW hydrating AS SELECT count(*) FROM t a, t b WHERE (a.k * b.k) % 7 = 3",
        ):  # fmt: skip
            holder.execute(made)
        clients = [connect() for _ in LONG_STATEMENTS]
        asked = [
            threads.submit(client.execute, sql)
            for client, sql in zip(clients, LONG_STATEMENTS, strict=True)
            if not sql.startswith("COPY")
        ]
        clients[-1].pgconn.send_query(LONG_STATEMENTS[-1].encode())
        body = json.dumps({"query": LONG_STATEMENTS[0]}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{ready[2]}/api/sql", body)
        request.add_header("Content-Type", "application/json")
        asked_http = threads.submit(urllib.request.urlopen, request, timeout=60)
        while holder.execute("SELECT count(*) FROM mz_internal.mz_sessions").fetchone()[0] < len(clients) + 2:
            time.sleep(0.05)
        time.sleep(0.3)
    for one in asked:
        assert isinstance(one.exception(), psycopg.errors.AdminShutdown)
    assert isinstance(asked_http.exception(), OSError)  # urllib's errors are
    for client in (holder, *clients):
        client.close()


def test_what_was_written_outlives_the_process(tmp_path):
    directory = str(tmp_path / "data")
    with serving("--data-directory", directory) as ready:
        assert ready[3] == directory
        made = "CREATE TABLE t (k bigint); INSERT INTO t VALUES (1), (2)"
        assert tailrace("sql", "--server", f"127.0.0.1:{ready[1]}", made).returncode == 0
    with serving("--data-directory", directory) as ready:
        answer = tailrace("sql", "--server", f"127.0.0.1:{ready[1]}", "SELECT sum(k) FROM t")
        assert "3" in answer.stdout.split()


def test_a_port_in_use_is_a_clear_error():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = tailrace("serve", "--pg-listen", f"127.0.0.1:{port}")
    assert answer.returncode == 1
    assert f"tailrace: cannot listen on 127.0.0.1:{port}: Address already in use" in answer.stderr
    assert "--pg-listen" in answer.stderr


def test_a_bad_setting_is_a_clear_error():
    answer = tailrace("serve", "--http-listen", "here")
    assert (answer.returncode, answer.stderr) == (2, "tailrace: --http-listen: 'here' is not host:port\n")


def test_sql_without_a_server_answers_from_memory():
    answer = tailrace("sql", "SELECT 1 AS one", env={"TAILRACE_PG_LISTEN": "127.0.0.1:1"})
    assert answer.stdout.splitlines() == [" one", "-----", "   1", "(1 row)", ""]
    assert "running in memory" in answer.stderr
    assert answer.returncode == 0


def test_sql_from_a_file_stops_at_the_first_error(tmp_path):
    script = tmp_path / "script.sql"
    script.write_text("CREATE TABLE t (k bigint);\nINSERT INTO t VALUES (1);\nSELECT * FROM tt;\nSELECT 5;")
    answer = tailrace("sql", "--embedded", "-f", str(script))
    assert answer.stdout.splitlines() == ["CREATE TABLE", "INSERT 0 1"]
    assert "LINE 1: SELECT * FROM tt;" in answer.stderr
    assert answer.returncode == 1


def test_sql_from_a_pipe():
    answer = tailrace("sql", "--embedded", input="SELECT 1 AS a;\nSELECT 2 AS b")
    assert answer.stdout.splitlines() == [" a", "---", " 1", "(1 row)", "", " b", "---", " 2", "(1 row)", ""]


def test_sql_with_a_server_that_is_not_there():
    answer = tailrace("sql", "--server", "127.0.0.1:1", "SELECT 1")
    assert answer.returncode == 1
    assert "cannot connect to 127.0.0.1:1" in answer.stderr


def test_the_demo_ends_by_itself_and_prints_plain_lines():
    answer = tailrace("demo", env={"DEMO_SECONDS": "3"})
    assert answer.returncode == 0, answer.stderr
    assert "\x1b" not in answer.stdout
    assert "psql -h 127.0.0.1 -p " in answer.stdout
    for view in ("large_orders", "bids_by_item", "top_orders"):
        assert view in answer.stdout
    arrived = [int(found.replace(",", "")) for found in re.findall(r"([\d,]+) orders", answer.stdout)]
    assert arrived[-1] > 500
    assert "ms from file to view" in answer.stdout


def test_the_demo_ends_cleanly_when_interrupted():
    command = [sys.executable, "-m", "app.cli", "demo"]
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        try:
            while "rows in" not in process.stdout.readline():
                pass
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
            assert process.returncode == 0
        finally:
            process.kill()
