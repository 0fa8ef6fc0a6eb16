"""What one transaction of the upstream did in several tables is in one tick here, however Debezium's topics arrive."""

import json
import random

import pytest

from engine.coordinator.options import Options
from engine.coordinator.subscription import Subscription
from engine.database import Database
from engine.errors import DependentObjects, SqlError
from tests.kafka.test_formats import avro, register
from tests.kafka.waiting import until

ENDS = {"type": "record", "name": "Transaction", "fields": [
    {"name": "status", "type": "string"}, {"name": "id", "type": "string"},
    {"name": "event_count", "type": ["null", "long"]},
    {"name": "data_collections", "type": ["null", {"type": "array", "items": {
        "type": "record", "name": "Collection", "fields": [
            {"name": "data_collection", "type": "string"}, {"name": "event_count", "type": "long"}]}}]}]}  # fmt: skip
ROW = {"type": "record", "name": "Row", "fields": [{"name": "id", "type": "int"}, {"name": "amount", "type": "int"}]}
CHANGE = {"type": "record", "name": "Envelope", "fields": [
    {"name": "before", "type": ["null", ROW]}, {"name": "after", "type": ["null", "Row"]},
    {"name": "source", "type": {"type": "record", "name": "Source", "fields": [
        {"name": "lsn", "type": ["null", "long"]}]}},
    {"name": "op", "type": "string"}, {"name": "transaction", "type": ["null", {
        "type": "record", "name": "Block", "fields": [
            {"name": "id", "type": "string"}, {"name": "total_order", "type": "long"},
            {"name": "data_collection_order", "type": "long"}]}]}]}  # fmt: skip


class Upstream:
    """Two accounts' tables whose amounts are 0 in all after each transaction, as Debezium tells them."""

    def __init__(self, topic, codec) -> None:
        self.ends = topic()
        self.tables = {"debits": topic(2), "credits": topic(2)}
        self._codec = codec
        self._random = random.Random(7)
        self._number = self._lsn = self.rows = 0

    def transaction(self) -> list[tuple]:
        """(topic, partition, value) of each message of one more transaction."""
        self._number += 1
        id, amount = f"tx-{self._number}", self._random.randrange(1, 100)
        rows = self._random.randrange(0, 4)
        self.rows += rows
        began = self._message(self.ends, 0, {"status": "BEGIN", "id": id, "event_count": None,
                                                   "data_collections": None})  # fmt: skip
        messages = [began]
        for name, topic in self.tables.items():
            signed = amount if name == "debits" else -amount
            for order in range(1, rows + 1):
                self._lsn += 1
                messages.append(self._message(topic, self._random.randrange(2), {
                    "before": None, "after": {"id": self._number * 10 + order, "amount": signed}, "op": "c",
                    "source": {"lsn": self._lsn},
                    "transaction": {"id": id, "total_order": 1, "data_collection_order": order},
                }))  # fmt: skip
        counts = [{"data_collection": f"public.{name}", "event_count": rows} for name in self.tables if rows]
        messages.append(self._message(self.ends, 0, {"status": "END", "id": id, "event_count": 2 * rows,
                                                     "data_collections": counts}))  # fmt: skip
        return messages

    def snapshot(self) -> None:
        for topic in self.tables.values():
            after = {"id": 1, "amount": 0}
            _, _, value = self._message(topic, 0, {"before": None, "after": after, "op": "r", "source": {"lsn": 0},
                                                   "transaction": None})  # fmt: skip
            topic.send(value)

    def _message(self, topic, partition: int, value: dict) -> tuple:
        return topic, partition, self._codec(topic is self.ends, value)


def in_json(is_end: bool, value: dict) -> bytes:
    return json.dumps({"payload": value}).encode()


def messages(upstream: Upstream, count: int) -> list[tuple]:
    return [message for _ in range(count) for message in upstream.transaction()]


