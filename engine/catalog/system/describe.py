"""Objects as SQL text: what clients show of them and make scripts from."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from engine import types
from engine.catalog.catalog import Catalog
from engine.catalog.items import Index, MaterializedView, QualifiedName, Table, UniqueKey, View
from engine.expr.functions.catalog import WORDS
from engine.types import Nesting, SqlType

PG_NAMES: Final = {
    types.BOOLEAN: "bool", types.SMALLINT: "int2", types.INTEGER: "int4", types.BIGINT: "int8", types.REAL: "float4",
    types.DOUBLE: "float8", types.VARCHAR: "varchar", types.CHAR: "bpchar", types.TIMESTAMPTZ: "timestamptz",
    types.INTERNAL_CHAR: "char",
}  # fmt: skip
"""Types whose name in pg_type is not the one that SQL has."""
LONG_NAMES: Final = {types.TIMESTAMP: "timestamp{} without time zone", types.TIME: "time{} without time zone",
                     types.TIMESTAMPTZ: "timestamp{} with time zone"}  # fmt: skip
"""Types that format_type writes out, the precision in the middle."""
ACCESS_METHOD: Final = "arrangement"


def type_name(kind: SqlType) -> str:
    """The type's name in pg_type."""
    if kind in types.VECTORS:
        return kind.name
    if kind.nesting is Nesting.ARRAY:
        return f"_{type_name(kind.within)}"
    if kind.nesting is not None and kind.nesting is not Nesting.RANGE:
        return kind.nesting.value
    return PG_NAMES.get(kind.plain, kind.plain.name)


def format_type(kind: SqlType) -> str:
    """The type with its modifier, as format_type() and psql write it."""
    if kind in types.VECTORS:
        return kind.name
    if kind.nesting is Nesting.ARRAY:
        return f"{format_type(kind.within)}[]"
    long = LONG_NAMES.get(kind.plain)
    if long is None:
        return str(kind)
    return long.format(f"({kind.modifier[0]})" if kind.modifier else "")


def with_typmod(kind: SqlType, typmod: int | None) -> str:
    """The type with a modifier as atttypmod has it; None, of a type in itself, has none either."""
    if typmod is None or typmod < 0:
        return format_type(kind)
    if kind.nesting is Nesting.ARRAY:
        return f"{with_typmod(kind.within, typmod)}[]"
    if kind == types.NUMERIC:
        return f"numeric({(typmod - 4) >> 16},{(typmod - 4) & 0xFFFF})"
    if kind in (types.VARCHAR, types.CHAR):
        return f"{kind.name}({typmod - 4})"
    if kind == types.INTERVAL:
        precision, bits = typmod & 0xFFFF, typmod >> 16
        return str(replace(kind, modifier=(precision,) if bits == types.ANY_FIELDS else (precision, bits)))
    return LONG_NAMES.get(kind, kind.name + "{}").format(f"({typmod})")


def quote(name: str) -> str:
    """A name as it has to be written: quoted only where it must be."""
    plain = name.replace("_", "a").isalnum() and name.isascii() and name == name.lower() and not name[0].isdigit()
    return name if plain and name not in WORDS else '"' + name.replace('"', '""') + '"'


def qualified(name: QualifiedName) -> str:
    return f"{quote(name.schema)}.{quote(name.item)}"


def query_of(item: View | MaterializedView) -> str:
    """The SELECT behind the AS of the statement that makes a view."""
    text = item.create_sql
    depth, quoted = 0, ""
    for at, character in enumerate(text):
        if quoted:
            quoted = "" if character == quoted else quoted
        elif character in "\"'":
            quoted = character
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif depth == 0 and text[at : at + 4] == " AS ":
            return text[at + 4 :]
    raise AssertionError(f"a view without a query: {text}")


def view_definition(item: View | MaterializedView) -> str:
    """As pg_get_viewdef writes it: with the semicolon that ends a statement."""
    return f" {query_of(item).strip().removesuffix(';')};"


def index_definition(index: Index, catalog: Catalog) -> str:
    on = catalog.items[index.on]
    unique = "UNIQUE " if key_of(index, catalog) else ""
    names = index.written(on.columns, quote)
    return f"CREATE {unique}INDEX {quote(index.name.item)} ON {qualified(on.name)} USING {ACCESS_METHOD} ({names})"


def index_column(index: Index, position: int, catalog: Catalog) -> str | None:
    """The column at a position of an index's key, from 1."""
    if not 1 <= position <= len(index.key):
        return None
    return replace(index, key=index.key[position - 1 : position]).written(catalog.items[index.on].columns, quote)


def key_of(index: Index, catalog: Catalog) -> UniqueKey | None:
    """The constraint that an index serves."""
    on = catalog.items[index.on]
    if not index.constraint or not isinstance(on, Table):
        return None
    return next((key for key in on.keys if key.name == index.name.item), None)


def key_definition(key: UniqueKey, table: Table) -> str:
    """A constraint as pg_get_constraintdef writes it."""
    names = ", ".join(quote(table.columns[column].name) for column in key.columns)
    return f"{'PRIMARY KEY' if key.primary else 'UNIQUE'} ({names})"


def keys(catalog: Catalog) -> Iterator[tuple[Index, Table, UniqueKey]]:
    """Every constraint with its index, whose id is the constraint's, and its table."""
    for item in catalog.items.values():
        if isinstance(item, Index):
            key = key_of(item, catalog)
            if key is not None:
                table = catalog.items[item.on]
                assert isinstance(table, Table)
                yield item, table, key
