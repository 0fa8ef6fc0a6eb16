"""mz_catalog: every object as this system has it, by ids."""

from collections.abc import Iterator
from typing import Final

from engine import types
from engine.catalog.catalog import DEFAULT_CLUSTER, SYSTEM_DATABASE, SYSTEM_SCHEMAS, Catalog, is_temporary
from engine.catalog.connections import (
    AwsConnection,
    GcsConnection,
    KafkaConnection,
    PostgresConnection,
    RegistryConnection,
)
from engine.catalog.items import (
    Connection,
    DurableSubscription,
    Index,
    Item,
    MaterializedView,
    Secret,
    Sink,
    Source,
    SourceRelation,
    SystemRelation,
    Table,
    Type,
    View,
    kind,
)
from engine.catalog.roles import SUPERUSER
from engine.catalog.sources import FileSource, GeneratorSource, KafkaSource
from engine.catalog.system.definition import Row, Rows, Runtime, define
from engine.catalog.system.describe import query_of, type_name
from engine.catalog.system.ids import (
    CLUSTER,
    OWNER_ID,
    database_id,
    object_id,
    role_id,
    schema_id,
    schema_id_of,
)
from engine.catalog.system.oids import OWNER
from engine.catalog.system.routines import ROUTINES
from engine.types import Nesting


def items(catalog: Catalog, *kinds: type[Item]) -> Iterator[Item]:
    return (item for id_, item in sorted(catalog.items.items()) if isinstance(item, kinds))


def every(catalog: Catalog) -> Iterator[Item]:
    return (item for _, item in sorted(catalog.items.items()))


def relations(catalog: Catalog) -> Iterator[Item]:
    """Everything that has columns."""
    return (
        item
        for _, item in sorted(catalog.items.items())
        if not isinstance(item, Index | Type | Secret | Connection | Sink | DurableSubscription)
    )


