"""Partitions that come, brokers that go, servers that are killed: no record lost, none twice, and nobody restarts."""

import threading
import time

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition

from engine.connectors.kafka.partitions import kept_offsets, kept_seen, name_of, owner, seen_offsets
from engine.database import Database, Options
from engine.errors import InvalidParameter, SqlError
from tests.kafka.child import killed
from tests.kafka.waiting import SECONDS_MAX, caught_up, until


def status(db: Database, source: str) -> tuple:
    sql = f"SELECT status, error FROM mz_internal.mz_source_statuses WHERE name = '{source}'"
    return db.execute(sql).rows()[0]


def waiting(db: Database, rows: int) -> None:
    """So many rows lie in the inbox of the one source."""
    deadline = time.monotonic() + SECONDS_MAX
    while next(iter(db._coordinator.ingest.status().values())).waiting < rows:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_twelve_partitions_and_more(db, topic, broker):
    events = topic(12)
    for partition in range(12):
        events.send(*(b'{"n": %d}' % i for i in range(50)), partition=partition)
    db.execute(f"""CREATE SOURCE s (n bigint) FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
        WITH (topic_metadata_refresh_interval_ms = 100) FORMAT JSON INCLUDE PARTITION""")
    db.execute("CREATE MATERIALIZED VIEW v AS SELECT partition, count(*) AS c, sum(n)::bigint AS s FROM s GROUP BY 1")
    until(db, "SELECT * FROM v", [(partition, 50, 1225) for partition in range(12)])
    events.grow(14)
    for partition in (12, 13):
        events.send(b'{"n": 1}', b"{", b'{"n": 2}', partition=partition)  # a poison record in the middle
    more = [(12, 2, 3), (13, 2, 3)]
    until(db, "SELECT * FROM v", [*((partition, 50, 1225) for partition in range(12)), *more])
    until(db, 'SELECT partition, "offset", data FROM s_errors', [(12, 1, b"{"), (13, 1, b"{")])
    rows = db.execute("""SELECT partition, messages_received, offset_committed, offset_known, lag, decode_errors
        FROM mz_internal.mz_source_partitions ORDER BY partition::int""").rows()
    assert rows == [*((str(p), 50, 50, 50, 0, 0) for p in range(12)), ("12", 3, 3, 3, 0, 1), ("13", 3, 3, 3, 0, 1)]
    rows = db.execute("""SELECT messages_received, offset_committed, offset_known, lag, decode_errors
        FROM mz_internal.mz_source_statistics""").rows()
    assert rows == [(606, 606, 606, 0, 2)]


def test_errors_are_subscribable(db, topic, broker):
    events = topic()
    db.execute(f"CREATE SOURCE s (n int) FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}' FORMAT JSON")
    with db.subscribe("SUBSCRIBE s_errors") as changes:
        events.send(b"bad")
        found = next(change for change in changes if not change.progressed)
        assert (found.diff, found.row[:4]) == (1, (0, 0, None, b"bad"))


def test_transactions(db, topic, broker):
    """What was aborted is never seen, control records are none, and what is open waits."""
    events = topic(2)
    producer = Producer({"bootstrap.servers": broker.address, "transactional.id": events.name})
    producer.init_transactions(30)

    def transaction(commit: bool, *values: str) -> None:
        producer.begin_transaction()
        for i, value in enumerate(values):
            producer.produce(events.name, value.encode(), None, i % 2)
        producer.flush(30)
        producer.commit_transaction(30) if commit else producer.abort_transaction(30)

    transaction(True, "1", "2")
    transaction(False, "no", "no", "no")
    events.send(b"plain")
    transaction(True, "3")
    transaction(False, "no", "no")
    for name, level in (("s", "read_committed"), ("dirty", "read_uncommitted")):
        db.execute(f"""CREATE SOURCE {name} FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
            WITH (isolation_level = '{level}') FORMAT TEXT""")
    until(db, "SELECT text FROM s", [("1",), ("2",), ("plain",), ("3",)])
    until(db, "SELECT text, count(*) FROM dirty GROUP BY text", [("1", 1), ("2", 1), ("plain", 1), ("3", 1), ("no", 5)])
    producer.begin_transaction()
    producer.produce(events.name, b"open", None, 0)
    producer.flush(30)
    until(db, "SELECT count(*) FROM dirty WHERE text = 'open'", [(1,)])
    assert db.execute("SELECT count(*) FROM s WHERE text = 'open'").rows() == [(0,)]
    producer.commit_transaction(30)
    until(db, "SELECT count(*) FROM s", [(5,)])


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed(db, topic, broker, codec):
    events = topic()
    producer = Producer({"bootstrap.servers": broker.address, "compression.type": codec, "linger.ms": 50})
    for i in range(2000):
        producer.produce(events.name, b'{"n": %d, "pad": "%s"}' % (i, b"x" * 100))
    assert producer.flush(30) == 0
    db.execute(f"CREATE SOURCE s (n int) FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}' FORMAT JSON")
    until(db, "SELECT count(*), sum(n)::bigint FROM s", [(2000, 1999000)])


