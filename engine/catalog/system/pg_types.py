"""pg_type and pg_proc, and the small catalogs around them: pg_cast, pg_enum, pg_am, pg_language, pg_collation."""

from collections.abc import Iterator
from typing import Final

from engine import types
from engine.catalog.catalog import SYSTEM_DATABASE, Catalog
from engine.catalog.items import Type
from engine.catalog.system.definition import Row, Runtime, database_of, define
from engine.catalog.system.describe import ACCESS_METHOD, type_name
from engine.catalog.system.mz_catalog import items, none
from engine.catalog.system.pg_relations import (
    DEFAULT_COLLATION,
    HEAP_METHOD,
    INDEX_METHOD,
    align,
    by_value,
    collation,
    is_composite,
)
from engine.catalog.system.pg_relations import storage as storage_of
from engine.catalog.system.routines import ROUTINES
from engine.catalog.system.type_io import BY_OID, NONE, RECORD_IO, of_type
from engine.expr.functions.casts import cast_function
from engine.expr.functions.text_casts import itself
from engine.types import CastContext, SqlType

INTERNAL_LANGUAGE: Final = 12
"""pg_language's number of functions that are built in."""
PSEUDO: Final = (
    (2249, "record"), (2276, "any"), (2283, "anyelement"), (2277, "anyarray"), (5077, "anycompatible"),
    (2278, "void"), (2275, "cstring"), (2279, "trigger"), (2281, "internal"),
)  # fmt: skip
"""Pseudo-types, which no column has: some of them only drivers ask for."""
CUSTOM: Final = ((types.ANYLIST.oid, "list"), (types.ANYMAP.oid, "map"))
"""Lists and maps: one number for all of each, as their values are text on the wire."""


def _pg_catalog(runtime: Runtime) -> int:
    return runtime.oids.schema(SYSTEM_DATABASE, "pg_catalog")


def _types(catalog: Catalog, runtime: Runtime) -> Iterator[Row]:
    arrays = {row.within.oid: row.oid for row in types.ARRAYS}
    schema = _pg_catalog(runtime)
    for row in (*types.TYPES, *types.RANGES, *types.ARRAYS, *types.VECTORS):
        letter = "p" if row == types.UNKNOWN else "r" if row in types.RANGES else "b"
        io, element = of_type(row), row.element
        yield (
            row.oid, type_name(row), schema, row.length, by_value(row), letter, row.category.value,
            row.preferred, ",", 0, 0 if element is None or letter == "r" else element.oid, arrays.get(row.oid, 0),
            io.input, io.output, io.receive, io.send, align(row), storage_of(row), collation(row), None,
        )  # fmt: skip
    for item in items(catalog, Type):
        assert isinstance(item, Type)
        kind, category, relation, io = ("c", "C", item.id, RECORD_IO) if is_composite(item) else ("b", "U", 0, NONE)
        yield (
            item.id, item.name.item, runtime.oids.schema_of(item), -1, False, kind, category, False, ",", relation, 0,
            0, io.input, io.output, io.receive, io.send, "i", "x", 0, database_of(item),
        )  # fmt: skip
    for oid, name in PSEUDO:
        array, io, length = types.ARRAY_OIDS.get(oid, 0), BY_OID.get(oid, NONE), -1 if name == "record" else 4
        yield (
            oid, name, schema, length, length > 0, "p", "P", False, ",", 0, 0, array, io.input, io.output, io.receive,
            io.send, "i", "p" if length > 0 else "x", 0, None,
        )  # fmt: skip
    for oid, name in CUSTOM:
        yield oid, name, schema, -1, False, "b", "U", False, ",", 0, 0, 0, 0, 0, 0, 0, "i", "x", 0, None


def _ranges(_: Catalog, __: Runtime) -> Iterator[Row]:
    return ((row.oid, row.within.oid) for row in types.RANGES)