def schemas(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """(database, schema) of each schema: the system's, the users', and those that hold temporary objects."""
    yield from ((SYSTEM_DATABASE, name) for name in SYSTEM_SCHEMAS)
    yield from sorted(catalog.schemas)
    yield from sorted({(i.name.database, i.name.schema) for i in catalog.items.values() if is_temporary(i.name)})


def schema_of(item: Item) -> tuple[str, str]:
    return item.name.database, item.name.schema


def _databases(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for name in sorted(catalog.databases):
        yield database_id(runtime.oids, name), runtime.oids.database(name), name, OWNER_ID


def _schemas(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    oids = runtime.oids
    for database, name in schemas(catalog):
        within = None if database == SYSTEM_DATABASE else database_id(oids, database)
        yield schema_id(oids, database, name), oids.schema(database, name), within, name, OWNER_ID


def _objects(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in every(catalog):
        yield (*_head(item, runtime), word_of(item), OWNER_ID)


def _relations(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in relations(catalog):
        yield (*_head(item, runtime), word_of(item), OWNER_ID)


def _head(item: Item, runtime: Runtime) -> Row:
    return object_id(item.id), item.id, schema_id_of(runtime.oids, item), item.name.item


def word_of(item: Item) -> str:
    return kind(item).replace(" ", "-")


def _tables(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, Table, SystemRelation, SourceRelation):
        if kind(item) != "table":
            continue
        yield (*_head(item, runtime), OWNER_ID, item.create_sql or None)


def source_word(item: Source | SourceRelation) -> str:
    """What kind of source it is, or what part of one."""
    if isinstance(item, SourceRelation):
        return item.role.value
    match item.description:
        case FileSource():
            return "file"
        case GeneratorSource():
            return "load-generator"
        case other:
            return type(other).__name__.removesuffix("Source").lower()


def _sources(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, Source, SourceRelation):
        assert isinstance(item, Source | SourceRelation)
        if kind(item) == "table":
            continue
        parent = object_id(item.source) if isinstance(item, SourceRelation) else None
        yield (*_head(item, runtime), source_word(item), parent, CLUSTER, OWNER_ID, item.create_sql or None)


def _secrets(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, Secret):
        yield (*_head(item, runtime), OWNER_ID)


def _connections(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, Connection):
        assert isinstance(item, Connection)
        match item.description:
            case KafkaConnection():
                word = "kafka"
            case RegistryConnection():
                word = "confluent-schema-registry"
            case AwsConnection():
                word = "aws"
            case GcsConnection():
                word = "gcs"
            case PostgresConnection():
                word = "postgres"
        yield (*_head(item, runtime), word, OWNER_ID, item.create_sql)


def _views(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, View):
        assert isinstance(item, View)
        yield (*_head(item, runtime), query_of(item), OWNER_ID, item.create_sql)


def _materialized_views(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, MaterializedView):
        assert isinstance(item, MaterializedView)
        yield (*_head(item, runtime), CLUSTER, query_of(item), OWNER_ID, item.create_sql)


def _indexes(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in items(catalog, Index):
        assert isinstance(item, Index)
        on = object_id(item.on)
        yield object_id(item.id), item.id, item.name.item, on, CLUSTER, OWNER_ID, item.create_sql or None


def _index_columns(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in items(catalog, Index):
        assert isinstance(item, Index)
        of = catalog.items[item.on].columns
        for position, (place, column) in enumerate(zip(item.shown(len(of)), item.keyed(of), strict=True), 1):
            computed = place >= len(of)
            at, text = (None, column.name) if computed else (place + 1, None)
            yield object_id(item.id), position, at, text, column.name, column.nullable


def _columns(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in relations(catalog):
        id_ = object_id(item.id)
        for position, column in enumerate(item.columns, 1):
            type_ = column.type
            yield id_, column.name, position, column.nullable, str(type_.plain), type_.oid, type_.typmod


def _types(*nestings: Nesting | None) -> Rows:
    def rows(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
        schema = schema_id(runtime.oids, SYSTEM_DATABASE, "pg_catalog")
        for type_ in (*types.TYPES, *types.RANGES, *types.ARRAYS):
            if type_.nesting in nestings:
                yield f"s{type_.oid}", type_.oid, schema, type_name(type_), category_of(type_.category)
        for item in items(catalog, Type):
            assert isinstance(item, Type)
            if item.type.nesting in nestings:
                yield (*_head(item, runtime), category_of(item.type.category))

    return rows


def category_of(category: types.Category) -> str:
    return category.name.lower()


def _array_types(_: Catalog, __: Runtime) -> Iterator[Row]:
    for type_ in types.ARRAYS:
        yield f"s{type_.oid}", f"s{type_.within.oid}"


def _list_types(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in items(catalog, Type):
        if isinstance(item, Type) and item.type.nesting is Nesting.LIST:
            yield object_id(item.id), _type_id(item.type.within)


def _map_types(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in items(catalog, Type):
        if isinstance(item, Type) and item.type.nesting is Nesting.MAP:
            yield object_id(item.id), _type_id(types.TEXT), _type_id(item.type.within)


def _type_id(type_: types.SqlType) -> str:
    return f"s{type_.oid}"


def _pseudo_types(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    schema = schema_id(runtime.oids, SYSTEM_DATABASE, "pg_catalog")
    for type_ in (types.ANY, types.ANYCOMPATIBLE, *sorted(types.POLYMORPHIC, key=lambda type_: type_.oid)):
        yield _type_id(type_), type_.oid, schema, type_.name, category_of(type_.category)


def _functions(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    schema = schema_id(runtime.oids, SYSTEM_DATABASE, "pg_catalog")
    for routine in ROUTINES:
        arguments = [f"s{type_.oid}" for type_ in routine.arguments]
        result = f"s{routine.result.oid}"
        yield f"s{routine.oid}", routine.oid, schema, routine.name, arguments, result, routine.returns_set, OWNER_ID


def _roles(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for name, role in sorted(catalog.roles.items()):
        oid = OWNER if name == SUPERUSER else runtime.oids.role(name)
        yield role_id(runtime.oids, name), oid, name, role.inherit, role.login, role.superuser


def _clusters(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for id, name in _cluster_ids(catalog):
        yield id, name, OWNER_ID, False, 1


def _replicas(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for id, _name in _cluster_ids(catalog):
        yield id, "r1", id, OWNER_ID


def _cluster_ids(catalog: Catalog) -> Iterator[tuple[str, str]]:
    for name in sorted(catalog.clusters):
        yield CLUSTER if name == DEFAULT_CLUSTER else f"u_{name}", name


def _sinks(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, Sink):
        assert isinstance(item, Sink)
        yield (*_head(item, runtime), "kafka", CLUSTER, OWNER_ID, item.create_sql)


def _kafka_sinks(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in items(catalog, Sink):
        assert isinstance(item, Sink)
        yield object_id(item.id), item.description.topic


def _kafka_sources(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in items(catalog, Source):
        if isinstance(item, Source) and isinstance(item.description, KafkaSource):
            yield object_id(item.id), item.description.topic


def _kafka_connections(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in items(catalog, Connection):
        if isinstance(item, Connection) and isinstance(item.description, KafkaConnection):
            yield object_id(item.id), list(item.description.brokers)


def _names(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in every(catalog):
        yield object_id(item.id), str(item.name)


def none(_: Catalog, __: Runtime) -> Iterator[Row]:
    return iter(())


HEAD: Final = "id text!, oid oid!, schema_id text!, name text!"
_TABLE: Final[tuple[tuple[str, str, str, Rows], ...]] = (
    ("mz_databases", "id text!, oid oid!, name text!, owner_id text!", "the databases", _databases),
    ("mz_schemas", "id text!, oid oid!, database_id text, name text!, owner_id text!",
     "the schemas, those of the system without a database", _schemas),
    ("mz_objects", f"{HEAD}, type text!, owner_id text!", "every object with its kind", _objects),
    ("mz_relations", f"{HEAD}, type text!, owner_id text!", "the objects that have columns", _relations),
    ("mz_tables", f"{HEAD}, owner_id text!, create_sql text", "tables, system relations included", _tables),
    ("mz_sources", f"{HEAD}, type text!, source_id text, cluster_id text!, owner_id text!, create_sql text",
     "sources, and the relations that they feed with the source that feeds them", _sources),
    ("mz_views", f"{HEAD}, definition text!, owner_id text!, create_sql text!", "views, and their queries", _views),
    ("mz_materialized_views", f"{HEAD}, cluster_id text!, definition text!, owner_id text!, create_sql text!",
     "materialized views, and their queries", _materialized_views),
    ("mz_indexes", "id text!, oid oid!, name text!, on_id text!, cluster_id text!, owner_id text!, create_sql text",
     "indexes, and what they are on", _indexes),
    ("mz_index_columns",
     "index_id text!, index_position bigint!, on_position bigint, on_expression text, name text!, nullable boolean!",
     "the key of each index, in order: columns, and expressions, which are called as they are written", _index_columns),
    ("mz_columns",
     "id text!, name text!, position bigint!, nullable boolean!, type text!, type_oid oid!, type_mod integer!",
     "the columns of every relation", _columns),
    ("mz_types", f"{HEAD}, category text!", "the types", _types(None, *Nesting)),
    ("mz_base_types", f"{HEAD}, category text!", "the types that are not made of others", _types(None, Nesting.RANGE)),
    ("mz_array_types", "id text!, element_id text!", "the array types, with the type of their elements", _array_types),
    ("mz_functions",
     f"{HEAD}, argument_type_ids text[]!, return_type_id text!, returns_set boolean!, owner_id text!",
     "every overload of every function", _functions),
    ("mz_roles", "id text!, oid oid!, name text!, inherit boolean!, rolcanlogin boolean!, rolsuper boolean!",
     "the roles", _roles),
    ("mz_role_members", "role_id text!, member text!, grantor text!", "which role is in which: none", none),
    ("mz_clusters", "id text!, name text!, owner_id text!, managed boolean!, replication_factor bigint!",
     "where dataflows run: there is one cluster, and these are names for it", _clusters),
    ("mz_cluster_replicas", "id text!, name text!, cluster_id text!, owner_id text!",
     "the one replica, under each of these names", _replicas),
    ("mz_secrets", f"{HEAD}, owner_id text!", "secrets, without their values", _secrets),
    ("mz_connections", f"{HEAD}, type text!, owner_id text!, create_sql text!", "connections, and what they are to",
     _connections),
    ("mz_connectors", f"{HEAD}, type text!, owner_id text!, create_sql text!", "connections, by their former name",
     _connections),
    ("mz_sinks", f"{HEAD}, type text!, cluster_id text!, owner_id text!, create_sql text!",
     "sinks, and what they write to", _sinks),
    ("mz_list_types", "id text!, element_id text!", "the named list types, with the type of their elements",
     _list_types),
    ("mz_map_types", "id text!, key_id text!, value_id text!", "the named map types, with the types of keys and values",
     _map_types),
    ("mz_pseudo_types", f"{HEAD}, category text!", "the types that only functions' arguments have", _pseudo_types),
    ("mz_kafka_sources", "id text!, topic text!", "the topics that sources read", _kafka_sources),
    ("mz_kafka_sinks", "id text!, topic text!", "the topics that sinks write", _kafka_sinks),
    ("mz_kafka_connections", "id text!, brokers text[]!", "the brokers of connections to Kafka", _kafka_connections),
    ("mz_catalog_names", "global_id text!, name text!", "every object with its name in full", _names),
)  # fmt: skip

DEFINITIONS: Final = tuple(
    define("mz_catalog", name, 14_000 + i, text, doc, rows) for i, (name, text, doc, rows) in enumerate(_TABLE)
)
