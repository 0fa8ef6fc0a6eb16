"""/metrics has what docs/metrics.md says, under Materialize's names where it has one, and counts what happens."""

import re
from dataclasses import replace
from pathlib import Path

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.main import in_background
from engine.connectors.feed import Progress
from engine.connectors.ingest import Status
from engine.connectors.postgres.reader import LSN
from engine.coordinator.metrics import of_source
from tests.serving import SETTINGS

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = [
    "mz_query_count",
    "mz_command_durations",
    "mz_messages_ingested",
    "mz_bytes_read_total",
    "mz_partition_offset_received",
    "mz_partition_offset_ingested",
    "mz_partition_closed_ts",
    "mz_kafka_partition_offset_max",
    "mz_log_message_total",
    "mz_arrangement_maintenance_seconds_total",
    "mz_kafka_messages_sent_total",
    "mz_kafka_sink_rows_queued",
    "mz_pg_sent_rows",
    "mz_pg_sent_bytes",
    "mz_postgres_per_source_messages",
    "mz_postgres_per_source_lsn",
]
"""Materialize's, but for those of its storage."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with in_background(replace(SETTINGS, data_directory=tmp_path_factory.mktemp("data"))) as running:
        yield running


def scraped(server):
    """The families by name, read as Prometheus does."""
    text = httpx.get(f"http://{server.http}/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return {name + ("_total" if family.type == "counter" and f"{name}_total" in text else ""): family
            for name, family in families.items()}  # fmt: skip


def value(server, name, **labels):
    samples = [each for each in scraped(server)[name].samples if labels.items() <= each.labels.items()]
    return sum(each.value for each in samples if each.name in (name, f"{name}_total", f"{name}_count"))


def table():
    lines = (DOCS / "metrics.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {(name.strip("`"), labels) for name, labels, _ in rows}


def test_the_page_says_what_there_is(server):
    database = server.database
    database.execute("CREATE SOURCE c FROM LOAD GENERATOR COUNTER (MAX CARDINALITY 1); CREATE TABLE sunk (x int)")
    database.execute("CREATE SINK s FROM sunk INTO KAFKA BROKER '127.0.0.1:1' TOPIC 't' FORMAT JSON")
    shown = {
        (name, ", ".join(label for label in family.samples[0].labels if label != "le"))
        for name, family in scraped(server).items()
    }
    # tests/kafka and tests/postgres have real ones
    status = Status(progress={"0@topic": Progress("0"), LSN: Progress("slot")})
    partitioned = [*of_source("k", status, 0, True), *of_source("k", status, 0, False)]
    shown |= {(name, ", ".join(labels)) for name, labels, _ in partitioned}
    assert shown == table()
    assert set(REFERENCE) <= {name for name, _ in shown}
    assert all(re.fullmatch(r"(tailrace|mz)_[a-z_]+", name) for name, _ in shown)


def test_statements_are_counted_and_timed(server):
    with psycopg.connect(host=server.pg.host, port=server.pg.port, user="materialize", autocommit=True) as client:
        done = value(server, "mz_query_count", statement_type="select", status="success")
        rows, sent = value(server, "mz_pg_sent_rows"), value(server, "mz_pg_sent_bytes")
        failed = value(server, "mz_command_durations", command="select", status="error")
        assert len(client.execute("SELECT generate_series(1, 100)").fetchall()) == 100
        assert len(client.execute("SELECT generate_series(1, 7)", binary=True).fetchall()) == 7
        with pytest.raises(psycopg.Error):
            client.execute("SELECT 1 / 0")
        assert value(server, "mz_query_count", statement_type="select", status="success") == done + 2
        assert value(server, "mz_command_durations", command="select", status="error") == failed + 1
        assert value(server, "mz_pg_sent_rows") == rows + 107
        assert value(server, "mz_pg_sent_bytes") > sent + 107 * 8
    buckets = [
        each.value
        for each in scraped(server)["mz_command_durations"].samples
        if each.name.endswith("_bucket") and each.labels["command"] == "select" and each.labels["status"] == "success"
    ]
    assert buckets == sorted(buckets)
    assert buckets[-1] == value(server, "mz_query_count", statement_type="select", status="success")


def test_look_ups_are_counted(server):
    server.database.execute("CREATE TABLE keyed (k int PRIMARY KEY); INSERT INTO keyed VALUES (1)")
    with psycopg.connect(host=server.pg.host, port=server.pg.port, user="materialize", autocommit=True) as client:
        client.prepare_threshold = 0
        client.execute("SELECT k FROM keyed WHERE k = %s", [1]).fetchall()
        rows = value(server, "mz_pg_sent_rows")
        done = value(server, "mz_query_count", statement_type="select", status="success")
        for _ in range(10):
            assert client.execute("SELECT k FROM keyed WHERE k = %s", [1]).fetchall() == [(1,)]
        assert value(server, "mz_pg_sent_rows") == rows + 10
        assert value(server, "mz_query_count", statement_type="select", status="success") == done + 10


def test_ticks_and_the_directory(server):
    names = "mz_persist_commits_total", "mz_persist_written_bytes_total", "mz_arrangement_maintenance_seconds_total"
    before = [value(server, name) for name in names]
    server.database.execute("CREATE TABLE written (x text)")
    server.database.write("written", [("x" * 1000,)])
    assert all(value(server, name) > was for name, was in zip(names, before, strict=True))
    assert value(server, "mz_persist_size_bytes") > 1000


def test_lines_are_counted(server):
    said = value(server, "mz_log_message_total", severity="info")
    httpx.get(f"http://{server.http}/nowhere")
    assert value(server, "mz_log_message_total", severity="info") >= said
    assert {each.labels["severity"] for each in scraped(server)["mz_log_message_total"].samples} >= {"info", "error"}
