"""pg_class and what hangs on it: attributes, indexes, constraints, defaults, dependencies, and the views over them."""

from collections.abc import Iterator
from typing import Final

from engine import types
from engine.catalog.catalog import Catalog, is_temporary
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
)
from engine.catalog.system import describe
from engine.catalog.system.definition import Changes, Row, Runtime, database_of, define
from engine.catalog.system.mz_catalog import every, items, relations, schemas
from engine.catalog.system.oids import OWNER
from engine.catalog.system.operators import class_of
from engine.types import Category, Column, SqlType

HEAP_METHOD, INDEX_METHOD = 2, 9_999
"""pg_am's numbers of what holds a relation's rows, and an index's."""
DEFAULT_COLLATION: Final = 950
"""PostgreSQL's number of the collation C: texts are ordered by their bytes."""
CLASS, TYPE, ATTRDEF, CONSTRAINT, NAMESPACE, REWRITE = 1259, 1247, 2604, 2606, 2615, 2618
"""pg_class.oid of the catalogs that dependencies are between and comments are on."""
PROC, AUTHID, DATABASE = 1255, 1260, 1262
"""The same of catalogs whose objects functions name by it."""


def relkind(item: Item) -> str:
    """pg_class's letter; sources are tables, as nothing of PostgreSQL's is nearer."""
    match item:
        case Table() | Source() | SourceRelation() | Secret() | Connection() | Sink() | DurableSubscription():
            return "r"  # of which pg_class has those with rows
        case Type():
            return "c"
        case SystemRelation():
            return "r" if item.name.schema == "pg_catalog" else "v"
        case View():
            return "v"
        case MaterializedView():
            return "m"
        case Index():
            return "i"


def collation(type_: SqlType) -> int:
    return DEFAULT_COLLATION if type_.category is Category.STRING else 0


def by_value(type_: SqlType) -> bool:
    return 0 < type_.length <= 8


def align(type_: SqlType) -> str:
    return {1: "c", 2: "s", 8: "d"}.get(type_.length, "i")


def storage(type_: SqlType) -> str:
    return "p" if type_.length > 0 else "x"


def defaults(item: Item) -> Iterator[tuple[int, str]]:
    """(column, SQL text) of each DEFAULT of a table."""
    if isinstance(item, Table):
        for at, text in enumerate(item.default_texts):
            if text is not None:
                yield at, text


def default_oid(item: Item, column: int) -> int:
    """pg_attrdef.oid: unique by the table and the column."""
    return item.id * 1_000 + column


def held(catalog: Catalog) -> Iterator[Item]:
    """What pg_class has: relations, indexes, and composite types for their attributes. A secret, a connection, a
    sink or a durable subscription has no rows: clients would list it as a table."""
    for item in every(catalog):
        if not isinstance(item, Type | Secret | Connection | Sink | DurableSubscription) or is_composite(item):
            yield item


def is_composite(item: Item) -> bool:
    return isinstance(item, Type) and item.type.nesting is types.Nesting.RECORD


def attributes(item: Item, catalog: Catalog) -> tuple[Column, ...]:
    """The columns of a relation, of an index's key, or of a composite type."""
    match item:
        case Index():
            return item.keyed(catalog.items[item.on].columns)
        case Type():
            return tuple(Column(name, kind) for name, kind in item.type.fields)
        case _:
            return tuple(item.columns)


