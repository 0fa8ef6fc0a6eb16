"""Who gets in: TLS and SCRAM-SHA-256 with psycopg, passwords, and what is refused."""

import dataclasses
import subprocess

import psycopg
import pytest

from app.main import in_background
from app.settings import Address, SettingError
from tests.serving import SETTINGS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and a certificate of it for localhost, good for a day."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", key, "-out", certificate, "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    return {"tls_cert": certificate, "tls_key": key}


def served(**changes):
    return in_background(dataclasses.replace(SETTINGS, **changes))


def connect(server, user="ada", **more):
    address = {"host": server.pg.host, "port": server.pg.port, "dbname": "materialize"}
    return psycopg.connect(user=user, autocommit=True, **(address | more))


@pytest.fixture(scope="module")
def guarded(certificate):
    with served(auth="scram-sha-256", **certificate) as server:
        server.database.execute("CREATE ROLE ada WITH LOGIN PASSWORD 'secret ✓'")
        server.database.execute("CREATE ROLE grace WITH LOGIN")
        server.database.execute("CREATE ROLE group_of_all")
        yield server


@pytest.mark.parametrize("mode", ["disable", "require", "verify-full"])
def test_the_right_password_opens(guarded, certificate, mode):
    more = {"sslmode": mode, "sslrootcert": str(certificate["tls_cert"])} if mode != "disable" else {"sslmode": mode}
    with connect(guarded, password="secret ✓", **more) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("ada",)
        assert connection.pgconn.ssl_in_use == (mode != "disable")
        rows = connection.execute("SELECT g, repeat('x', 100) FROM generate_series(1, 20000) AS g").fetchall()
        assert len(rows) == 20_000


@pytest.mark.parametrize("user", ["ada", "grace", "group_of_all", "nobody", "materialize"])
def test_a_wrong_password_does_not_and_tells_nothing(guarded, user):
    with pytest.raises(psycopg.OperationalError, match=f'password authentication failed for user "{user}"'):
        connect(guarded, user, password="wrong")


def test_a_password_is_asked_for_over_tls_only(certificate):
    with served(auth="password", **certificate) as server:
        server.database.execute("CREATE ROLE ada WITH LOGIN PASSWORD 'secret'")
        with connect(server, password="secret", sslmode="require") as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="over TLS only"):
            connect(server, password="secret", sslmode="disable")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(server, password="wrong", sslmode="require")


def test_tls_may_be_required(certificate):
    with served(tls_mode="require", **certificate) as server:
        with connect(server, sslmode="require") as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="TLS is required"):
            connect(server, sslmode="disable")


def test_without_a_certificate_tls_is_declined(certificate):
    with served(tls_mode="disable", **certificate) as server:
        with pytest.raises(psycopg.OperationalError, match="server does not support SSL"):
            connect(server, sslmode="require")
        with connect(server, sslmode="prefer") as connection:
            assert not connection.pgconn.ssl_in_use


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pg_listen": Address("0.0.0.0", 0)}, "--pg-listen 0.0.0.0:0 is not loopback"),
        ({"http_listen": Address("::", 0)}, "insecure-no-auth"),
        ({"tls_mode": "require"}, "--tls-cert and --tls-key"),
        ({"tls_cert": SETTINGS.PREFIX, "tls_key": SETTINGS.PREFIX}, "No such file"),
    ],
)
def test_settings_that_let_strangers_in_are_refused(changes, said):
    with pytest.raises(SettingError, match=said), served(**changes):
        pass


def test_unless_they_say_so():
    with served(pg_listen=Address("0.0.0.0", 0), insecure_no_auth=True) as server:
        assert server.pg.host == "0.0.0.0"
