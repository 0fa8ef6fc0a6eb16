"""One broker and one registry for the whole run; a topic of its own for each test."""

import itertools
from collections.abc import Callable, Iterator, Sequence

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from engine.database import Database
from tests.kafka.broker import MISSING, Broker, Registry, available, in_ci
from tests.kafka.realm import Realm
from tests.kafka.realm import available as kerberos

NUMBERS = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if available():
        return
    if in_ci():
        pytest.exit(f"tests/kafka cannot run: {MISSING}", returncode=1)
    for item in items:
        if "tests/kafka" in str(item.path):
            item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture(scope="session")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm | None]:
    """None where there is no Kerberos."""
    if not kerberos():
        yield None
        return
    realm = Realm(tmp_path_factory.mktemp("realm"))
    realm.start()
    yield realm
    realm.stop()


@pytest.fixture(scope="session")
def broker(realm: Realm | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    known = None if realm is None else (realm.config, realm.broker)
    broker = Broker(tmp_path_factory.mktemp("broker"), realm=known)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    registry = Registry(tmp_path_factory.mktemp("registry"))
    registry.start()
    yield registry
    registry.stop()


@pytest.fixture(scope="session")
def admin(broker: Broker) -> AdminClient:
    return AdminClient({"bootstrap.servers": broker.address})


class Topic:
    """A topic and a producer of it; `send` returns when the broker has everything."""

    def __init__(self, admin: AdminClient, broker: Broker, partitions: int) -> None:
        self.name = f"topic-{next(NUMBERS)}"
        self.partitions = partitions
        self._admin = admin
        self._settings = {"bootstrap.servers": broker.address, "linger.ms": 5, "batch.num.messages": 500}
        self.producer = Producer(self._settings)
        self.create()

    def create(self) -> None:
        self._admin.create_topics([NewTopic(self.name, self.partitions, 1)])[self.name].result(30)

    def grow(self, partitions: int) -> None:
        self._admin.create_partitions([NewPartitions(self.name, partitions)])[self.name].result(30)
        self.producer = Producer(self._settings)  # the old one does not know of them yet

    def delete(self) -> None:
        self._admin.delete_topics([self.name])[self.name].result(30)

    def send(
        self, *values: bytes | None, keys: Sequence[bytes | None] | None = None, partition: int = 0,
        headers: list[tuple[str, bytes | None]] | None = None,
    ) -> None:  # fmt: skip
        for i, value in enumerate(values):
            key = None if keys is None else keys[i]
            self.producer.produce(self.name, value, key, partition, headers=headers)
            self.producer.poll(0)
        assert self.producer.flush(30) == 0


@pytest.fixture
def topic(admin: AdminClient, broker: Broker) -> Callable[..., Topic]:
    return lambda partitions=1: Topic(admin, broker, partitions)


@pytest.fixture
def db() -> Iterator[Database]:
    with Database.in_memory() as database:
        yield database


@pytest.fixture
def sink_db(db, broker) -> Database:
    db.execute(f"CREATE CONNECTION c TO KAFKA (BROKER '{broker.address}')")
    db.execute("CREATE TABLE t (k int, v text, n numeric(10,2))")
    db.execute("INSERT INTO t VALUES (1, 'a', 1.5), (2, NULL, NULL)")
    db.execute("CREATE MATERIALIZED VIEW m AS SELECT k, max(v) AS v, sum(n)::numeric(20,2) AS n FROM t GROUP BY k")
    return db


@pytest.fixture
def out() -> str:
    return f"out-{next(NUMBERS)}"
