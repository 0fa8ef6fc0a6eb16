"""How to reach what sources read and sinks write: what CREATE CONNECTION leaves in the catalog.

Secrets are referred to by id; their values are with the coordinator and the log alone, so nothing that is printed from
the catalog can show one.
"""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A secret of the catalog."""

    id: int


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file of the server that holds the value."""

    path: str


Setting: TypeAlias = str | SecretRef | FileRef
"""A value that may be given in the open, as a secret or in a file."""


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM text each; `certificate` and `key` say who we are. Without `authority` the system's are trusted."""

    authority: Setting | None = None
    certificate: Setting | None = None
    key: Setting | None = None
    key_password: Setting | None = None


RELOGIN_MS = 60_000


@dataclass(frozen=True, slots=True)
class Kerberos:
    """`principal` is who we are, `keytab` the contents of a file of its keys; brokers are `service`/host. Between two
    requests for tickets are at least `relogin_ms`."""

    principal: str
    keytab: Setting
    service: str = "kafka"
    relogin_ms: int = RELOGIN_MS


@dataclass(frozen=True, slots=True)
class Sasl:
    """`mechanism`: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or GSSAPI. OAUTHBEARER takes a `token`, or asks
    `token_url` for one with username and password as client id and secret; GSSAPI takes `kerberos` alone."""

    mechanism: str
    username: Setting | None = None
    password: Setting | None = None
    token: Setting | None = None
    token_url: str | None = None
    kerberos: Kerberos | None = None


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """`brokers` are host:port, any of which tells the others. `tls` None: in the open."""

    brokers: tuple[str, ...]
    tls: Tls | None = None
    sasl: Sasl | None = None


@dataclass(frozen=True, slots=True)
class RegistryConnection:
    """A schema registry that speaks Confluent's protocol."""

    url: str
    username: Setting | None = None
    password: Setting | None = None
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class AwsConnection:
    """S3, or what speaks its protocol at `endpoint` (a URL). Without a key requests are anonymous: the server's own
    identity is not for its clients."""

    access_key: Setting | None = None
    secret_key: Setting | None = None
    token: Setting | None = None
    region: str | None = None
    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class GcsConnection:
    """Google Cloud Storage. Without a token requests are anonymous."""

    token: Setting | None = None
    endpoint: str | None = None


POSTGRES_PORT = 5432


@dataclass(frozen=True, slots=True)
class PostgresConnection:
    """A database of a PostgreSQL server. `ssl_mode` is libpq's sslmode."""

    host: str
    port: int
    database: str
    user: Setting
    password: Setting | None = None
    ssl_mode: str = "prefer"
    tls: Tls = Tls()


StoreConnection: TypeAlias = AwsConnection | GcsConnection
ConnectionDescription: TypeAlias = (
    KafkaConnection | RegistryConnection | AwsConnection | GcsConnection | PostgresConnection
)
