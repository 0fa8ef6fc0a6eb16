"""GSSAPI: a realm's tickets say who we are to brokers, those of a source and those of a sink alike."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer

from engine.catalog.connections import Kerberos
from engine.connectors.kafka.kerberos import Login
from engine.coordinator.options import Options
from engine.database import Database
from engine.errors import InvalidParameter, SourceError, Unsupported
from tests.kafka.broker import in_ci
from tests.kafka.realm import CLIENT, HASTY, MISSING, NAME, Realm
from tests.kafka.waiting import NEVER, until

TO_KAFKA = "SECURITY PROTOCOL = 'SASL_PLAINTEXT', SASL MECHANISMS = 'GSSAPI'"


@pytest.fixture(autouse=True)
def known(realm: Realm | None, monkeypatch: pytest.MonkeyPatch) -> Realm:
    """The realm, as this process's krb5.conf names it."""
    if realm is None:
        if in_ci():
            pytest.fail(f"Kerberos cannot be tested: {MISSING}")
        pytest.skip(MISSING)
    for name, value in realm.environment.items():
        monkeypatch.setenv(name, value)
    return realm


@pytest.fixture
def db(known: Realm) -> Iterator[Database]:
    """Ends before the realm is forgotten."""
    with Database.in_memory() as database:
        yield database


def secret(db: Database, name: str, content: bytes) -> None:
    db.execute(f"CREATE SECRET {name} AS decode('{content.hex()}', 'hex')")


def test_a_source_and_a_sink(db, known, topic, broker):
    """Both go on over sessions that the broker ends, with tickets that end sooner still: got again each time."""
    events, copied = topic(), topic()
    events.send(b"a")
    secret(db, "keys", known.hasty.read_bytes())
    db.execute(f"""CREATE CONNECTION c TO KAFKA (BROKER '{broker.kerberos}', {TO_KAFKA},
        SASL KERBEROS PRINCIPAL = '{HASTY}', SASL KERBEROS KEYTAB = SECRET keys,
        SASL KERBEROS MIN TIME BEFORE RELOGIN = 0)""")
    db.execute("VALIDATE CONNECTION c")
    db.execute(f"CREATE SOURCE s FROM KAFKA CONNECTION c (TOPIC '{events.name}') FORMAT TEXT")
    db.execute(f"""CREATE SINK k FROM s INTO KAFKA CONNECTION c (TOPIC '{copied.name}')
        KEY (text) NOT ENFORCED FORMAT TEXT ENVELOPE UPSERT""")
    reader = Consumer({"bootstrap.servers": broker.address, "group.id": "kerberos", "isolation.level": "read_committed",
                       "auto.offset.reset": "earliest"})  # fmt: skip
    reader.subscribe([copied.name])
    seen: list[bytes] = []
    for value in (b"a", b"b", b"c", b"d"):
        if value != b"a":
            events.send(value)
        until(db, f"SELECT count(*) FROM s WHERE text = '{value.decode()}'", [(1,)])
        while len(seen) < ord(value) - ord("a") + 1:
            record = reader.poll(1.5)  # which is also the time that passes between two values
            if record is not None and record.error() is None:
                seen.append(record.value() or b"")
        reader.poll(1.2)
    assert seen == [b"a", b"b", b"c", b"d"]
    reader.close()


def test_the_inline_options(db, known, topic, broker):
    events = topic()
    events.send(b"a")
    db.execute(f"""CREATE SOURCE s FROM KAFKA BROKER '{broker.kerberos}' TOPIC '{events.name}' WITH (
        security_protocol = 'sasl_plaintext', sasl_mechanisms = 'GSSAPI', sasl_kerberos_keytab = '{known.keytab}',
        sasl_kerberos_principal = '{CLIENT}', sasl_kerberos_service_name = 'kafka',
        sasl_kerberos_min_time_before_relogin = 60000) FORMAT TEXT""")
    until(db, "SELECT text FROM s", [("a",)])


def test_tickets_are_kept_and_got_again(known):
    """One login asks as seldom as it may, and never hands out tickets that have ended."""
    keytab = known.keytab.read_bytes()
    gssapi = pytest.importorskip("gssapi")  # where there is a realm it is there
    lasting = Login(Kerberos(CLIENT, ""), keytab)
    assert lasting.credentials() is lasting.credentials()
    hasty = Login(Kerberos(HASTY, "", relogin_ms=0), known.hasty.read_bytes())
    first = hasty.credentials()
    NEVER.wait(first.lifetime + 0.5)
    with pytest.raises(gssapi.exceptions.ExpiredCredentialsError):
        assert first.lifetime
    assert hasty.credentials() is not first
    assert hasty.credentials().lifetime > 0


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ("", InvalidParameter, "GSSAPI needs SASL KERBEROS PRINCIPAL and SASL KERBEROS KEYTAB"),
        (", SASL KERBEROS KINIT CMD = 'kinit'", Unsupported, "a command that the server would run"),
        (f", SASL KERBEROS PRINCIPAL = 'nobody@{NAME}', SASL KERBEROS KEYTAB = SECRET keys", SourceError, "no ticket"),
        (f", SASL KERBEROS PRINCIPAL = '{CLIENT}', SASL KERBEROS KEYTAB = SECRET other", SourceError, "no ticket"),
        (
            f", SASL KERBEROS PRINCIPAL = '{CLIENT}', SASL KERBEROS KEYTAB = SECRET keys, "
            "SASL KERBEROS SERVICE NAME = 'other'",
            SourceError,
            "no ticket for other/localhost",
        ),
    ],
)
def test_what_is_refused(db, known, broker, options, error, said):
    secret(db, "keys", known.keytab.read_bytes())
    secret(db, "other", known.hasty.read_bytes())
    with pytest.raises(error, match=said):  # noqa: PT012 - some are refused by the first
        db.execute(f"CREATE CONNECTION c TO KAFKA (BROKER '{broker.kerberos}', {TO_KAFKA}{options})")
        db.execute("VALIDATE CONNECTION c")


def test_keys_of_the_host_are_not_for_its_clients(known, broker, tmp_path):
    with Database.in_memory(Options(roots=(tmp_path,))) as db:
        db.execute(f"""CREATE CONNECTION c TO KAFKA (BROKER '{broker.kerberos}', {TO_KAFKA},
            SASL KERBEROS PRINCIPAL = '{CLIENT}', SASL KERBEROS KEYTAB = '{known.keytab}')""")
        with pytest.raises(SourceError, match="not below a directory that file_roots allows"):
            db.execute("VALIDATE CONNECTION c")
