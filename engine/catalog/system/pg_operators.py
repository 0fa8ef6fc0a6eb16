"""pg_operator and pg_aggregate, and which operators an index serves: pg_opclass, pg_opfamily, pg_amop.

An arrangement has one operator class for each type: it finds the rows whose key is equal.
"""

from collections.abc import Iterator
from typing import Final

from engine.catalog.catalog import SYSTEM_DATABASE, Catalog
from engine.catalog.system.definition import Row, Runtime, define
from engine.catalog.system.describe import type_name
from engine.catalog.system.oids import OWNER
from engine.catalog.system.operators import BY_NAME, CLASSES, OPERATORS, commutator, negator
from engine.catalog.system.pg_relations import INDEX_METHOD
from engine.catalog.system.routines import ROUTINES

EQUALITY: Final = 1
"""The number of equality among what an arrangement can look up by."""


def _schema(runtime: Runtime) -> int:
    return runtime.oids.schema(SYSTEM_DATABASE, "pg_catalog")


def _operators(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    schema = _schema(runtime)
    for row in OPERATORS:
        yield (
            row.oid, row.name, schema, "b" if row.left is not None else "l", row.hashes,
            0 if row.left is None else row.left.oid, row.right.oid, row.result.oid, commutator(row), negator(row),
        )  # fmt: skip


def _aggregates(_: Catalog, __: Runtime) -> Iterator[Row]:
    for row in ROUTINES:
        if row.kind == "a":
            yield row.oid, row.result.oid


def _classes(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for kind, oid in CLASSES.items():
        yield oid, INDEX_METHOD, f"{type_name(kind)}_ops", _schema(runtime), oid, kind.oid


def _families(_: Catalog, runtime: Runtime) -> Iterator[Row]:
    for kind, oid in CLASSES.items():
        yield oid, INDEX_METHOD, f"{type_name(kind)}_ops", _schema(runtime)


def _served(_: Catalog, __: Runtime) -> Iterator[Row]:
    for kind, oid in CLASSES.items():
        yield oid, oid, kind.oid, kind.oid, EQUALITY, BY_NAME["=", kind, kind].oid, INDEX_METHOD


DEFINITIONS: Final = (
    define(
        "pg_catalog", "pg_operator", 2617,
        f"""oid oid!, oprname name!, oprnamespace oid!, oprowner oid! = {OWNER}, oprkind char!,
        oprcanmerge bool! = false, oprcanhash bool!, oprleft oid!, oprright oid!, oprresult oid!, oprcom oid!,
        oprnegate oid!, oprcode regproc! = 0, oprrest regproc! = 0, oprjoin regproc! = 0""",
        "every overload of every operator", _operators,
    ),
    define(
        "pg_catalog", "pg_aggregate", 2600,
        """aggfnoid regproc!, aggkind char! = 'n', aggnumdirectargs int2! = 0, aggtransfn regproc! = 0,
        aggfinalfn regproc! = 0, aggcombinefn regproc! = 0, aggserialfn regproc! = 0, aggdeserialfn regproc! = 0,
        aggmtransfn regproc! = 0, aggminvtransfn regproc! = 0, aggmfinalfn regproc! = 0, aggfinalextra bool! = false,
        aggmfinalextra bool! = false, aggfinalmodify char! = 'r', aggmfinalmodify char! = 'r', aggsortop oid! = 0,
        aggtranstype oid!, aggtransspace int4! = 0, aggmtranstype oid! = 0, aggmtransspace int4! = 0,
        agginitval text = null, aggminitval text = null""",
        "the aggregates; their transitions are no functions that could be called", _aggregates,
    ),
    define(
        "pg_catalog", "pg_opclass", 2616,
        f"""oid oid!, opcmethod oid!, opcname name!, opcnamespace oid!, opcowner oid! = {OWNER}, opcfamily oid!,
        opcintype oid!, opcdefault bool! = true, opckeytype oid! = 0""",
        "what of a type an index looks up by: equality", _classes,
    ),
    define(
        "pg_catalog", "pg_opfamily", 2753,
        f"oid oid!, opfmethod oid!, opfname name!, opfnamespace oid!, opfowner oid! = {OWNER}",
        "one for each operator class", _families,
    ),
    define(
        "pg_catalog", "pg_amop", 2602,
        """oid oid!, amopfamily oid!, amoplefttype oid!, amoprighttype oid!, amopstrategy int2!,
        amoppurpose char! = 's', amopopr oid!, amopmethod oid!, amopsortfamily oid! = 0""",
        "the operators of the operator classes", _served,
    ),
)  # fmt: skip
