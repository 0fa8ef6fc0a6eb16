"""Sources FROM POSTGRES: the connection, which tables are to be copied, and one more table of one that is there."""

import json
from typing import Final

from engine.catalog.connections import POSTGRES_PORT, PostgresConnection, Tls
from engine.catalog.items import QualifiedName, Source
from engine.catalog.sources import PostgresSource
from engine.catalog.upstream import Selected, UpstreamTable, Wanted, table_details, table_of
from engine.errors import InvalidParameter, SyntaxError_, WrongObjectType
from engine.sql import bound, statements
from engine.sql.binding.context import Context
from engine.sql.binding.options import history, history_sql
from engine.sql.binding.source_options import Options, Reads
from engine.sql.binding.writing import full, quoted, text
from engine.sql.statement.connectors import FromPostgres
from engine.sql.syntax import Name

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def connection(options: Options, at: int) -> PostgresConnection:
    """TO POSTGRES (HOST 'h', DATABASE 'd', USER 'u', ...)."""
    host, database = options.text("host"), options.text("database")
    port = options.integer("port", 1, 65_535)
    user, password = options.setting("user"), options.hidden("password")
    mode = options.text("ssl mode", "sslmode")
    tls = Tls(
        options.setting("ssl certificate authority", "ssl ca location"),
        options.setting("ssl certificate", "ssl certificate location"),
        options.hidden("ssl key", "ssl key location"),
        options.hidden("ssl key password"),
    )
    if host is None or database is None or user is None:
        missing = " and ".join(
            word for word, there in (("HOST", host), ("DATABASE", database), ("USER", user)) if there is None
        )
        raise SyntaxError_(f"a PostgreSQL connection needs {missing}", position=at)
    if mode is not None and mode.lower().replace("_", "-") not in SSL_MODES:
        raise InvalidParameter(
            f'SSL MODE "{mode}" is not known', hint=f"There are {', '.join(SSL_MODES)}.", position=at
        )
    if (tls.certificate is None) != (tls.key is None):
        raise InvalidParameter("SSL CERTIFICATE and SSL KEY go together", position=at)
    default = "prefer" if tls == Tls() else "verify-full"
    return PostgresConnection(
        host, POSTGRES_PORT if port is None else port, database, user, password,
        default if mode is None else mode.lower().replace("_", "-"), tls,
    )  # fmt: skip


def source(connector: FromPostgres, reads: Reads, position: int) -> PostgresSource:
    """The description of CREATE SOURCE ... FROM POSTGRES."""
    to = reads.connection(connector.connection)
    if not isinstance(to, PostgresConnection):
        raise WrongObjectType(f'connection "{connector.connection}" is not to PostgreSQL', position=connector.at)
    options = Options("PostgreSQL source", connector.options, reads)
    publication = options.text("publication")
    if not publication:
        raise SyntaxError_("a PostgreSQL source needs a PUBLICATION", position=connector.at)
    wanted = tuple(_wanted(name, alias) for name, alias in connector.tables)
    as_text, excluded = _columns(options, "text columns", None), _columns(options, "exclude columns", "ignore columns")
    slot, system = _details(options.text("details"))
    options.done()
    if not wanted and not connector.every and (as_text or excluded):
        raise SyntaxError_(
            "TEXT COLUMNS and EXCLUDE COLUMNS need the tables that they are of", hint="FOR TABLES (...)",
            position=position,
        )  # fmt: skip
    selected = Selected(wanted, connector.every, connector.schemas, as_text, excluded)
    return PostgresSource(to, publication, selected, slot, system)


def source_sql(connector: FromPostgres, description: PostgresSource, reads: Reads) -> str:
    """What the log keeps from FROM on: the tables have statements of their own."""
    name = reads.context.resolve(connector.connection).name
    details = "" if not description.slot else f", DETAILS {text(details_of(description))}"
    return f" FROM POSTGRES CONNECTION {full(name)} (PUBLICATION {text(description.publication)}{details})"


def details_of(description: PostgresSource) -> str:
    """What only the server knew."""
    return json.dumps({"slot": description.slot, "system": description.system})