def test_where_reading_begins(db, topic, broker):
    events = topic(2)
    events.send(b"0", b"1", b"2", partition=0)
    events.send(b"3", b"4", partition=1)
    time.sleep(0.05)  # kafka's time is in ms, and between is where the next source begins
    now = int(time.time() * 1000)
    time.sleep(0.05)
    events.send(b"5", partition=1)
    for name, option, wanted in (
        ("a", "start_offset = 1", ["1", "2", "3", "4", "5"]),
        ("b", "start_offset = [2, 1]", ["2", "4", "5"]),
        ("c", f"kafka_time_offset = {now}", ["5"]),
        ("d", "kafka_time_offset = -3600000", ["0", "1", "2", "3", "4", "5"]),
    ):
        db.execute(f"""CREATE SOURCE {name} FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
            WITH ({option}) FORMAT TEXT""")
        until(db, f"SELECT text FROM {name}", [(text,) for text in wanted])
    with pytest.raises(InvalidParameter, match="not at both"):
        db.execute(f"""CREATE SOURCE e FROM KAFKA BROKER '{broker.address}' TOPIC 't'
            WITH (start_offset = 1, kafka_time_offset = 5) FORMAT TEXT""")


def test_a_time_before_now_is_resolved_once(topic, broker, admin, tmp_path):
    """When the source is made, though its topic comes later and the server is another one by then."""
    events = topic()
    events.delete()
    with Database.open(tmp_path) as db:
        db.execute(f"""CREATE SOURCE s FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
            WITH (kafka_time_offset = -600000) FORMAT TEXT""")
        until(db, "SELECT status FROM mz_internal.mz_source_statuses", [("stalled",)])
        made = time.time()
    events.create()
    for ago in (650, 599.5, 300):
        producer = events.producer
        producer.produce(events.name, b"%.1f" % ago, partition=0, timestamp=int((made - ago) * 1000))
        producer.flush()
    time.sleep(0.6)  # by now a time that is resolved anew would leave one more out
    with Database.open(tmp_path) as db:
        until(db, "SELECT text FROM s", [("599.5",), ("300.0",)])


KEPT, ANYHOW = "kept", "so anyhow"