def _classes(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    indexed = {item.on for item in items(catalog, Index) if isinstance(item, Index)}
    for item in held(catalog):
        kind = relkind(item)
        method = {"i": INDEX_METHOD, "v": 0, "c": 0}.get(kind, HEAP_METHOD)
        persistence = "t" if is_temporary(item.name) else "p"
        yield (
            item.id, item.name.item, runtime.oids.schema_of(item), item.id if kind == "c" else 0, method,
            item.id if method else 0, item.id in indexed, persistence, kind, len(attributes(item, catalog)),
            isinstance(item, View | MaterializedView), database_of(item),
        )  # fmt: skip


def _attributes(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in held(catalog):
        database = database_of(item)
        with_default = frozenset(at for at, _ in defaults(item))
        for at, column in enumerate(attributes(item, catalog)):
            type_ = column.type
            yield (
                item.id, column.name, type_.oid, type_.length, at + 1, int(type_.nesting is types.Nesting.ARRAY),
                type_.typmod, by_value(type_), align(type_), storage(type_), not column.nullable, at in with_default,
                collation(type_), database,
            )  # fmt: skip


def _indexes(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in items(catalog, Index):
        assert isinstance(item, Index)
        of, key, n = catalog.items[item.on].columns, describe.key_of(item, catalog), len(item.key)
        yield (
            item.id, item.on, n, n, key is not None, key is not None and key.primary,
            [0 if column >= len(of) else column + 1 for column in item.shown(len(of))],
            [collation(column.type) for column in item.keyed(of)],
            [class_of(column.type) for column in item.keyed(of)],
            [0] * n, ", ".join(each.text for each in item.expressions if not item.constraint) or None,
            database_of(item),
        )  # fmt: skip


def _constraints(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for index, table, key in describe.keys(catalog):
        yield (
            index.id, key.name, runtime.oids.schema_of(table), "p" if key.primary else "u", table.id, index.id,
            [column + 1 for column in key.columns], database_of(table),
        )  # fmt: skip


def _defaults(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in items(catalog, Table):
        for column, text in defaults(item):
            yield default_oid(item, column), item.id, column + 1, text, database_of(item)


def _depends(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    """An index on its relation (or its constraint, and that on the table); a view's rule on what it reads."""
    for item in held(catalog):
        database = database_of(item)
        if isinstance(item, Index):
            key = describe.key_of(item, catalog)
            if key is not None:
                yield CLASS, item.id, 0, CONSTRAINT, item.id, 0, "i", database
                for column in key.columns:
                    yield CONSTRAINT, item.id, 0, CLASS, item.on, column + 1, "a", database
            else:
                width = len(catalog.items[item.on].columns)
                for column in item.key:
                    yield CLASS, item.id, 0, CLASS, item.on, column + 1 if column < width else 0, "a", database
            continue
        if isinstance(item, View | MaterializedView):
            yield REWRITE, item.id, 0, CLASS, item.id, 0, "i", database
        for other in sorted(item.depends_on):
            yield (
                REWRITE if isinstance(item, View | MaterializedView) else CLASS,
                item.id,
                0,
                CLASS,
                other,
                0,
                "n",
                (database),
            )
        for column, _text in defaults(item):
            yield ATTRDEF, default_oid(item, column), 0, CLASS, item.id, column + 1, "a", database


def _rules(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    """A view is a rule, whose number is the view's: through it clients find what a view reads."""
    for item in items(catalog, View, MaterializedView):
        yield item.id, "_RETURN", item.id, "1", database_of(item)


def _namespaces(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for database, name in schemas(catalog):
        yield runtime.oids.schema(database, name), name, database or None


def _descriptions(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, SystemRelation):
        assert isinstance(item, SystemRelation)
        yield item.id, CLASS, 0, item.doc, None
    for (subject, name, column), text in sorted(catalog.comments.items()):
        if subject == "item":
            item = catalog.items[int(name)]
            yield item.id, TYPE if isinstance(item, Type) else CLASS, column, text, database_of(item)
        elif subject == "schema":
            database, schema = name.split(".", 1)
            yield runtime.oids.schema(database, schema), NAMESPACE, 0, text, database


def _tables(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    indexed = {item.on for item in items(catalog, Index) if isinstance(item, Index)}
    for item in relations(catalog):
        if relkind(item) == "r":
            yield item.name.schema, item.name.item, item.id in indexed, database_of(item)


def _views(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in items(catalog, View):
        assert isinstance(item, View)
        yield item.name.schema, item.name.item, describe.view_definition(item), database_of(item)


def _materialized_views(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    indexed = {item.on for item in items(catalog, Index) if isinstance(item, Index)}
    for item in items(catalog, MaterializedView):
        assert isinstance(item, MaterializedView)
        ready = runtime.hydrated.get(item.id, False)
        text = describe.view_definition(item)
        yield item.name.schema, item.name.item, item.id in indexed, ready, text, database_of(item)


def _named_indexes(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in items(catalog, Index):
        assert isinstance(item, Index)
        on, text = catalog.items[item.on].name, describe.index_definition(item, catalog)
        yield on.schema, on.item, item.name.item, text, database_of(item)


def _statistics(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    for item in items(catalog, Table, Source, SourceRelation, MaterializedView):
        yield item.id, item.name.schema, item.name.item, runtime.rows.get(item.id, 0), database_of(item)


def _index_statistics(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in items(catalog, Index):
        assert isinstance(item, Index)
        on = catalog.items[item.on].name
        yield item.on, item.id, on.schema, on.item, item.name.item, database_of(item)


STATISTICS: Final = """relid oid!, schemaname name!, relname name!, seq_scan int8! = 0, seq_tup_read int8! = 0,
    idx_scan int8! = 0, idx_tup_fetch int8! = 0, n_tup_ins int8! = 0, n_tup_upd int8! = 0, n_tup_del int8! = 0,
    n_tup_hot_upd int8! = 0, n_live_tup int8!, n_dead_tup int8! = 0, n_mod_since_analyze int8! = 0,
    n_ins_since_vacuum int8! = 0, last_vacuum timestamptz = null, last_autovacuum timestamptz = null,
    last_analyze timestamptz = null, last_autoanalyze timestamptz = null, vacuum_count int8! = 0,
    autovacuum_count int8! = 0, analyze_count int8! = 0, autoanalyze_count int8! = 0"""

DEFINITIONS: Final = (
    define(
        "pg_catalog", "pg_class", 1259,
        """oid oid!, relname name!, relnamespace oid!, reltype oid!, reloftype oid! = 0, relowner oid! = 10,
        relam oid!, relfilenode oid!, reltablespace oid! = 0, relpages int4! = 0, reltuples float4! = -1,
        relallvisible int4! = 0, reltoastrelid oid! = 0, relhasindex bool!, relisshared bool! = false,
        relpersistence char!, relkind char!, relnatts int2!, relchecks int2! = 0, relhasrules bool!,
        relhastriggers bool! = false, relhassubclass bool! = false, relrowsecurity bool! = false,
        relforcerowsecurity bool! = false, relispopulated bool! = true, relreplident char! = 'd',
        relispartition bool! = false, relrewrite oid! = 0, relfrozenxid xid! = 0, relminmxid xid! = 0,
        relacl aclitem[] = null, reloptions text[] = null, relpartbound text = null""",
        "relations and indexes", _classes, scoped=True,
    ),
    define(
        "pg_catalog", "pg_attribute", 1249,
        """attrelid oid!, attname name!, atttypid oid!, attstattarget int4! = -1, attlen int2!, attnum int2!,
        attndims int4!, attcacheoff int4! = -1, atttypmod int4!, attbyval bool!, attalign char!, attstorage char!,
        attcompression char! = '', attnotnull bool!, atthasdef bool!, atthasmissing bool! = false,
        attidentity char! = '', attgenerated char! = '', attisdropped bool! = false, attislocal bool! = true,
        attinhcount int4! = 0, attcollation oid!, attacl aclitem[] = null, attoptions text[] = null,
        attfdwoptions text[] = null, attmissingval text = null""",
        "the columns of relations and indexes", _attributes, scoped=True,
    ),
    define(
        "pg_catalog", "pg_index", 2610,
        """indexrelid oid!, indrelid oid!, indnatts int2!, indnkeyatts int2!, indisunique bool!,
        indnullsnotdistinct bool! = false, indisprimary bool!, indisexclusion bool! = false, indimmediate bool! = true,
        indisclustered bool! = false, indisvalid bool! = true, indcheckxmin bool! = false, indisready bool! = true,
        indislive bool! = true, indisreplident bool! = false, indkey int2vector!, indcollation oidvector!,
        indclass oidvector!, indoption int2vector!, indexprs text, indpred text = null""",
        "indexes, and the columns that they are by", _indexes, scoped=True,
    ),
    define(
        "pg_catalog", "pg_constraint", 2606,
        """oid oid!, conname name!, connamespace oid!, contype char!, condeferrable bool! = false,
        condeferred bool! = false, convalidated bool! = true, conrelid oid!, contypid oid! = 0, conindid oid!,
        conparentid oid! = 0, confrelid oid! = 0, confupdtype char! = '', confdeltype char! = '',
        confmatchtype char! = '', conislocal bool! = true, coninhcount int4! = 0, connoinherit bool! = true,
        conkey int2[], confkey int2[] = null, conpfeqop oid[] = null, conppeqop oid[] = null, conffeqop oid[] = null,
        confdelsetcols int2[] = null, conexclop oid[] = null, conbin text = null""",
        "primary keys and unique constraints", _constraints, scoped=True,
    ),
    define(
        "pg_catalog", "pg_attrdef", 2604, "oid oid!, adrelid oid!, adnum int2!, adbin text!",
        "the defaults of columns", _defaults, scoped=True,
    ),
    define(
        "pg_catalog", "pg_depend", 2608,
        "classid oid!, objid oid!, objsubid int4!, refclassid oid!, refobjid oid!, refobjsubid int4!, deptype char!",
        "which object is used by which", _depends, scoped=True,
    ),
    define(
        "pg_catalog", "pg_rewrite", 2618,
        """oid oid!, rulename name!, ev_class oid!, ev_type char!, ev_enabled char! = 'O', is_instead bool! = true,
        ev_qual text! = '<>', ev_action text! = ''""",
        "views, as the rules that they are in PostgreSQL", _rules, scoped=True,
    ),
    define(
        "pg_catalog", "pg_namespace", 2615,
        f"oid oid!, nspname name!, nspowner oid! = {OWNER}, nspacl aclitem[] = null",
        "the schemas", _namespaces, scoped=True,
    ),
    define(
        "pg_catalog", "pg_description", 2609, "objoid oid!, classoid oid!, objsubid int4!, description text!",
        "comments", _descriptions, scoped=True,
    ),
    define(
        "pg_catalog", "pg_tables", 12033,
        """schemaname name!, tablename name!, tableowner name! = 'materialize', tablespace name = null,
        hasindexes bool!, hasrules bool! = false, hastriggers bool! = false, rowsecurity bool! = false""",
        "tables and sources", _tables, scoped=True,
    ),
    define(
        "pg_catalog", "pg_views", 12028,
        "schemaname name!, viewname name!, viewowner name! = 'materialize', definition text!", "views", _views,
        scoped=True,
    ),
    define(
        "pg_catalog", "pg_matviews", 12038,
        """schemaname name!, matviewname name!, matviewowner name! = 'materialize', tablespace name = null,
        hasindexes bool!, ispopulated bool!, definition text!""",
        "materialized views", _materialized_views, changes=Changes.RUNTIME, scoped=True,
    ),
    define(
        "pg_catalog", "pg_indexes", 12043,
        "schemaname name!, tablename name!, indexname name!, tablespace name = null, indexdef text!", "indexes",
        _named_indexes, scoped=True,
    ),
    *(
        define("pg_catalog", name, oid, STATISTICS, "rows of tables and materialized views", _statistics,
               changes=Changes.RUNTIME, scoped=True)
        for name, oid in (("pg_stat_all_tables", 12142), ("pg_stat_user_tables", 12161))
    ),
    define(
        "pg_catalog", "pg_stat_user_indexes", 12192,
        """relid oid!, indexrelid oid!, schemaname name!, relname name!, indexrelname name!, idx_scan int8! = 0,
        idx_tup_read int8! = 0, idx_tup_fetch int8! = 0""",
        "indexes, and that nobody counts their use", _index_statistics, scoped=True,
    ),
)  # fmt: skip
