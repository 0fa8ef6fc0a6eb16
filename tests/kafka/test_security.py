"""Who we are to brokers and registries: TLS both ways, SASL, tokens; and that no secret is ever seen."""

import base64
import json
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from engine.errors import DependentObjects, SourceError, SqlError
from tests.kafka.broker import PASSWORD, USERNAME
from tests.kafka.test_formats import EVENT, avro, event, register
from tests.kafka.waiting import until


def _base64(claims: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


TOKEN = "eyJhbGciOiJub25lIn0." + _base64({"sub": USERNAME, "iat": 0, "exp": 4102444800}) + "."
"""Unsigned: the test broker believes what it says."""


def test_sasl_tls_and_secrets(db, topic, broker, tmp_path):
    events = topic()
    events.send(b"a")
    db.execute(f"CREATE SECRET password AS '{PASSWORD}'")
    db.execute(f"CREATE SECRET authority AS '{broker.certificate.read_text()}'")
    db.execute("CREATE SECRET wrong AS decode('d3Jvbmc=', 'base64')")
    for name, address, options in (
        ("plain", broker.sasl, "SASL MECHANISMS = 'PLAIN', SECURITY PROTOCOL = 'SASL_PLAINTEXT'"),
        ("scram", broker.sasl, "SASL MECHANISMS = 'SCRAM-SHA-256', SECURITY PROTOCOL = 'SASL_PLAINTEXT'"),
        ("tls", broker.sasl_ssl, "SASL MECHANISMS 'SCRAM-SHA-512', SSL CERTIFICATE AUTHORITY = SECRET authority"),
    ):
        db.execute(f"""CREATE CONNECTION {name} TO KAFKA (BROKER '{address}', {options},
            SASL USERNAME = '{USERNAME}', SASL PASSWORD = SECRET password)""")
        db.execute(f"VALIDATE CONNECTION {name}")
        db.execute(f"CREATE SOURCE s_{name} FROM KAFKA CONNECTION {name} (TOPIC '{events.name}') FORMAT TEXT")
        until(db, f"SELECT text FROM s_{name}", [("a",)])
    db.execute(f"CREATE SECRET token AS '{TOKEN}'")
    db.execute(f"""CREATE CONNECTION oauth TO KAFKA (BROKER '{broker.sasl}', SASL MECHANISMS 'OAUTHBEARER',
        SECURITY PROTOCOL 'SASL_PLAINTEXT', SASL OAUTHBEARER TOKEN = SECRET token)""")
    db.execute("VALIDATE CONNECTION oauth")
    db.execute(f"""CREATE CONNECTION refused TO KAFKA (BROKER '{broker.sasl}', SASL MECHANISMS = 'PLAIN',
        SECURITY PROTOCOL = 'SASL_PLAINTEXT', SASL USERNAME = '{USERNAME}', SASL PASSWORD = SECRET wrong)""")
    with pytest.raises(SourceError, match=r"Authentication failed|username or password") as refused:
        db.execute("VALIDATE CONNECTION refused")
    assert "wrong" not in str(refused.value)
    db.execute(f"CREATE CONNECTION untrusted TO KAFKA (BROKER '{broker.sasl_ssl}', SECURITY PROTOCOL = 'SSL')")
    with pytest.raises(SourceError, match="TLS failed"):
        db.execute("VALIDATE CONNECTION untrusted")
    shown = str(db.execute("SHOW CREATE CONNECTION tls").rows()) + str(db.execute("SHOW SECRETS").rows())
    assert PASSWORD not in shown
    assert "SECRET materialize.public.password" in shown
    with pytest.raises(DependentObjects):
        db.execute("DROP SECRET password")
    with pytest.raises(SqlError, match="is a secret"):
        db.execute("SELECT * FROM password")


def test_a_client_with_a_certificate(db, topic, broker):
    """The broker lets nobody in who has none; the key is under a password."""
    events = topic()
    events.send(b"a")
    for name, value in (
        ("authority", broker.certificate.read_text()), ("certificate", broker.client_certificate.read_text()),
        ("private", broker.client_key.read_text()), ("pass", PASSWORD), ("wrong", "wrong"),
    ):  # fmt: skip
        db.execute(f"CREATE SECRET {name} AS '{value}'")
    ours = "SSL CERTIFICATE = SECRET certificate, SSL KEY = SECRET private, SSL KEY PASSWORD = SECRET"
    for name, options in (("c", f", {ours} pass"), ("nobody", ""), ("locked", f", {ours} wrong")):
        db.execute(f"""CREATE CONNECTION {name} TO KAFKA (BROKER '{broker.ssl}', SECURITY PROTOCOL 'SSL',
            SSL CERTIFICATE AUTHORITY = SECRET authority{options})""")
    db.execute("VALIDATE CONNECTION c")
    db.execute(f"CREATE SOURCE s FROM KAFKA CONNECTION c (TOPIC '{events.name}') FORMAT TEXT")
    until(db, "SELECT text FROM s", [("a",)])
    with pytest.raises(SourceError):
        db.execute("VALIDATE CONNECTION nobody")
    with pytest.raises(SourceError, match="certificates of the connection cannot be used"):
        db.execute("VALIDATE CONNECTION locked")


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The URL of an HTTP server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_token_is_asked_for(db, topic, broker):
    """RFC 6749, 4.4: the client's id and secret against a token, which the broker takes."""

    class Issuer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            credentials = base64.b64encode(f"us:{PASSWORD}".encode()).decode()
            known = self.headers["Authorization"] == f"Basic {credentials}"
            fine = known and form == {"grant_type": ["client_credentials"]}
            self.send_response(200 if fine else 401)
            self.end_headers()
            self.wfile.write(json.dumps({"access_token": TOKEN, "token_type": "bearer"} if fine else {}).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Not to the terminal."""

    events = topic()
    events.send(b"a")
    db.execute(f"CREATE SECRET password AS '{PASSWORD}'")
    db.execute("CREATE SECRET wrong AS 'guessed'")
    with serving(Issuer) as url:
        for secret in ("password", "wrong"):
            db.execute(f"""CREATE CONNECTION {secret}_ TO KAFKA (BROKER '{broker.sasl}', SASL MECHANISMS 'OAUTHBEARER',
                SECURITY PROTOCOL 'SASL_PLAINTEXT', SASL OAUTHBEARER TOKEN URL '{url}/token', SASL USERNAME 'us',
                SASL PASSWORD = SECRET {secret})""")
        db.execute(f"CREATE SOURCE s FROM KAFKA CONNECTION password_ (TOPIC '{events.name}') FORMAT TEXT")
        until(db, "SELECT text FROM s", [("a",)])
        with pytest.raises(SourceError, match=r"no token from .*401") as refused:
            db.execute("VALIDATE CONNECTION wrong_")
    assert "guessed" not in str(refused.value)


def test_a_registry_behind_a_password(db, topic, broker, registry):
    """What stands before the registry lets nobody through without name and password."""

    class Gate(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            expected = "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
            if self.headers["Authorization"] != expected:
                self.send_error(401)
                return
            with urllib.request.urlopen(registry.url + self.path) as reply:
                self.send_response(reply.status)
                self.end_headers()
                self.wfile.write(reply.read())

        def log_message(self, format: str, *args: object) -> None:
            """Not to the terminal."""

    events = topic()
    id = register(registry, f"{events.name}-value", json.dumps(EVENT))
    events.send(avro(EVENT, event(1), id))
    db.execute(f"CREATE SECRET password AS '{PASSWORD}'")
    with serving(Gate) as url:
        db.execute(f"CREATE CONNECTION stranger TO CONFLUENT SCHEMA REGISTRY (URL '{url}')")
        with pytest.raises(SourceError, match="answers 401"):
            db.execute("VALIDATE CONNECTION stranger")
        db.execute(f"""CREATE CONNECTION r TO CONFLUENT SCHEMA REGISTRY (URL '{url}', USERNAME '{USERNAME}',
            PASSWORD = SECRET password)""")
        db.execute("VALIDATE CONNECTION r")
        db.execute(f"""CREATE SOURCE s FROM KAFKA BROKER '{broker.address}' TOPIC '{events.name}'
            FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION r""")
        until(db, "SELECT id, name FROM s", [(1, "é")])