def _functions(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    schema = _pg_catalog(runtime)
    for row in ROUTINES:
        variadic = row.arguments[-1].oid if row.variadic else 0
        oids = [type_.oid for type_ in row.arguments]
        yield (
            row.oid, row.name, schema, 1000.0 if row.returns_set else 0.0, variadic, row.kind, row.strict,
            row.returns_set, "s" if row.volatile else "i", len(oids), row.result.oid, oids, row.name,
        )  # fmt: skip


def _casts(_: Catalog, __: Runtime) -> Iterator[Row]:
    letters = {CastContext.IMPLICIT: "i", CastContext.ASSIGNMENT: "a", CastContext.EXPLICIT: "e"}
    for source, targets in types.CASTS.items():
        for target, context in targets.items():
            yield _cast_oid(source, target), source.oid, target.oid, letters[context], _method(source, target)


def _cast_oid(source: SqlType, target: SqlType) -> int:
    """Unique by the pair: every OID of a type with casts is below 2^13."""
    return source.oid << 13 | target.oid


def _method(source: SqlType, target: SqlType) -> str:
    """b: the words are the same; f: a function."""
    found = cast_function(source, target, CastContext.EXPLICIT)
    return "b" if found is not None and found.kernel is itself else "f"


def _methods(_: Catalog, __: Runtime) -> Iterator[Row]:
    yield HEAP_METHOD, "heap", 0, "t"
    yield INDEX_METHOD, ACCESS_METHOD, 0, "i"


def _languages(_: Catalog, __: Runtime) -> Iterator[Row]:
    yield INTERNAL_LANGUAGE, "internal"
    yield 14, "sql"


def _collations(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for oid, name, provider in ((100, "default", "d"), (DEFAULT_COLLATION, "C", "c"), (951, "POSIX", "c")):
        yield oid, name, _pg_catalog(runtime), provider, -1 if name == "default" else 6


DEFINITIONS: Final = (
    define(
        "pg_catalog", "pg_type", 1247,
        """oid oid!, typname name!, typnamespace oid!, typowner oid! = 10, typlen int2!, typbyval bool!,
        typtype char!, typcategory char!, typispreferred bool!, typisdefined bool! = true, typdelim char!,
        typrelid oid!, typsubscript regproc! = 0, typelem oid!, typarray oid!, typinput regproc!,
        typoutput regproc!, typreceive regproc!, typsend regproc!, typmodin regproc! = 0,
        typmodout regproc! = 0, typanalyze regproc! = 0, typalign char!, typstorage char!, typnotnull bool! = false,
        typbasetype oid! = 0, typtypmod int4! = -1, typndims int4! = 0, typcollation oid!, typdefaultbin text = null,
        typdefault text = null, typacl aclitem[] = null""",
        "the types, as PostgreSQL numbers them", _types, scoped=True,
    ),
    define(
        "pg_catalog", "pg_proc", 1255,
        """oid oid!, proname name!, pronamespace oid!, proowner oid! = 10, prolang oid! = 12, procost float4! = 1,
        prorows float4!, provariadic oid!, prosupport regproc! = 0, prokind char!, prosecdef bool! = false,
        proleakproof bool! = false, proisstrict bool!, proretset bool!, provolatile char!, proparallel char! = 's',
        pronargs int2!, pronargdefaults int2! = 0, prorettype oid!, proargtypes oidvector!, proallargtypes oid[] = null,
        proargmodes char[] = null, proargnames text[] = null, proargdefaults text = null, protrftypes oid[] = null,
        prosrc text!, probin text = null, prosqlbody text = null, proconfig text[] = null, proacl aclitem[] = null""",
        "every overload of every function", _functions,
    ),
    define(
        "pg_catalog", "pg_cast", 2605,
        "oid oid!, castsource oid!, casttarget oid!, castfunc oid! = 0, castcontext char!, castmethod char!",
        "the casts between types", _casts,
    ),
    define(
        "pg_catalog", "pg_range", 3541,
        "rngtypid oid!, rngsubtype oid!, rngmultitypid oid! = 0, rngcollation oid! = 0, rngsubopc oid! = 0, "
        "rngcanonical regproc! = 0, rngsubdiff regproc! = 0",
        "range types", _ranges,
    ),
    define(
        "pg_catalog", "pg_enum", 3501, "oid oid!, enumtypid oid!, enumsortorder float4!, enumlabel name!",
        "the values of enumerations: none", none,
    ),
    define("pg_catalog", "pg_am", 2601, "oid oid!, amname name!, amhandler regproc!, amtype char!",
           "how tables and indexes are held", _methods),
    define(
        "pg_catalog", "pg_language", 2612,
        """oid oid!, lanname name!, lanowner oid! = 10, lanispl bool! = false, lanpltrusted bool! = false,
        lanplcallfoid oid! = 0, laninline oid! = 0, lanvalidator oid! = 0, lanacl aclitem[] = null""",
        "languages of functions", _languages,
    ),
    define(
        "pg_catalog", "pg_collation", 3456,
        """oid oid!, collname name!, collnamespace oid!, collowner oid! = 10, collprovider char!,
        collisdeterministic bool! = true, collencoding int4!, collcollate text = 'C', collctype text = 'C',
        colliculocale text = null, collversion text = null""",
        "how texts are ordered: by their bytes", _collations,
    ),
)  # fmt: skip