OPTIONS = (
    ("client_id = 'us'", KEPT),
    ("group_id_prefix = 'ours-'", KEPT),
    ("isolation_level = 'read_committed'", KEPT),
    ("isolation_level = 'read_uncommitted'", KEPT),
    ("isolation_level = 'serializable'", "not known"),
    ("start_offset = 0", KEPT),
    ("start_offset = [0, 5]", KEPT),
    ("start_offset = -1", "none negative"),
    ("kafka_time_offset = 1000", KEPT),
    ("timestamp_frequency_ms = 1000", ANYHOW),
    ("topic_metadata_refresh_interval_ms = 300000", KEPT),
    ("topic_metadata_refresh_interval_ms = 3600001", "3600000"),
    ("statistics_interval_ms = 5000", ANYHOW),
    ("statistics_interval_ms = 'banana'", "integer"),
    ("enable_auto_commit = false", KEPT),
    ("enable_auto_commit = true", KEPT),
    ("fetch_message_max_bytes = 134217728", KEPT),
    ("ignore_source_keys = false", ANYHOW),
    ("ignore_source_keys = true", ANYHOW),
    ("timeline = 'user'", KEPT),
    ("epoch_ms_timeline = true", ANYHOW),
    ("epoch_ms_timeline = false", KEPT),
    ("deduplication = 'ordered'", KEPT),
    ("deduplication = 'full'", KEPT),
    ("deduplication = 'none'", KEPT),
    ("deduplication = 'maybe'", "is not known"),
    ("deduplication = 'full_in_range', deduplication_start = '2020-01-01', deduplication_end = '2020-02-01', "
     "deduplication_pad_start = '2019-12-01'", KEPT),
    ("deduplication_start = '2020-01-01'", "full_in_range"),
    ("tx_metadata = 'm'", "must be a name"),  # test_upstream_transactions.py has it kept
    ("cache = true", ANYHOW),
    ("cache = false", "stays in the data directory"),
    ("security_protocol = 'plaintext'", KEPT),
    ("security_protocol = 'carrier_pigeon'", "is not known"),
    ("security_protocol = 'ssl'", KEPT),
    ("security_protocol = 'sasl_plaintext', sasl_username = 'me', sasl_password = SECRET word", KEPT),
    ("security_protocol = 'sasl_ssl', sasl_username = 'me', sasl_password = SECRET word", KEPT),
    ("ssl_ca_location = '/ca.pem'", KEPT),
    ("ssl_certificate_location = '/c.pem', ssl_key_location = '/key.pem'", KEPT),
    ("ssl_key_password = 'word'", "in the open"),
    ("ssl_key_password = SECRET word", KEPT),
    ("ssl_key_password_env = 'HOME'", "environment is not for its clients"),
    ("sasl_mechanisms = 'PLAIN', sasl_username = 'me', sasl_password = SECRET word", KEPT),
    ("sasl_mechanisms = 'SCRAM-SHA-256', sasl_username = 'me', sasl_password = SECRET word", KEPT),
    ("sasl_mechanisms = 'SCRAM-SHA-512', sasl_username = 'me', sasl_password = SECRET word", KEPT),
    ("sasl_mechanisms = 'GSSAPI', sasl_kerberos_principal = 'us@HERE', sasl_kerberos_keytab = SECRET word, "
     "sasl_kerberos_service_name = 'kafka', sasl_kerberos_min_time_before_relogin = 60000", KEPT),
    ("sasl_mechanisms = 'GSSAPI', sasl_kerberos_keytab = '/etc/keytab'", "KERBEROS PRINCIPAL"),
    ("sasl_mechanisms = 'GSSAPI', sasl_kerberos_kinit_cmd = 'kinit'", "a command that the server would run"),
    ("sasl_mechanisms = 'PLAIN', sasl_username = 'me', sasl_password = 'word'", "in the open"),
    ("sasl_password_env = 'HOME'", "environment is not for its clients"),
    ("colour = 'red'", 'unrecognized Kafka source option "colour"'),
)  # fmt: skip
"""Each option of Materialize's and what becomes of it: it is kept, is so anyhow, or is refused in these words."""


def test_options_of_materialize(db):
    """What is kept is in the statement that makes the source again."""
    db.execute("CREATE SECRET word AS 'opensesame'")
    for option, fate in OPTIONS:
        sql = f"CREATE SOURCE s FROM KAFKA BROKER '127.0.0.1:1' TOPIC 't' WITH ({option}) FORMAT JSON"
        if "deduplication" in option:
            sql += " ENVELOPE DEBEZIUM"
        if fate in (KEPT, ANYHOW):
            db.execute(sql.replace("SOURCE s", "SOURCE s (id int)"))
            assert option.split(" ")[0] in db.execute("SHOW CREATE SOURCE s").rows()[0][1], option
            db.execute("DROP SOURCE s")
            continue
        with pytest.raises(SqlError) as refused:
            db.execute(sql)
        assert fate in f"{refused.value.message} {refused.value.detail}", option
        assert refused.value.sqlstate in ("0A000", "22023"), option


def test_options_together(db, topic, broker):
    events = topic()
    events.send(b'{"id": 1, "v": "a"}')
    db.execute(f"""CREATE MATERIALIZED SOURCE s (id int, v text, PRIMARY KEY (id) NOT ENFORCED)
        FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}' WITH (
        client_id = 'us', group_id_prefix = 'ours-', statistics_interval_ms = 5000, enable_auto_commit = false,
        fetch_message_max_bytes = 134217728, ignore_source_keys = true, topic_metadata_refresh_interval_ms = 300000,
        isolation_level = 'read_committed', timestamp_frequency_ms = 1000, epoch_ms_timeline = true, cache = true,
        start_offset = [0, 5], security_protocol = 'plaintext') FORMAT JSON INCLUDE PARTITION AS p""")
    until(db, "SELECT * FROM s", [(1, "a", 0)])


