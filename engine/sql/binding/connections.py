"""CREATE SECRET, CREATE CONNECTION: how to reach what sources read and sinks write."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from engine.catalog.connections import (
    RELOGIN_MS,
    ConnectionDescription,
    GcsConnection,
    KafkaConnection,
    Kerberos,
    RegistryConnection,
    Sasl,
    Tls,
)
from engine.errors import InvalidParameter, SyntaxError_, Unsupported, WrongObjectType
from engine.expr.scalar import Literal
from engine.plan.rules.fold import folded_bound
from engine.sql import bound, statements
from engine.sql.binding import postgres
from engine.sql.binding.context import Context
from engine.sql.binding.definitions import with_full_names
from engine.sql.binding.drops import find
from engine.sql.binding.place import Place
from engine.sql.binding.queries import NOWHERE, Queries
from engine.sql.binding.source_options import Options, Reads, without_password
from engine.sql.binding.stores import aws, endpoint
from engine.sql.binding.writing import full
from engine.sql.statement.connectors import RegistryClause
from engine.sql.statement.parts import ObjectKind

PROTOCOLS: Final[Mapping[str, tuple[bool, bool]]] = {
    "plaintext": (False, False), "ssl": (True, False), "sasl_plaintext": (False, True), "sasl_ssl": (True, True),
}  # fmt: skip
"""SECURITY PROTOCOL: with TLS, with SASL."""

DAY_MS: Final = 86_400_000

MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI")


def create_secret(statement: statements.CreateSecret, context: Context) -> bound.BoundCreateSecret:
    name = context.catalog.new_name(statement.name.parts, context.path, statement.name.at)
    value = _secret(statement, "CREATE SECRET", context)
    return bound.BoundCreateSecret(name, value, statement.if_not_exists, f"CREATE SECRET {full(name)} AS '********'")


def alter_secret(statement: statements.AlterSecret, context: Context) -> bound.BoundAlterSecret:
    item = find(ObjectKind.SECRET, statement.name, statement.if_exists, context)
    value = _secret(statement, "ALTER SECRET", context)
    return bound.BoundAlterSecret(None if item is None else item.id, str(statement.name), value)


def _secret(statement: statements.CreateSecret | statements.AlterSecret, where: str, context: Context) -> bytes:
    scalar = folded_bound(Queries(context).scalar(statement.value, Place(NOWHERE, where)))
    if not isinstance(scalar, Literal) or not isinstance(scalar.value, str | bytes):
        raise InvalidParameter("the value of a secret must be a constant of type text or bytea",
                               position=statement.name.end)  # fmt: skip
    return scalar.value.encode() if isinstance(scalar.value, str) else scalar.value


def create_connection(statement: statements.CreateConnection, context: Context) -> bound.BoundCreateConnection:
    name = context.catalog.new_name(statement.name.parts, context.path, statement.name.at)
    reads = Reads(context)
    options = Options("connection", statement.options, reads)
    description = _description(statement, options)
    options.done()
    beside = Options("connection", statement.beside, reads)
    if beside.flag("validate"):
        raise Unsupported(
            "CREATE CONNECTION ... WITH (VALIDATE) asks nobody", hint="VALIDATE CONNECTION does, behind it."
        )
    beside.done()
    text = with_full_names(statement.span, statement.name.end, context)
    return bound.BoundCreateConnection(
        name, description, frozenset(reads.ids), statement.if_not_exists, f"CREATE CONNECTION {full(name)}{text}"
    )


def _description(statement: statements.CreateConnection, options: Options) -> ConnectionDescription:
    match statement.kind:
        case "kafka":
            return _kafka(options, statement.name.end)
        case "postgres":
            return postgres.connection(options, statement.name.end)
        case "aws":
            return aws(options, statement.name.end)
        case "gcs":
            return GcsConnection(options.hidden("access token"), endpoint(options, statement.name.end))
        case _:
            return _registry(options, None)


def validate_connection(statement: statements.ValidateConnection, context: Context) -> bound.BoundValidateConnection:
    reads = Reads(context)
    reads.connection(statement.name)
    return bound.BoundValidateConnection(next(iter(reads.ids)))


def _kafka(options: Options, at: int) -> KafkaConnection:
    """TO KAFKA (BROKER 'h:p', ...)."""
    option = options.take("broker", "brokers")
    if option is None:
        raise SyntaxError_("a Kafka connection needs a BROKER", hint="BROKER 'host:port'", position=at)
    given = option.value if isinstance(option.value, tuple) else (option.value,)
    brokers = tuple(part.strip() for each in given if isinstance(each, str) for part in each.split(","))
    return secured(brokers, options, option.at)


def secured(brokers: tuple[str, ...], options: Options, at: int) -> KafkaConnection:
    """Brokers, and what the options say of how to talk to them."""
    for broker in brokers:
        host, _, port = broker.rpartition(":")
        if not host or not port.isdecimal():
            raise InvalidParameter(f'"{broker}" is not host:port', position=at)
    for name in ("sasl password env", "ssl key password env"):
        option = options.take(name)
        if option is not None:
            hint = f"CREATE SECRET name AS '...'; then {name.removesuffix(' env').upper()} = SECRET name"
            raise Unsupported("the server's environment is not for its clients to read", hint=hint, position=option.at)
    mechanism = options.text("sasl mechanisms", "sasl mechanism")
    authority = options.setting("ssl certificate authority", "ssl ca location")
    tls = Tls(
        authority, options.setting("ssl certificate", "ssl certificate location"),
        options.hidden("ssl key", "ssl key location"), options.hidden("ssl key password"),
    )  # fmt: skip
    protocol = options.text("security protocol")
    if protocol is None:
        protocol = ("sasl_" if mechanism else "") + ("ssl" if tls != Tls() or mechanism else "plaintext")
    if protocol.lower() not in PROTOCOLS:
        raise InvalidParameter(
            f'SECURITY PROTOCOL "{protocol}" is not known', hint=f"There are {', '.join(PROTOCOLS)}.", position=at
        )
    with_tls, with_sasl = PROTOCOLS[protocol.lower()]
    sasl = None
    if with_sasl:
        mechanism = (mechanism or "PLAIN").upper()
        if mechanism not in MECHANISMS:
            hint = f"There are {', '.join(MECHANISMS)}."
            raise InvalidParameter(f'SASL MECHANISM "{mechanism}" is not known', hint=hint, position=at)
        sasl = Sasl(
            mechanism, options.setting("sasl username"), options.hidden("sasl password"),
            options.hidden("sasl oauthbearer token"), options.url("sasl oauthbearer token url"),
            _kerberos(options, at) if mechanism == "GSSAPI" else None,
        )  # fmt: skip
        asked = sasl.username is not None and sasl.password is not None
        if mechanism == "OAUTHBEARER" and sasl.token is None and not (asked and sasl.token_url):
            raise InvalidParameter(
                "OAUTHBEARER needs SASL OAUTHBEARER TOKEN",
                hint="Or SASL OAUTHBEARER TOKEN URL with SASL USERNAME and SASL PASSWORD.",
                position=at,
            )
        if mechanism not in ("OAUTHBEARER", "GSSAPI") and not asked:
            raise InvalidParameter(f"{mechanism} needs SASL USERNAME and SASL PASSWORD", position=at)
    return KafkaConnection(brokers, tls if with_tls else None, sasl)


def _kerberos(options: Options, at: int) -> Kerberos:
    """SASL KERBEROS ...: who we are to the realm."""
    option = options.take("sasl kerberos kinit cmd")
    if option is not None:
        raise Unsupported(
            "a command that the server would run for its clients",
            hint="SASL KERBEROS KEYTAB and SASL KERBEROS PRINCIPAL get tickets, and get them again before they end.",
            position=option.at,
        )
    principal, keytab = options.text("sasl kerberos principal"), options.content("sasl kerberos keytab")
    if not principal or keytab is None:
        raise InvalidParameter(
            "GSSAPI needs SASL KERBEROS PRINCIPAL and SASL KERBEROS KEYTAB",
            hint="SASL KERBEROS KEYTAB = SECRET name, or the path of a file of the server.",
            position=at,
        )
    relogin_ms = options.integer("sasl kerberos min time before relogin", 0, DAY_MS)
    return Kerberos(
        principal, keytab, options.text("sasl kerberos service name") or "kafka",
        RELOGIN_MS if relogin_ms is None else relogin_ms,
    )  # fmt: skip


def _registry(options: Options, url: str | None) -> RegistryConnection:
    """TO CONFLUENT SCHEMA REGISTRY (URL 'u', ...), or the options behind an inline url."""
    url = url or options.url("url")
    if url is None or urlsplit(url).scheme not in ("http", "https"):
        raise InvalidParameter("a schema registry needs a URL", hint="URL 'http://host:port'")
    tls = Tls(
        options.setting("ssl certificate authority", "ssl ca location"),
        options.setting("ssl certificate", "ssl certificate location"),
        options.hidden("ssl key", "ssl key location"),
        options.hidden("ssl key password"),
    )
    return RegistryConnection(
        url.rstrip("/"), options.setting("username"), options.hidden("password"), None if tls == Tls() else tls
    )


def registry_of(clause: RegistryClause, reads: Reads) -> RegistryConnection:
    if clause.connection is not None:
        connection = reads.connection(clause.connection)
        if not isinstance(connection, RegistryConnection):
            raise WrongObjectType(f'connection "{clause.connection}" is not to a schema registry', position=clause.at)
        if clause.options and not reads.context.restoring:
            raise InvalidParameter("WITH (...) is of a schema registry by its URL; a connection has options of its own",
                                   hint="CREATE CONNECTION name TO CONFLUENT SCHEMA REGISTRY (...)",
                                   position=clause.options[0].at)  # fmt: skip
        return connection
    options = Options("schema registry", clause.options, reads)
    found = _registry(options, None if clause.url is None else without_password(clause.url, reads))
    options.done()
    return found
