"""What brokers may do to a sink: each has a status that says so, is over without a restart, and nothing comes twice."""

import json
import shutil
import time
from collections import Counter

import pytest
from confluent_kafka.admin import NewTopic

from engine.database import Database
from tests.kafka.topics import avro, bag_of, committed, table_of, written
from tests.kafka.waiting import SECONDS_MAX, until

STATUS = "SELECT status, error FROM mz_internal.mz_sink_statuses"


def stalled(db: Database, *parts: str) -> None:
    """The sink says all of this."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        [(status, error)] = db.execute(STATUS).rows()
        if status == "stalled" and all(part in error for part in parts):
            return
        assert time.monotonic() < deadline, (status, error)
        time.sleep(0.01)


def test_a_record_that_is_too_large(sink_db, broker, admin, out):
    """It is named; batches that are too large are not, for they are sent as smaller ones."""
    db = sink_db
    db.execute(f"""CREATE SINK s FROM m INTO KAFKA CONNECTION c (TOPIC '{out}', COMPRESSION TYPE 'none',
        TOPIC CONFIG MAP['max.message.bytes' => '3000']) KEY (k) FORMAT JSON ENVELOPE UPSERT""")
    db.execute("INSERT INTO t SELECT i, repeat('x', 200), 1 FROM generate_series(10, 200) AS g (i)")
    written(db)
    db.execute("INSERT INTO t VALUES (7, repeat('x', 5000), 1)")
    stalled(db, f'topic "{out}"', 'of key {"k":7} has 5', "max.message.bytes")
    db.execute("INSERT INTO t VALUES (8, 'y', 1)")
    db.execute("DELETE FROM t WHERE k = 7")
    written(db)
    messages = committed(broker, out)
    assert [key[0] for key in table_of(messages)] == [1, 2, *range(10, 201), 8]
    assert len(messages) == 194


@pytest.mark.parametrize("which", ["", "-progress"])
def test_a_topic_that_is_deleted(sink_db, broker, admin, out, which):
    """A sink makes no topic a second time, nor takes another of its name for it: what was told before would be missing
    from it. Made anew it writes all."""
    db = sink_db
    make = f"CREATE SINK s FROM m INTO KAFKA CONNECTION c (TOPIC '{out}') KEY (k) FORMAT JSON ENVELOPE UPSERT"
    db.execute(make)
    written(db)
    admin.delete_topics([out + which])[out + which].result(30)
    db.execute("INSERT INTO t VALUES (3, 'c', 1)")
    stalled(db, f'topic "{out}{which}" was deleted')
    admin.create_topics([NewTopic(out + which, 1, 1)])[out + which].result(30)
    stalled(db, f'topic "{out}{which}" was deleted, and another of its name was made')
    db.execute("DROP SINK s")
    for name in (out, f"{out}-progress"):
        admin.delete_topics([name])[name].result(30)
    db.execute(make)
    written(db)
    assert [key for (key,) in table_of(committed(broker, out))] == [1, 2, 3]


def test_two_servers_of_one_data_directory(broker, tmp_path, out):
    """A copy is told that it is one, even when each has kept a transaction of the same number."""
    with Database.open(tmp_path / "a") as db:
        db.execute(f"CREATE CONNECTION c TO KAFKA (BROKER '{broker.address}')")
        db.execute("CREATE TABLE t (k int)")
        db.execute("INSERT INTO t VALUES (1)")
        db.execute(f"CREATE SINK s FROM t INTO KAFKA CONNECTION c (TOPIC '{out}') FORMAT JSON")
        written(db)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with Database.open(tmp_path / "a") as one, Database.open(tmp_path / "b") as other:
        written(other)  # it has fenced the first
        one.execute("INSERT INTO t VALUES (2)")
        written(one)
        other.execute("INSERT INTO t VALUES (3)")
        stalled(other, "another server wrote transaction 2 as this sink")
        one.execute("INSERT INTO t VALUES (4)")
        deadline = time.monotonic() + SECONDS_MAX
        while bag_of(committed(broker, out)) != Counter({(1,): 1, (2,): 1, (4,): 1}):
            assert time.monotonic() < deadline


@pytest.mark.parametrize("format", ["JSON", "AVRO"])
def test_where_transactions_begin_and_end(sink_db, broker, registry, out, format):
    """CONSISTENCY: a BEGIN and an END a transaction, with the tick of its records and how many there are."""
    db = sink_db
    db.execute(f"CREATE CONNECTION r TO CONFLUENT SCHEMA REGISTRY (URL '{registry.url}')")
    using = "" if format == "JSON" else " USING CONFLUENT SCHEMA REGISTRY CONNECTION r"
    db.execute(f"""CREATE SINK s FROM m INTO KAFKA CONNECTION c (TOPIC '{out}', TRANSACTIONAL ID PREFIX 'mine') KEY (k)
        CONSISTENCY (TOPIC '{out}-marks' FORMAT {format}{using}) FORMAT JSON ENVELOPE UPSERT""")
    written(db)
    db.execute("DELETE FROM t")
    written(db)
    read = json.loads if format == "JSON" else lambda data: avro(registry, data)[1]
    marks = [read(m.value()) for m in committed(broker, f"{out}-marks")]
    records = Counter(str(m.timestamp()[1]) for m in committed(broker, out))
    ticks = [*records]
    assert [records[tick] for tick in ticks] == [2, 2]
    assert marks == [
        {"id": tick, "status": status, "event_count": count,
         "data_collections": count and [{"data_collection": out, "event_count": count}]}
        for tick in ticks for status, count in (("BEGIN", None), ("END", 2))
    ]  # fmt: skip
    assert [m.key().startswith(b"mine-") for m in committed(broker, f"{out}-progress")] == [True, True]
    assert "CONSISTENCY" in db.execute("SHOW CREATE SINK s").rows()[0][1]
    until(db, STATUS, [("running", None)])
