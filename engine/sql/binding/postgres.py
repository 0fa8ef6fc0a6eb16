"""Sources FROM POSTGRES: the connection, which tables are to be copied, and one more table of one that is there."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from engine.catalog.connections import POSTGRES_PORT, PostgresConnection, Tls
from engine.catalog.items import QualifiedName, Source, SourceRelation
from engine.catalog.sources import PostgresSource
from engine.catalog.upstream import Selected, UpstreamTable, Wanted, table_details, table_of
from engine.errors import InvalidParameter, SyntaxError_, UndefinedTable, WrongObjectType
from engine.plan.relation import Get, Query
from engine.sql import bound, statements
from engine.sql.binding.context import Context
from engine.sql.binding.options import history, history_sql, moment_ms
from engine.sql.binding.source_options import Options, Reads
from engine.sql.binding.writing import full, quoted, text
from engine.sql.statement.connectors import FromPostgres
from engine.sql.statement.parts import Option
from engine.sql.syntax import Name

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


IN_LINE: Final = {"dbname": "database"}
"""What libpq calls otherwise than options here are called."""

SETTING: Final = re.compile(
    r"\s*(?P<key>\w+)\s*=\s*(?:'(?P<quoted>(?:[^'\\]|\\.)*)'|(?P<value>(?:[^\s'\\]|\\.)+))(?:\s+|\Z)", re.DOTALL
)


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


def in_line(given: str, reads: Reads, at: int) -> PostgresConnection:
    """A connection as libpq writes it: key=value, a value with blanks in quotes. Whoever makes the source takes the
    password out of it."""
    found: dict[str, str] = {}
    place = 0
    for part in SETTING.finditer(given):
        if part.start() != place:
            break
        place = part.end()
        value = part["value"] if part["quoted"] is None else part["quoted"]
        found[part["key"].lower()] = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
    if place != len(given):
        raise SyntaxError_(
            "the connection is not a list of key=value", hint="'host=h port=5432 dbname=d user=u password=p'",
            position=at,
        )  # fmt: skip
    password = found.pop("password", None)
    options = Options(
        "PostgreSQL connection", (Option(IN_LINE.get(key, key), value, at) for key, value in found.items()), reads
    )
    made = connection(options, at)
    options.done()
    return replace(made, password=password)


def in_line_text(to: PostgresConnection) -> str:
    """The same without the password."""
    settings = {"host": to.host, "port": str(to.port), "dbname": to.database, "user": str(to.user),
                "sslmode": to.ssl_mode}  # fmt: skip
    escaped = {key: re.sub(r"(['\\])", r"\\\1", value) for key, value in settings.items()}
    return " ".join(f"{key}='{value}'" for key, value in escaped.items())


def source(connector: FromPostgres, reads: Reads, name: Name) -> PostgresSource:
    """The description of CREATE SOURCE ... FROM POSTGRES."""
    if isinstance(connector.connection, str):
        to = in_line(connector.connection, reads, connector.at)
    else:
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
            position=name.end,
        )  # fmt: skip
    prefix = f"{name.parts[-1]}_" if connector.behind else ""
    selected = Selected(wanted, connector.every, connector.schemas, as_text, excluded, prefix)
    return PostgresSource(to, publication, selected, slot, system)


def source_sql(connector: FromPostgres, description: PostgresSource, reads: Reads) -> str:
    """What the log keeps from FROM on: the tables have statements of their own."""
    if isinstance(connector.connection, str):
        to = text(in_line_text(description.connection))
    else:
        to = full(reads.context.resolve(connector.connection).name)
    details = "" if not description.slot else f", DETAILS {text(details_of(description))}"
    return f" FROM POSTGRES CONNECTION {to} (PUBLICATION {text(description.publication)}{details})"


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


def create_views(statement: statements.CreateViews, context: Context) -> bound.BoundCreateViews:
    """A view over each of the source's copies that are named, or over all of them."""
    of = _source(statement.source, context)
    there = [each for each in context.catalog.dependents(of.id) if isinstance(each, SourceRelation) and each.upstream]
    if not there:
        hint = f"ALTER SOURCE {statement.source} ADD SUBSOURCE ...; or make it with FOR ALL TABLES."
        raise UndefinedTable(f'source "{statement.source}" has no tables', hint=hint, position=statement.source.at)
    chosen: list[tuple[SourceRelation, Name]] = []
    for name, alias in statement.tables:
        copy = _copy(name, there, statement.source)
        chosen.append((copy, alias or replace(name, parts=name.parts[-1:])))
    for copy in () if statement.tables else there:
        assert copy.upstream is not None
        chosen.append((copy, replace(statement.source, parts=(copy.upstream.name,))))
    made = tuple(_view(copy, name, statement, context) for copy, name in chosen)
    return bound.BoundCreateViews(made, "CREATE MATERIALIZED VIEWS" if statement.materialized else "CREATE VIEWS")


def _copy(name: Name, there: Sequence[SourceRelation], source: Name) -> SourceRelation:
    """The one copy of a table that is named as it is upstream."""
    wanted = _wanted(name, None)
    found = [
        each for each in there
        if each.upstream and each.upstream.name == wanted.table and wanted.schema in (None, each.upstream.schema)
    ]  # fmt: skip
    if not found:
        raise UndefinedTable(
            f'source "{source}" has no table "{name}"', hint=f"ALTER SOURCE {source} ADD SUBSOURCE {name}",
            position=name.at,
        )  # fmt: skip
    if len(found) > 1:
        raise InvalidParameter(
            f'table "{name}" is ambiguous: {", ".join(each.name.item for each in found)} copy one of that name',
            hint="Name its schema, or CREATE VIEW over the copy.", position=name.at,
        )  # fmt: skip
    return found[0]


def _view(
    copy: SourceRelation, called: Name, statement: statements.CreateViews, context: Context
) -> bound.BoundCreateView | bound.BoundCreateMaterializedView:
    name = context.catalog.new_name(called.parts, context.path, called.at)
    columns, reads = copy.columns, frozenset({copy.id})
    rows = Get(copy.id, str(copy.name), columns, copy.append_only, copy.keys)
    word = "MATERIALIZED VIEW" if statement.materialized else "VIEW"
    listed = ", ".join(quoted(column.name) for column in columns)
    sql = f"CREATE {word} {full(name)} AS SELECT {listed} FROM {full(copy.name)}"
    if statement.materialized:
        return bound.BoundCreateMaterializedView(
            name, rows, columns, reads, statement.if_not_exists, None, None, sql, None, moment_ms(context.now)
        )
    query = Query(rows, tuple(column.name for column in columns))
    return bound.BoundCreateView(name, query, columns, reads, False, statement.if_not_exists, None, sql)


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