def send(some: list[tuple], shuffled: random.Random) -> None:
    """Each topic's partition in its order; the topics as it comes, each in lumps."""
    queues: dict[tuple, list[tuple]] = {}
    for topic, partition, value in some:
        queues.setdefault((topic.name, partition), []).append((topic, partition, value))
    while queues:
        key = shuffled.choice(sorted(queues))
        lump, queues[key] = queues[key][:40], queues[key][40:]
        lump[0][0].send(*(value for _, _, value in lump), partition=key[1])
        if not queues[key]:
            del queues[key]


def balanced(followed: Subscription) -> None:
    """At no tick was the sum another than 0."""
    while (batch := followed.poll()) is not None:
        assert all(row[-1] == 0 for row in batch.rows()), batch.rows()


CLAUSES = {
    "debits": "(TRANSACTION METADATA (SOURCE ends, COLLECTION 'public.debits'))",
    "credits": "WITH (tx_metadata = ends, tx_metadata_collection = 'public.credits')",
}
"""The two ways to say it, for the two tables."""


@pytest.mark.parametrize("format", ["json", "avro"])
def test_one_transaction_is_one_tick(topic, broker, registry, tmp_path, format):
    """Also in another process, which goes on in the middle; and what Debezium sends again changes nothing."""
    if format == "json":
        upstream = Upstream(topic, in_json)
        said, columns, whole = "JSON", "(id int, amount int)", "FORMAT JSON"
    else:
        ids: dict[bool, int] = {}
        upstream = Upstream(topic, lambda is_end, value: avro(ENDS if is_end else CHANGE, value, ids[is_end]))
        ids[True] = register(registry, f"{upstream.ends.name}-value", json.dumps(ENDS))
        for each in upstream.tables.values():
            ids[False] = register(registry, f"{each.name}-value", json.dumps(CHANGE))
        said = whole = f"AVRO USING CONFLUENT SCHEMA REGISTRY '{registry.url}'"
        columns, whole = "", f"FORMAT {whole}"
    upstream.snapshot()
    shuffled = random.Random(11)
    send(messages(upstream, 30), shuffled)
    begun = upstream.rows
    options = Options(tick_rows_max=8)
    with Database.open(tmp_path, options) as db:
        db.execute(f"CREATE SOURCE ends FROM KAFKA BROKER '{broker.address}' TOPIC '{upstream.ends.name}' {whole}")
        for name, each in upstream.tables.items():
            db.execute(f"""CREATE SOURCE {name} {columns} FROM KAFKA BROKER '{broker.address}' TOPIC '{each.name}'
                FORMAT {said} ENVELOPE DEBEZIUM {CLAUSES[name]}""")
        db.execute("""CREATE MATERIALIZED VIEW total AS SELECT count(*) / 2 AS n, coalesce(sum(amount), 0) AS amount
            FROM (SELECT amount FROM debits UNION ALL SELECT amount FROM credits) AS t""")
        with pytest.raises(DependentObjects):
            db.execute("DROP SOURCE ends")
        until(db, "SELECT n, amount FROM total", [(1 + begun, 0)])  # one that is made later has to catch up
        followed = db.subscribe("SUBSCRIBE total WITH (SNAPSHOT = false)")
        late = messages(upstream, 30)
        first, rest = late[: len(late) // 2], late[len(late) // 2 :]
        send(first, shuffled)
        until(db, f"SELECT count(*) > {begun + 5} FROM debits", [(True,)])
        balanced(followed)
    with Database.open(tmp_path, options) as db:
        followed = db.subscribe("SUBSCRIBE total WITH (SNAPSHOT = false)")
        send(rest, shuffled)
        send(late[-20:], shuffled)  # Debezium begins again where it had been
        send(messages(upstream, 1), shuffled)
        until(db, "SELECT n, amount FROM total", [(1 + upstream.rows, 0)])
        balanced(followed)
        assert db.execute("SELECT count(DISTINCT id) = count(*) FROM credits").rows() == [(True,)]
        db.execute("DROP SOURCE credits CASCADE")


def stalled(db: Database, name: str, said: str) -> None:
    """The source's status comes to say that."""
    sql = (
        "SELECT status, position('{}' IN coalesce(error, '')) > 0 FROM mz_internal.mz_source_statuses WHERE name = '{}'"
    )
    until(db, sql.format(said, name), [("stalled", True)])


def test_what_never_completes_is_told(db, topic, broker):
    """A source that lacks a change says which transaction waits for it, the others of its group for what they wait, and
    an END that does not come is missed; all go on by themselves."""
    upstream = Upstream(topic, in_json)
    while upstream.rows < 2:
        whole = upstream.transaction()
    at = f"FROM KAFKA BROKER '{broker.address}'"
    db.execute(f"CREATE SOURCE ends {at} TOPIC '{upstream.ends.name}' FORMAT JSON")
    for name, each in upstream.tables.items():
        db.execute(f"""CREATE SOURCE {name} (id int, amount int) {at} TOPIC '{each.name}' FORMAT JSON ENVELOPE DEBEZIUM
            {CLAUSES[name]}""")
    id, counted = f"tx-{upstream._number}", sum(sent is upstream.tables["debits"] for sent, _, _ in whole)
    ended = whole.pop()
    missing = next(message for message in whole if message[0] is upstream.tables["debits"])
    whole.remove(missing)
    send(whole, random.Random(1))
    stalled(db, "credits", f"{id} has not ended")
    send([ended], random.Random(1))
    said = f'{id} has {counted - 1} of its {counted} events of "public.debits": the rest is awaited since'
    stalled(db, "debits", said)
    stalled(db, "credits", f'wait for those of topic "{upstream.tables["debits"].name}"')
    seconds = {labels["source"]: value for name, labels, value in db.metrics() if "stalled_seconds" in name}
    assert seconds["materialize.public.debits"] > 0
    assert seconds["materialize.public.ends"] == 0
    assert db.execute("SELECT count(*) FROM credits").rows() == [(0,)]
    send([missing], random.Random(1))
    for name in ("debits", "credits"):
        until(db, f"SELECT count(*) FROM {name}", [(counted,)])
        until(
            db, f"SELECT status, error FROM mz_internal.mz_source_statuses WHERE name = '{name}'", [("running", None)]
        )


def test_what_is_refused(db, broker):
    at = "FROM KAFKA BROKER '127.0.0.1:1' TOPIC 't'"
    db.execute(f"CREATE SOURCE texts {at} FORMAT TEXT")
    db.execute("CREATE TABLE t (id text)")
    for envelope, said in (
        ("DEBEZIUM (TRANSACTION METADATA (SOURCE texts, COLLECTION 'c'))", "does not have the transactions"),
        ("DEBEZIUM (TRANSACTION METADATA (SOURCE t, COLLECTION 'c'))", "is no source of Kafka"),
        ("DEBEZIUM (TRANSACTION METADATA (SOURCE texts))", "syntax error"),
        ("DEBEZIUM UPSERT (TRANSACTION METADATA (SOURCE texts, COLLECTION 'c'))", "the last change of a key"),
        ("DEBEZIUM WITH (tx_metadata = texts, tx_metadata_collection = 'c')", "does not have the transactions"),
        ("DEBEZIUM WITH (tx_metadata = nobody, tx_metadata_collection = 'c')", "nobody"),
        ("DEBEZIUM WITH (tx_metadata = 'texts', tx_metadata_collection = 'c')", "must be a name"),
        ("DEBEZIUM WITH (tx_metadata = texts)", "go together"),
        ("DEBEZIUM WITH (tx_metadata_collection = 'c')", "go together"),
        ("NONE WITH (tx_metadata = texts, tx_metadata_collection = 'c')", "is of ENVELOPE DEBEZIUM"),
        ("DEBEZIUM (TRANSACTION METADATA (SOURCE texts, COLLECTION 'c')) WITH (tx_metadata = texts)", "one of them"),
    ):
        with pytest.raises(SqlError, match=said):
            db.execute(f"CREATE SOURCE s (n int) {at} KEY FORMAT TEXT VALUE FORMAT JSON ENVELOPE {envelope}")
