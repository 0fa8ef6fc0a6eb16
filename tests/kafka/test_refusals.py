"""What our user may not do at a broker: a status says what, and it is done without a restart once it is allowed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from engine.database import Database
from tests.kafka.broker import PASSWORD, USERNAME
from tests.kafka.topics import committed, table_of, written
from tests.kafka.waiting import SECONDS_MAX, until

EVERYTHING = AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY,
                              AclPermissionType.ANY)  # fmt: skip


@contextmanager
def denied(admin: AdminClient, kind: ResourceType, name: str, operation: AclOperation) -> Iterator[None]:
    """Our user may not do that meanwhile, but all else."""
    rules = [
        AclBinding(kind, name, ResourcePatternType.LITERAL, f"User:{USERNAME}", "*", of, said)
        for of, said in ((operation, AclPermissionType.DENY), (AclOperation.ALL, AclPermissionType.ALLOW))
    ]
    for made in admin.create_acls(rules).values():
        made.result(30)
    deadline = time.monotonic() + SECONDS_MAX
    while not set(rules) <= set(admin.describe_acls(EVERYTHING).result(30)):  # until the broker goes by them
        assert time.monotonic() < deadline
        time.sleep(0.02)
    try:
        yield
    finally:
        admin.delete_acls([EVERYTHING])[EVERYTHING].result(30)


def stalled(db: Database, kind: str, *parts: str) -> None:
    """The status comes to say all of this."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        [(status, error)] = db.execute(f"SELECT status, error FROM mz_internal.mz_{kind}_statuses").rows()
        if status == "stalled" and all(part in error for part in parts):
            return
        assert time.monotonic() < deadline, (status, error)
        time.sleep(0.01)


@pytest.fixture
def user(db, broker) -> Database:
    """A connection as a user who is no superuser."""
    db.execute(f"CREATE SECRET password AS '{PASSWORD}'")
    db.execute(f"""CREATE CONNECTION c TO KAFKA (BROKER '{broker.sasl}', SASL MECHANISMS = 'PLAIN',
        SECURITY PROTOCOL = 'SASL_PLAINTEXT', SASL USERNAME = '{USERNAME}', SASL PASSWORD = SECRET password)""")
    return db


@pytest.mark.parametrize("operation", [AclOperation.READ, AclOperation.DESCRIBE])
def test_a_source_that_may_not_read(user, topic, admin, operation):
    """From its beginning, and again when what was allowed is not any more: nothing is lost, nothing comes twice."""
    db, events = user, topic()
    events.send(b"a")
    with denied(admin, ResourceType.TOPIC, events.name, operation):
        db.execute(f"""CREATE SOURCE s FROM KAFKA CONNECTION c (TOPIC '{events.name}',
            TOPIC METADATA REFRESH INTERVAL '200 ms') FORMAT TEXT""")
        stalled(db, "source", f'topic "{events.name}"', "authoriz")
    until(db, "SELECT text FROM s", [("a",)])
    with denied(admin, ResourceType.TOPIC, events.name, operation):
        events.send(b"b")
        stalled(db, "source", f'"{events.name}"', "authoriz")
    until(db, "SELECT text FROM s", [("a",), ("b",)])
    until(db, "SELECT status, error FROM mz_internal.mz_source_statuses", [("running", None)])


SINK = """CREATE SINK s FROM t INTO KAFKA CONNECTION c (TOPIC '{}', TRANSACTIONAL ID PREFIX 'ours') KEY (k)
    FORMAT JSON ENVELOPE UPSERT"""


@pytest.mark.parametrize(
    ("suffix", "operation", "said"),
    [
        ("", AclOperation.WRITE, "may not write to the topic"),
        ("-progress", AclOperation.WRITE, "may not write to the topic"),
        ("", AclOperation.ALL, "authoriz"),
        ("-progress", AclOperation.ALL, "authoriz"),
        ("-progress", AclOperation.READ, "authoriz"),
    ],
)
def test_a_sink_that_may_not_write(user, broker, admin, out, suffix, operation, said):
    """It has begun before, and goes on with what became of the relation meanwhile."""
    db = user
    db.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
    db.execute("INSERT INTO t VALUES (1, 1)")
    db.execute(SINK.format(out))
    written(db)
    with denied(admin, ResourceType.TOPIC, out + suffix, operation):
        if operation is AclOperation.READ:  # what one that has begun needs no more
            db.execute("DROP SINK s")
            db.execute(SINK.format(out))
        db.execute("UPDATE t SET v = 2")
        stalled(db, "sink", f'"{out}{suffix}"', said)
        db.execute("UPDATE t SET v = 3")
    written(db)
    assert table_of(committed(broker, out)) == {(1,): {"k": 1, "v": 3}}


def test_a_sink_that_may_not_make_its_topic(user, broker, admin, out):
    db = user
    db.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
    db.execute("INSERT INTO t VALUES (1, 1)")
    with denied(admin, ResourceType.TOPIC, out, AclOperation.CREATE), \
            denied(admin, ResourceType.BROKER, "kafka-cluster", AclOperation.CREATE):  # fmt: skip
        db.execute(SINK.format(out))
        stalled(db, "sink", f'topic "{out}" cannot be made', "uthoriz")
    written(db)
    assert table_of(committed(broker, out)) == {(1,): {"k": 1, "v": 1}}


def test_a_sink_that_may_have_no_transactions(user, broker, admin, out):
    """The name of its transactions is chosen at random behind the prefix."""
    db = user
    db.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
    db.execute("INSERT INTO t VALUES (1, 1)")
    with denied(admin, ResourceType.TRANSACTIONAL_ID, "*", AclOperation.WRITE):
        db.execute(SINK.format(out))
        stalled(db, "sink", "may not use the transactional id")
    written(db)
    assert table_of(committed(broker, out)) == {(1,): {"k": 1, "v": 1}}
