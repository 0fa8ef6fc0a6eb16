"""What is said of objects: comments, the names of their kinds, the names of roles and encodings."""

from collections.abc import Mapping
from typing import Final

from engine.catalog.items import Index, SystemRelation
from engine.catalog.system.answers.names import Answer, Make, Names
from engine.catalog.system.operators import BY_OID as OPERATORS
from engine.catalog.system.pg_relations import CLASS
from engine.catalog.system.routines import BY_OID as ROUTINES
from engine.expr.text_forms import RawValue


def _description(names: Names) -> Answer:
    def answer(oid: int, catalog: str = "pg_class") -> RawValue:
        comments = names.around.catalog.comments
        if catalog in ("pg_class", "pg_type"):
            item = names.around.catalog.items.get(oid)
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
    return lambda oid, column: names.around.catalog.comments.get(("item", str(oid), column)) if column else None


def _shared_description(names: Names) -> Answer:
    def answer(oid: int, catalog: str) -> RawValue:
        comments, oids = names.around.catalog.comments, names.around.runtime.oids
        if catalog == "pg_database":
            found = [name for name in names.around.catalog.databases if oids.database(name) == oid]
            return comments.get(("database", found[0], 0)) if found else None
        role = names.roles.get(oid) if catalog == "pg_authid" else None
        return None if role is None else comments.get(("role", role.name, 0))

    return answer


def _described(names: Names) -> Answer:
    def answer(catalog: int, oid: int, column: int) -> RawValue:
        item = names.around.catalog.items.get(oid) if catalog == CLASS else None
        if item is None:
            return None
        at = f"column {item.columns[column - 1].name} of " if 0 < column <= len(item.columns) else ""
        return f"{at}{'index' if isinstance(item, Index) else 'table'} {names.shown(item)}"

    return answer


def _user(names: Names) -> Answer:
    def answer(oid: int) -> RawValue:
        role = names.roles.get(oid)
        return f"unknown (OID={oid})" if role is None else role.name

    return answer


ANSWERS: Final[Mapping[str, Make]] = {
    "obj_description": _description,
    "shobj_description": _shared_description,
    "col_description": _column_description,
    "pg_describe_object": _described,
    "pg_get_userbyid": _user,
}  # fmt: skip
