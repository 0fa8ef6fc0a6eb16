"""What is said of objects: comments, the names of their kinds, the names of roles and encodings."""

from collections.abc import Mapping
from typing import Final

from engine import types
from engine.catalog.items import Index, Item, SystemRelation
from engine.catalog.system import describe, pg_relations
from engine.catalog.system.answers.definitions import signature
from engine.catalog.system.answers.names import Answer, Make, MakeNow, Moment, Names
from engine.catalog.system.operators import BY_OID as OPERATORS
from engine.catalog.system.pg_relations import CLASS, relkind
from engine.catalog.system.routines import BY_OID as ROUTINES
from engine.expr.text_forms import RawValue

PG_CATALOG: Final = "pg_catalog"
RELKINDS: Final[Mapping[str, str]] = {
    "r": "table", "v": "view", "m": "materialized view", "i": "index", "c": "composite type",
}  # fmt: skip


def _description(names: Names) -> Answer:
    def answer(oid: int, catalog: str = "pg_class") -> RawValue:
        comments = names.catalog.comments
        if catalog in ("pg_class", "pg_type"):
            item = names.catalog.items.get(oid)
            return comments.get(("item", str(oid), 0), item.doc if isinstance(item, SystemRelation) else None)
        if catalog == "pg_namespace" and oid in names.schemas:
            return comments.get(("schema", ".".join(names.schemas[oid]), 0))
        if catalog == "pg_operator":
            operator = OPERATORS.get(oid)
            return None if operator is None else operator.doc
        if catalog == "pg_proc":
            routine = ROUTINES.get(oid)
            return None if routine is None else routine.doc
        return None

    return answer


def _column_description(names: Names) -> Answer:
    return lambda oid, column: names.catalog.comments.get(("item", str(oid), column)) if column else None


def _shared_description(names: Moment) -> Answer:
    def answer(oid: int, catalog: str) -> RawValue:
        comments, oids = names.catalog.comments, names.oids
        if catalog == "pg_database":
            found = [name for name in names.catalog.databases if oids.database(name) == oid]
            return comments.get(("database", found[0], 0)) if found else None
        role = names.roles.get(oid) if catalog == "pg_authid" else None
        return None if role is None else comments.get(("role", role.name, 0))

    return answer


def _described(names: Names) -> Answer:
    def answer(catalog: int, oid: int, column: int) -> RawValue:
        item = names.catalog.items.get(oid) if catalog == CLASS else None
        if item is None:
            return None
        at = f"column {item.columns[column - 1].name} of " if 0 < column <= len(item.columns) else ""
        return f"{at}{'index' if isinstance(item, Index) else 'table'} {names.shown(item)}"

    return answer


def _identified(names: Moment) -> Answer:
    """(kind, schema, name, identity); the name is NULL where it takes more than that to tell the object."""

    def answer(catalog: int, oid: int, column: int) -> RawValue:
        oids = names.oids
        match catalog:
            case pg_relations.CLASS | pg_relations.TYPE:
                item = names.catalog.items.get(oid)
                if item is not None:
                    return _identified_item(item, catalog, column)
                kind = types.BY_OID.get(oid)
                return None if kind is None else ("type", PG_CATALOG, describe.type_name(kind), str(kind.plain))
            case pg_relations.CONSTRAINT:
                index = names.catalog.items.get(oid)
                key = describe.key_of(index, names.catalog) if isinstance(index, Index) else None
                if key is None or not isinstance(index, Index):
                    return None
                table = names.catalog.items[index.on].name
                on = f"{describe.quote(key.name)} on {describe.qualified(table)}"
                return "table constraint", table.schema, None, on
            case pg_relations.PROC:
                routine = ROUTINES.get(oid)
                if routine is None:
                    return None
                kind = "aggregate" if routine.kind == "a" else "function"
                arguments = signature(routine).replace(", ", ",")
                return kind, PG_CATALOG, None, f"{PG_CATALOG}.{describe.quote(routine.name)}({arguments})"
            case pg_relations.NAMESPACE:
                return _alone("schema", names.schemas[oid][1]) if oid in names.schemas else None
            case pg_relations.DATABASE:
                found = [name for name in names.catalog.databases if oids.database(name) == oid]
                return _alone("database", found[0]) if found else None
            case pg_relations.AUTHID:
                return _alone("role", names.roles[oid].name) if oid in names.roles else None
            case _:
                return None

    return answer


def _identified_item(item: Item, catalog: int, column: int) -> RawValue:
    kind, schema, identity = RELKINDS[relkind(item)], item.name.schema, describe.qualified(item.name)
    if catalog == pg_relations.TYPE:
        kind = "type"
    if 0 < column <= len(item.columns):
        return f"{kind} column", schema, None, f"{identity}.{describe.quote(item.columns[column - 1].name)}"
    return kind, schema, item.name.item, identity


def _alone(kind: str, name: str) -> RawValue:
    """What is in no schema."""
    return kind, None, name, describe.quote(name)


def _user(names: Moment) -> Answer:
    def answer(oid: int) -> RawValue:
        role = names.roles.get(oid)
        return f"unknown (OID={oid})" if role is None else role.name

    return answer


ANSWERS: Final[Mapping[str, Make]] = {
    "obj_description": _description,
    "col_description": _column_description,
    "pg_describe_object": _described,
}

NOW: Final[Mapping[str, MakeNow]] = {
    "shobj_description": _shared_description,
    "pg_identify_object": _identified,
    "pg_get_userbyid": _user,
}
