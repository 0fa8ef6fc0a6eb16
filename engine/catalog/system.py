"""System relations: the catalog and the runtime as tables.

Each is a name, columns, and a function from (catalog, runtime) to rows; a query that reads one gets the rows of the
moment as a constant. They are no part of any dataflow, so nothing that is kept up to date can read them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from engine import types
from engine.catalog.catalog import SYSTEM_DATABASE, SYSTEM_SCHEMAS, Catalog, is_temporary
from engine.catalog.items import (
    Index,
    Item,
    MaterializedView,
    QualifiedName,
    Source,
    SourceRelation,
    SystemRelation,
    Table,
    Type,
    View,
    kind,
)
from engine.catalog.sources import FileSource
from engine.expr.scalar import Value
from engine.types import BIGINT, BOOLEAN, OID, TEXT, Column, SqlType

Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Runtime:
    """What only the workers know of a collection or an index, by its id."""

    hydrated: Mapping[int, bool] = field(default_factory=dict)
    rows: Mapping[int, int] = field(default_factory=dict)
    bytes: Mapping[int, int] = field(default_factory=dict)
    progress: Mapping[int, tuple[int, int]] = field(default_factory=dict)  # rows hydrated, of how many; (0, 0) waits


@dataclass(frozen=True, slots=True)
class Definition:
    schema: str
    name: str
    doc: str
    columns: tuple[tuple[str, SqlType], ...]
    rows: Callable[[Catalog, Runtime], Iterator[Row]]


def rows(relation: SystemRelation, catalog: Catalog, runtime: Runtime) -> tuple[Row, ...]:
    """What a system relation holds at this moment."""
    return tuple(BY_ID[relation.id].rows(catalog, runtime))


def _columns(**kinds: SqlType) -> tuple[tuple[str, SqlType], ...]:
    return tuple((name.rstrip("_"), type_) for name, type_ in kinds.items())


def _items(catalog: Catalog, *kinds: type[Item]) -> Iterator[Item]:
    return (item for id_, item in sorted(catalog.items.items()) if isinstance(item, kinds))


def _schema_ids(catalog: Catalog) -> dict[tuple[str, str], int]:
    """A number for each schema: the system's first, then the users' by name."""
    temporary = {(item.name.database, item.name.schema) for item in catalog.items.values() if is_temporary(item.name)}
    pairs = [*((SYSTEM_DATABASE, name) for name in SYSTEM_SCHEMAS), *sorted(catalog.schemas), *sorted(temporary)]
    return {pair: number for number, pair in enumerate(pairs, 1)}


def _schema_id(catalog: Catalog, item: Item) -> int:
    return _schema_ids(catalog)[item.name.database, item.name.schema]


def _databases(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    yield from enumerate(sorted(catalog.databases), 1)


def _schemas(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    databases = {name: number for number, name in enumerate(sorted(catalog.databases), 1)}
    for (database, name), number in _schema_ids(catalog).items():
        yield number, databases.get(database), name


def _objects(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    schemas = _schema_ids(catalog)
    for id_, item in sorted(catalog.items.items()):
        word = kind(item).replace(" ", "-")
        yield id_, schemas[item.name.database, item.name.schema], item.name.item, word


def _tables(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in _items(catalog, Table, SystemRelation):
        yield item.id, _schema_id(catalog, item), item.name.item


def _sources(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in _items(catalog, Source, SourceRelation):
        if isinstance(item, SourceRelation):
            word, parent = item.role.value, item.source
        else:
            assert isinstance(item, Source)
            word = "file" if isinstance(item.description, FileSource) else "load-generator"
            parent = None
        yield item.id, _schema_id(catalog, item), item.name.item, word, parent


def _views(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in _items(catalog, View):
        yield item.id, _schema_id(catalog, item), item.name.item, item.create_sql


def _materialized_views(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in _items(catalog, MaterializedView):
        hydrated = runtime.hydrated.get(item.id, False)
        yield item.id, _schema_id(catalog, item), item.name.item, item.create_sql, hydrated


def _indexes(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in _items(catalog, Index):
        yield (
            item.id,
            item.name.item,
            item.on if isinstance(item, Index) else None,
            runtime.hydrated.get(item.id, False),
        )


def _index_columns(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in _items(catalog, Index):
        assert isinstance(item, Index)
        columns = catalog.items[item.on].columns
        for position, column in enumerate(item.key, 1):
            yield item.id, position, column + 1, columns[column].name, columns[column].nullable


def _relations(catalog: Catalog) -> Iterator[Item]:
    return (item for _, item in sorted(catalog.items.items()) if not isinstance(item, Index | Type))


def _columns_rows(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in _relations(catalog):
        for position, column in enumerate(item.columns, 1):
            yield item.id, column.name, position, column.nullable, str(column.type), column.type.oid


def _dependencies(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for id_, item in sorted(catalog.items.items()):
        for dependency in sorted(item.depends_on):
            yield id_, dependency


def _arrangements(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for id_ in sorted(runtime.rows.keys() | runtime.bytes.keys()):
        item = catalog.items.get(id_)
        yield id_, None if item is None else item.name.item, runtime.rows.get(id_), runtime.bytes.get(id_)


def _hydration(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in _items(catalog, MaterializedView, Index):
        done, total = runtime.progress.get(item.id, (None, None))
        yield item.id, item.name.item, runtime.hydrated.get(item.id, False), done, total


def _pg_types(_: Catalog, __: Runtime) -> Iterator[Row]:
    namespace = SYSTEM_SCHEMAS.index("pg_catalog") + 1
    for row in types.TYPES:
        yield row.oid, PG_NAMES.get(row, row.name), namespace, row.length, "b", row.category.value
    for row in types.ARRAYS:
        yield row.oid, f"_{PG_NAMES.get(row.within, row.within.name)}", namespace, row.length, "b", row.category.value


def _pg_classes(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    schemas = _schema_ids(catalog)
    for id_, item in sorted(catalog.items.items()):
        word = RELKINDS.get(kind(item), "r")
        yield id_, item.name.item, schemas[item.name.database, item.name.schema], word, len(item.columns)


def _pg_namespaces(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for (__, name), number in _schema_ids(catalog).items():
        yield number, name


def _pg_attributes(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in _relations(catalog):
        for position, column in enumerate(item.columns, 1):
            yield item.id, column.name, column.type.oid, position, not column.nullable, False


def _pg_databases(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    yield from enumerate(sorted(catalog.databases), 1)


def _pg_tables(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in _items(catalog, Table):
        yield item.name.schema, item.name.item


def _pg_views(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in _items(catalog, View):
        yield item.name.schema, item.name.item, item.create_sql


def _information_tables(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in _relations(catalog):
        word = {"view": "VIEW", "materialized view": "MATERIALIZED VIEW", "source": "SOURCE"}.get(
            kind(item), "BASE TABLE"
        )
        yield item.name.database or None, item.name.schema, item.name.item, word


def _information_columns(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in _relations(catalog):
        for position, column in enumerate(item.columns, 1):
            nullable = "YES" if column.nullable else "NO"
            yield (
                item.name.database or None, item.name.schema, item.name.item, column.name, position, nullable,
                column.type.name,
            )  # fmt: skip


PG_NAMES: Final = {
    types.BOOLEAN: "bool", types.SMALLINT: "int2", types.INTEGER: "int4", types.BIGINT: "int8", types.REAL: "float4",
    types.DOUBLE: "float8", types.VARCHAR: "varchar", types.CHAR: "bpchar", types.TIMESTAMPTZ: "timestamptz",
}  # fmt: skip
RELKINDS: Final = {"table": "r", "source": "r", "view": "v", "materialized view": "m", "index": "i"}

DEFINITIONS: Final = (
    Definition("mz_catalog", "mz_databases", "the databases", _columns(id=BIGINT, name=TEXT), _databases),
    Definition(
        "mz_catalog",
        "mz_schemas",
        "the schemas, those of the system without a database",
        _columns(id=BIGINT, database_id=BIGINT, name=TEXT),
        _schemas,
    ),
    Definition(
        "mz_catalog",
        "mz_objects",
        "every item of the catalog with its kind",
        _columns(id=BIGINT, schema_id=BIGINT, name=TEXT, type=TEXT),
        _objects,
    ),
    Definition(
        "mz_catalog",
        "mz_tables",
        "tables, system relations included",
        _columns(id=BIGINT, schema_id=BIGINT, name=TEXT),
        _tables,
    ),
    Definition(
        "mz_catalog",
        "mz_sources",
        "sources, and the relations that they feed with the source that feeds them",
        _columns(id=BIGINT, schema_id=BIGINT, name=TEXT, type=TEXT, source_id=BIGINT),
        _sources,
    ),
    Definition(
        "mz_catalog",
        "mz_views",
        "views and the SQL that makes them",
        _columns(id=BIGINT, schema_id=BIGINT, name=TEXT, create_sql=TEXT),
        _views,
    ),
    Definition(
        "mz_catalog",
        "mz_materialized_views",
        "materialized views, and whether they have caught up with their inputs",
        _columns(id=BIGINT, schema_id=BIGINT, name=TEXT, create_sql=TEXT, hydrated=BOOLEAN),
        _materialized_views,
    ),
    Definition(
        "mz_catalog",
        "mz_indexes",
        "indexes, and whether they have caught up",
        _columns(id=BIGINT, name=TEXT, on_id=BIGINT, hydrated=BOOLEAN),
        _indexes,
    ),
    Definition(
        "mz_catalog",
        "mz_index_columns",
        "the key columns of each index, in order",
        _columns(index_id=BIGINT, index_position=BIGINT, on_position=BIGINT, name=TEXT, nullable=BOOLEAN),
        _index_columns,
    ),
    Definition(
        "mz_catalog",
        "mz_columns",
        "the columns of every relation",
        _columns(id=BIGINT, name=TEXT, position=BIGINT, nullable=BOOLEAN, type=TEXT, type_oid=OID),
        _columns_rows,
    ),
    Definition(
        "mz_catalog",
        "mz_object_dependencies",
        "which item is used by which",
        _columns(object_id=BIGINT, referenced_object_id=BIGINT),
        _dependencies,
    ),
    Definition(
        "mz_internal",
        "mz_arrangement_sizes",
        "rows and bytes that collections and indexes hold in memory",
        _columns(id=BIGINT, name=TEXT, records=BIGINT, bytes=BIGINT),
        _arrangements,
    ),
    Definition(
        "pg_catalog",
        "pg_type",
        "the types, as PostgreSQL numbers them",
        _columns(oid=OID, typname=TEXT, typnamespace=OID, typlen=BIGINT, typtype=TEXT, typcategory=TEXT),
        _pg_types,
    ),
    Definition(
        "pg_catalog",
        "pg_class",
        "relations and indexes",
        _columns(oid=OID, relname=TEXT, relnamespace=OID, relkind=TEXT, relnatts=BIGINT),
        _pg_classes,
    ),
    Definition("pg_catalog", "pg_namespace", "the schemas", _columns(oid=OID, nspname=TEXT), _pg_namespaces),
    Definition(
        "pg_catalog",
        "pg_attribute",
        "the columns of relations",
        _columns(attrelid=OID, attname=TEXT, atttypid=OID, attnum=BIGINT, attnotnull=BOOLEAN, attisdropped=BOOLEAN),
        _pg_attributes,
    ),
    Definition("pg_catalog", "pg_database", "all databases", _columns(oid=OID, datname=TEXT), _pg_databases),
    Definition("pg_catalog", "pg_tables", "the tables of users", _columns(schemaname=TEXT, tablename=TEXT), _pg_tables),
    Definition(
        "pg_catalog",
        "pg_views",
        "the views of users",
        _columns(schemaname=TEXT, viewname=TEXT, definition=TEXT),
        _pg_views,
    ),
    Definition(
        "information_schema",
        "tables",
        "relations by kind",
        _columns(table_catalog=TEXT, table_schema=TEXT, table_name=TEXT, table_type=TEXT),
        _information_tables,
    ),
    Definition(
        "information_schema",
        "columns",
        "columns with their types",
        _columns(
            table_catalog=TEXT,
            table_schema=TEXT,
            table_name=TEXT,
            column_name=TEXT,
            ordinal_position=BIGINT,
            is_nullable=TEXT,
            data_type=TEXT,
        ),
        _information_columns,
    ),
    Definition(
        "mz_catalog",
        "mz_hydration_statuses",
        "how far views and indexes have caught up with their inputs",
        _columns(object_id=BIGINT, name=TEXT, hydrated=BOOLEAN, rows_done=BIGINT, rows_total=BIGINT),
        _hydration,
    ),
)
BY_ID: Final[Mapping[int, Definition]] = dict(enumerate(DEFINITIONS, 1))


def system_relations() -> tuple[SystemRelation, ...]:
    """The system relations as items of a catalog."""
    return tuple(
        SystemRelation(
            id_,
            QualifiedName(SYSTEM_DATABASE, row.schema, row.name),
            tuple(Column(name, type_) for name, type_ in row.columns),
        )
        for id_, row in BY_ID.items()
    )


def initial() -> Catalog:
    """The catalog of a new database."""
    return Catalog.initial(system_relations())
