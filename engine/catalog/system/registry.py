"""All system relations, as items of a catalog."""

from collections.abc import Mapping
from typing import Final

from engine.catalog.catalog import SYSTEM_DATABASE, Catalog
from engine.catalog.items import QualifiedName, SystemRelation
from engine.catalog.system import (
    information_schema,
    mz_catalog,
    mz_dataflow,
    mz_internal,
    mz_introspection,
    pg_absent,
    pg_operators,
    pg_relations,
    pg_state,
    pg_types,
)
from engine.catalog.system.definition import Definition

DEFINITIONS: Final = (
    *mz_catalog.DEFINITIONS,
    *mz_internal.DEFINITIONS,
    *mz_dataflow.DEFINITIONS,
    *mz_introspection.DEFINITIONS,
    *pg_relations.DEFINITIONS,
    *pg_types.DEFINITIONS,
    *pg_operators.DEFINITIONS,
    *pg_state.DEFINITIONS,
    *pg_absent.DEFINITIONS,
    *information_schema.DEFINITIONS,
)
BY_ID: Final[Mapping[int, Definition]] = {row.oid: row for row in DEFINITIONS}
"""A relation's id is its OID."""


def system_relations() -> tuple[SystemRelation, ...]:
    """The system relations as items of a catalog."""
    return tuple(
        SystemRelation(row.oid, QualifiedName(SYSTEM_DATABASE, row.schema, row.name), row.columns, row.doc)
        for row in DEFINITIONS
    )


def initial() -> Catalog:
    """The catalog of a new database."""
    return Catalog.initial(system_relations())