def test_a_group_is_told(topic, broker, admin, tmp_path):
    """With enable_auto_commit a group of consumers shows how far the source is; where reading goes on is the log's."""
    events = topic(2)
    events.send(b"a", b"b")
    events.send(b"c", partition=1)
    with Database.open(tmp_path) as db:
        db.execute(f"""CREATE SOURCE s FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
            WITH (enable_auto_commit = true, group_id_prefix = 'ours-') FORMAT TEXT""")
        (group,) = in_group(admin, events.name, {0: 2, 1: 1})
        assert group.startswith("ours-materialize-")
    with Database.open(tmp_path) as db:
        told = [TopicPartition(events.name, partition, 0) for partition in (0, 1)]
        admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, told)])[group].result(30)
        events.send(b"d")
        until(db, "SELECT text FROM s", [("a",), ("b",), ("c",), ("d",)])
        in_group(admin, events.name, {0: 3, 1: 1})


def in_group(admin, topic: str, wanted: dict[int, int]) -> list[str]:
    """The groups that have read a topic, once one is there."""
    deadline = time.monotonic() + 30
    found: dict[str, dict[int, int]] = {}
    while time.monotonic() < deadline:
        names = [each.group_id for each in admin.list_consumer_groups().result(30).valid]
        found = {}
        for name in names:
            request = ConsumerGroupTopicPartitions(name)
            offsets = admin.list_consumer_group_offsets([request])[name].result(30).topic_partitions
            mine = {each.partition: each.offset for each in offsets if each.topic == topic}
            if mine:
                found[name] = mine
        if wanted in found.values():
            return list(found)
        time.sleep(0.1)
    raise AssertionError(found)


def test_a_topic_that_comes_late_goes_and_comes_again(db, topic, broker):
    events = topic()
    events.delete()
    db.execute(f"""CREATE SOURCE s FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
        WITH (topic_metadata_refresh_interval_ms = 100) FORMAT TEXT""")
    until(db, "SELECT status, error FROM mz_internal.mz_source_statuses",
          [("stalled", f'topic "{events.name}" does not exist')])  # fmt: skip
    events.create()
    events.send(b"a", b"b")
    until(db, "SELECT text FROM s", [("a",), ("b",)])
    assert status(db, "s") == ("running", None)
    events.delete()
    until(db, "SELECT status FROM mz_internal.mz_source_statuses", [("stalled",)])
    events.create()
    events.send(b"c", b"d", b"e")
    until(db, "SELECT text FROM s", [("a",), ("b",), ("c",), ("d",), ("e",)])


def test_records_that_are_gone_before_they_were_read_are_an_error(topic, broker, admin, tmp_path):
    """While nobody was there to read them: what was read before stays."""
    events = topic()
    events.send(b"a")
    with Database.open(tmp_path) as db:
        db.execute(f"CREATE SOURCE s FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}' FORMAT TEXT")
        until(db, "SELECT text FROM s", [("a",)])
    for text in (b"b", b"c", b"d"):
        events.send(text)
    [deleted] = admin.delete_records([TopicPartition(events.name, 0, 3)]).values()
    deleted.result(30)
    with Database.open(tmp_path) as db:
        until(db, "SELECT status FROM mz_internal.mz_source_statuses", [("stalled",)])
        assert "no longer has offset 1" in status(db, "s")[1]
        assert db.execute("SELECT text FROM s").rows() == [("a",)]


def test_who_reads_what():
    """Every partition has one owner, whatever the process; the log's names tell topics of one name apart."""
    owners = [owner(7, partition, 3) for partition in range(300)]
    assert set(owners) == {0, 1, 2}
    assert owners == [owner(7, partition, 3) for partition in range(300)]
    assert min(map(owners.count, range(3))) > 70
    offsets = {name_of(0, "x"): 5, name_of(1, "x"): 6, name_of(0, "y"): 7} | seen_offsets(0, (3, 4), "x")
    assert kept_offsets(offsets, "x") == {0: 5, 1: 6}
    assert kept_seen(offsets, "x") == {0: (3, 4)}
    assert kept_seen(offsets, "y") == {}


