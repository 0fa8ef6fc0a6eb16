"""A real Apache Kafka and a real schema registry on this machine, for tests, benchmarks and the demo.

One KRaft node in a folder of its own, on ports of the system's choice that it keeps when it is killed and started
again. Four ways in: PLAINTEXT, SASL_PLAINTEXT (PLAIN, SCRAM-SHA-256 and -512, OAUTHBEARER without signature, and GSSAPI
where there is a realm), SASL_SSL, and SSL for whoever has the client's certificate. All users may do everything but
what a rule denies them; those of PLAINTEXT even that. The jars come from Maven with tests/kafka/pom.xml, once.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
TARGET: Final = HERE / "target"
START_SECONDS_MAX: Final = 60
JAVA: Final = ("java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
"""A JVM that starts fast and stays small: the tests are short and the machine is not theirs alone."""
USERNAME, PASSWORD = "tester", "opensesame-7"
SESSION_MS: Final = 2_000
"""How long a session of GSSAPI lasts: long enough for a test to see the next one."""
MISSING: Final = "Java and Maven are not installed: apt-get install -y default-jdk-headless maven"


def available() -> bool:
    """Whether this machine can run a broker."""
    return shutil.which("java") is not None and shutil.which("mvn") is not None


def install() -> None:
    """Lay the jars out below target/, if the pom is newer than what is there."""
    stamp = TARGET / "of-this-pom"
    pom = HERE / "pom.xml"
    if stamp.exists() and stamp.stat().st_mtime >= pom.stat().st_mtime:
        return
    subprocess.run(["mvn", "-q", "-B", "-f", str(pom), "package"], check=True, stdin=subprocess.DEVNULL)
    stamp.touch()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class Process:
    """A child process whose output is in a file."""

    def __init__(self, command: list[str], log: Path, cwd: Path) -> None:
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd)

    def check(self) -> None:
        code = self._process.poll()
        assert code is None, f"ended with {code}:\n{self.log.read_text()[-4000:]}"

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()


class Broker:
    """One broker. `address` speaks plaintext; `sasl` and `sasl_ssl` want USERNAME and PASSWORD, `ssl` the certificate
    of the client, whose key is under PASSWORD; `kerberos` is as `sasl`, by the name that the realm knows the broker by.

    `realm`: its krb5.conf, and the keytab of kafka/localhost.
    """

    def __init__(self, folder: Path, heap_megabytes: int = 384, realm: tuple[Path, Path] | None = None) -> None:
        install()
        self._realm = realm
        self.folder = folder
        self._heap = heap_megabytes
        self._ports = free_ports(5)
        plain, sasl, tls, mutual, controller = self._ports
        self.address = f"127.0.0.1:{plain}"
        self.sasl = f"127.0.0.1:{sasl}"
        self.kerberos = f"localhost:{sasl}"
        self.sasl_ssl = f"localhost:{tls}"
        self.ssl = f"localhost:{mutual}"
        self.certificate = folder / "broker.pem"
        self.client_certificate, self.client_key = folder / "client.pem", folder / "client.key"
        folder.mkdir(parents=True, exist_ok=True)
        self._make_certificates()
        self._properties = folder / "server.properties"
        self._properties.write_text(self._settings(plain, sasl, tls, mutual, controller))
        self._process: Process | None = None
        format_ = self._java("kafka.tools.StorageTool", "format", "-t", "TailraceTailraceTail00", "-c",
                             str(self._properties), *self._scram())  # fmt: skip
        subprocess.run(format_, check=True, stdin=subprocess.DEVNULL, capture_output=True, cwd=folder)

    def start(self) -> None:
        """Returns when it takes connections."""
        command = self._java("kafka.Kafka", str(self._properties))
        self._process = Process(command, self.folder / "broker.log", self.folder)
        port = self._ports[0]
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            self._process.check()
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "the broker does not start"
                time.sleep(0.1)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def _java(self, main: str, *arguments: str) -> list[str]:
        realm = [] if self._realm is None else [f"-Djava.security.krb5.conf={self._realm[0]}"]
        return [*JAVA, *realm, f"-Xmx{self._heap}m", "-cp", f"{TARGET / 'kafka'}/*", main, *arguments]

    def _scram(self) -> list[str]:
        users = [f"{kind}=[name={USERNAME},password={PASSWORD}]" for kind in ("SCRAM-SHA-256", "SCRAM-SHA-512")]
        return [word for user in users for word in ("--add-scram", user)]

    def _make_certificates(self) -> None:
        store = self.folder / "broker.p12"
        if store.exists():
            return
        keytool = ["keytool", "-storetype", "PKCS12", "-storepass", PASSWORD, "-keystore"]
        ours = [*keytool, str(store), "-alias", "b"]
        generate = [*ours, "-genkeypair", "-keyalg", "RSA", "-dname", "CN=localhost", "-validity", "3650",
                    "-ext", "SAN=DNS:localhost,IP:127.0.0.1"]  # fmt: skip
        export = [*ours, "-exportcert", "-rfc", "-file", str(self.certificate)]
        client = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "3650", "-subj", "/CN=client",
                  "-passout", f"pass:{PASSWORD}", "-keyout", str(self.client_key), "-out",
                  str(self.client_certificate)]  # fmt: skip
        trust = [*keytool, str(self.folder / "clients.p12"), "-alias", "c", "-importcert", "-noprompt", "-file",
                 str(self.client_certificate)]  # fmt: skip
        for command in (generate, export, client, trust):
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)

    def _settings(self, plain: int, sasl: int, tls: int, mutual: int, controller: int) -> str:
        jaas = "org.apache.kafka.common.security"
        user = f'username="{USERNAME}" password="{PASSWORD}" user_{USERNAME}="{PASSWORD}"'
        lines = [
            "process.roles=broker,controller",
            "node.id=1",
            f"controller.quorum.voters=1@127.0.0.1:{controller}",
            f"listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl},"
            f"SASL_SSL://localhost:{tls},SSL://localhost:{mutual},CONTROLLER://127.0.0.1:{controller}",
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://localhost:{sasl},"
            f"SASL_SSL://localhost:{tls},SSL://localhost:{mutual}",
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
            "SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
            "controller.listener.names=CONTROLLER",
            "inter.broker.listener.name=PLAINTEXT",
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER"
            + ("" if self._realm is None else ",GSSAPI"),
            f"log.dirs={self.folder / 'logs'}",
            "num.partitions=1",
            "auto.create.topics.enable=false",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS",
            "allow.everyone.if.no.acl.found=true",
            "offsets.topic.replication.factor=1",
            "offsets.topic.num.partitions=1",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1",
            "transaction.state.log.num.partitions=1",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms=200",
            "share.coordinator.state.topic.replication.factor=1",
            "share.coordinator.state.topic.min.isr=1",
            "group.initial.rebalance.delay.ms=0",
            "broker.heartbeat.interval.ms=200",
            "broker.session.timeout.ms=1000",
            "log.segment.delete.delay.ms=0",
            "log.cleaner.backoff.ms=200",
            "log.retention.check.interval.ms=300000",
            "num.network.threads=2",
            "num.io.threads=2",
            "num.recovery.threads.per.data.dir=1",
            f"ssl.keystore.location={self.folder / 'broker.p12'}",
            f"ssl.keystore.password={PASSWORD}",
            "ssl.keystore.type=PKCS12",
            f"ssl.truststore.location={self.folder / 'clients.p12'}",
            f"ssl.truststore.password={PASSWORD}",
            "ssl.truststore.type=PKCS12",
            "listener.name.ssl.ssl.client.auth=required",
        ]
        for listener in ("sasl_plaintext", "sasl_ssl"):
            at = f"listener.name.{listener}"
            lines += [
                f"{at}.plain.sasl.jaas.config={jaas}.plain.PlainLoginModule required {user};",
                f"{at}.scram-sha-256.sasl.jaas.config={jaas}.scram.ScramLoginModule required;",
                f"{at}.scram-sha-512.sasl.jaas.config={jaas}.scram.ScramLoginModule required;",
                f"{at}.oauthbearer.sasl.jaas.config={jaas}.oauthbearer.OAuthBearerLoginModule required "
                f'unsecuredLoginStringClaim_sub="{USERNAME}";',
            ]
        if self._realm is not None:
            # What a client of GSSAPI may say before it has to say again who it is: so that tickets are got again.
            lines += ["sasl.kerberos.service.name=kafka"]
            for listener, last_ms in (("sasl_plaintext", SESSION_MS), ("sasl_ssl", 0)):
                at = f"listener.name.{listener}.gssapi"
                lines += [
                    f"{at}.connections.max.reauth.ms={last_ms}",
                    f"{at}.sasl.jaas.config=com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true "
                    f'storeKey=true isInitiator=false keyTab="{self._realm[1]}" principal="kafka/localhost";',
                ]
        return "\n".join(lines) + "\n"


class Registry:
    """A schema registry in memory; `url` is what a client of Confluent's protocol wants."""

    def __init__(self, folder: Path) -> None:
        install()
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}/apis/ccompat/v7"
        self._process: Process | None = None

    def start(self) -> None:
        """Returns when it answers."""
        jar = next((TARGET / "registry").glob("*-runner.jar"))
        command = [*JAVA, "-Xmx256m", f"-Dquarkus.http.port={self.port}", "-Dquarkus.http.host=127.0.0.1", "-jar",
                   str(jar)]  # fmt: skip
        self._process = Process(command, self.folder / "registry.log", self.folder)
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            self._process.check()
            try:
                urllib.request.urlopen(f"{self.url}/subjects", timeout=2).close()
                return
            except (urllib.error.URLError, OSError):
                assert time.monotonic() < deadline, "the schema registry does not start"
                time.sleep(0.1)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()


def in_ci() -> bool:
    return os.environ.get("CI") == "true"


if __name__ == "__main__":
    install()