def _details(given: str | None) -> tuple[str, str]:
    if given is None:
        return "", ""
    try:
        found = json.loads(given)
        return str(found["slot"]), str(found["system"])
    except (ValueError, KeyError, TypeError):
        raise InvalidParameter("DETAILS is what SHOW CREATE shows, and nothing else") from None


def _wanted(name: Name, alias: str | None) -> Wanted:
    """[schema.]table, with the database before it as Materialize allows."""
    match list(reversed(name.parts)):
        case [table]:
            return Wanted(None, table, alias or table)
        case [table, schema] | [table, schema, _]:
            return Wanted(schema, table, alias or table)
        case _:
            raise SyntaxError_(f'improper table name "{name}"', position=name.at)


def _columns(options: Options, name: str, older: str | None) -> tuple[tuple[str | None, str, str], ...]:
    """A list of [schema.]table.column."""
    option = options.take(*((name,) if older is None else (name, older)))
    if option is None:
        return ()
    given = option.value if isinstance(option.value, tuple) else (option.value,)
    found: list[tuple[str | None, str, str]] = []
    for each in given:
        match [*reversed(each.parts)] if isinstance(each, Name) else [str(each)]:
            case [column, table]:
                found.append((None, table, column))
            case [column, table, schema] | [column, table, schema, _]:
                found.append((schema, table, column))
            case _:
                raise SyntaxError_(
                    f'{name.upper()} names columns with their tables: "{each}" is no table.column', position=option.at
                )
    return tuple(found)


def create_copy(statement: statements.CreateCopy, context: Context) -> bound.BoundCreateCopies:
    name = context.catalog.new_name(statement.name.parts, context.path, statement.name.at)
    of = _source(statement.source, context)
    options = Options("table", statement.options, Reads(context))
    wanted = _wanted(statement.reference, name.item)
    as_text, excluded = (
        tuple((wanted.schema, wanted.table, column) for column in _own_columns(options, *names))
        for names in (("text columns",), ("exclude columns", "ignore columns"))
    )
    history_ms = _history(options, None)
    options.done()
    made = None if statement.details is None else table_of(statement.details)
    return bound.BoundCreateCopies(
        of.id, name, Selected((wanted,), as_text=as_text, excluded=excluded), statement.is_table, made,
        statement.if_not_exists, "CREATE TABLE" if statement.is_table else "CREATE SUBSOURCE", history_ms,
    )  # fmt: skip


def _history(options: Options, otherwise: int | None) -> int | None:
    option = options.take("retain history")
    return otherwise if option is None else history([option])


def _own_columns(options: Options, *names: str) -> tuple[str, ...]:
    """A list of columns of the one table."""
    option = options.take(*names)
    if option is None:
        return ()
    given = option.value if isinstance(option.value, tuple) else (option.value,)
    return tuple(each.parts[-1] if isinstance(each, Name) else str(each) for each in given)


def add_subsources(statement: statements.AlterAddSubsources, context: Context) -> bound.BoundCreateCopies:
    of = _source(statement.name, context)
    options = Options("subsource", statement.options, Reads(context))
    as_text, excluded = _columns(options, "text columns", None), _columns(options, "exclude columns", "ignore columns")
    history_ms = _history(options, of.history_ms)
    options.done()
    wanted = tuple(_wanted(name, alias) for name, alias in statement.tables)
    return bound.BoundCreateCopies(
        of.id, of.name, Selected(wanted, as_text=as_text, excluded=excluded), False, None, False, "ALTER SOURCE",
        history_ms,
    )  # fmt: skip


def _source(name: Name, context: Context) -> Source:
    item = context.resolve(name)
    if not isinstance(item, Source) or not isinstance(item.description, PostgresSource):
        raise WrongObjectType(f'"{name}" is not a source FROM POSTGRES', position=name.at)
    return item


def copy_sql(
    name: QualifiedName, source: QualifiedName, is_table: bool, table: UpstreamTable, history_ms: int | None
) -> str:
    """What the log keeps of one copy."""
    head = f"CREATE TABLE {full(name)} FROM" if is_table else f"CREATE SUBSOURCE {full(name)} OF"
    reference = f"{quoted(table.schema)}.{quoted(table.name)}"
    of = f"(REFERENCE {reference}, DETAILS {text(table_details(table))})"
    return f"{head} SOURCE {full(source)} {of}{history_sql(history_ms)}"