def test_back_pressure(topic, broker):
    """A source that is faster than its ticks waits: no more rows lie in its inbox than the limit and a block."""
    events = topic()
    events.send(*(b'{"n": %d}' % i for i in range(20_000)))
    lag = "SELECT lag FROM mz_internal.mz_source_statistics"
    with Database.in_memory(Options(inbox_rows_max=1000, tick_rows_max=500)) as db:
        with db._coordinator.ticks.lock:
            db.execute(f"""CREATE SOURCE s (n int) FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
                WITH (fetch_message_max_bytes = 20000) FORMAT JSON""")
            waiting(db, 1000)
            time.sleep(0.3)  # a reader without a limit would have all of them by now
            assert next(iter(db._coordinator.ingest.status().values())).waiting < 4000
            assert db.execute(lag).rows() == [(20_000,)]
        until(db, "SELECT count(*), sum(n)::bigint FROM s", [(20_000, 199990000)])
        until(db, lag, [(0,)])


CHILD = """
import sys, time
from engine.database import Database
with Database.open(sys.argv[1]) as db:
    print("ready", flush=True)
    time.sleep(600)
"""


def produce_slowly(events, total: int, done: threading.Event) -> threading.Thread:
    def run() -> None:
        for i in range(total):
            key = b"k%d" % (i % 100)
            events.producer.produce(events.name, b'{"n": %d}' % i, key, i % 100 % events.partitions)
            if i % 500 == 499:
                events.producer.flush()
                done.wait(0.02)
        events.producer.flush()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_the_server_is_killed(topic, broker, tmp_path):
    """SIGKILL at any time: what the log has and where reading goes on are of one tick."""
    events = topic(3)
    total = 30_000
    folder = tmp_path / "data"
    with Database.open(folder) as db:
        at = f"FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'"
        db.execute(f"CREATE SOURCE s (n bigint) {at} FORMAT JSON")
        db.execute(f"CREATE SOURCE u (n bigint) {at} KEY FORMAT TEXT VALUE FORMAT JSON ENVELOPE UPSERT")
        db.execute("CREATE MATERIALIZED VIEW v AS SELECT count(*) AS c, sum(n)::bigint AS s FROM s")
    producing = produce_slowly(events, total, threading.Event())
    for delay in (0.7, 0.1, 0.5):
        killed(delay, CHILD, folder)
    producing.join()
    with Database.open(folder) as db:
        begun = db.execute("SELECT count(*) FROM s").rows()[0][0]
        assert begun > 0
        until(db, "SELECT * FROM v", [(total, total * (total - 1) // 2)])
        read = db.execute(
            "SELECT coalesce(sum(messages_received), 0)::bigint FROM mz_internal.mz_source_partitions"
        ).rows()[0][0]
        assert read < 2 * total  # two sources, neither of which began again
        wanted = [(f"k{i}", total - 100 + i) for i in range(100)]
        until(db, "SELECT * FROM u", wanted)
        assert db.execute("SELECT * FROM s_errors").rows() == []
    with Database.open(folder) as db:
        assert sorted(db.execute("SELECT * FROM u").rows()) == sorted(wanted)
        assert db.execute("SELECT * FROM v").rows() == [(total, total * (total - 1) // 2)]


def test_the_broker_is_killed(db, topic, broker):
    """The source stalls with the reason, and goes on by itself when the broker is back."""
    events = topic(3)
    db.execute(f"""CREATE SOURCE s (n bigint) FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
        WITH (topic_metadata_refresh_interval_ms = 200) FORMAT JSON""")
    total = 20_000
    producing = produce_slowly(events, total, threading.Event())
    until(db, "SELECT count(*) > 1000 FROM s", [(True,)])
    broker.kill()
    until(db, "SELECT status FROM mz_internal.mz_source_statuses", [("stalled",)])
    assert "broker" in status(db, "s")[1]
    broker.start()
    producing.join()
    numbers = "SELECT count(DISTINCT n), max(n) FROM s"
    until(db, numbers, [(total, total - 1)])
    caught_up(db, "s", db.execute("SELECT count(*) FROM s").rows()[0][0])  # the producer may have sent some twice
    until(db, "SELECT status, error FROM mz_internal.mz_source_statuses WHERE name = 's'", [("running", None)])
