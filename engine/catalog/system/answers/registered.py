"""The casts between OIDs and names: regclass, regtype, regproc and their like; format_type."""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from engine import types
from engine.catalog.items import Type
from engine.catalog.system import describe
from engine.catalog.system.answers.definitions import signature
from engine.catalog.system.answers.names import Answer, Make, MakeNow, Moment, Names, split
from engine.catalog.system.operators import BY_OID as OPERATORS
from engine.catalog.system.pg_types import CUSTOM, PSEUDO
from engine.catalog.system.routines import BY_OID as ROUTINES
from engine.errors import AmbiguousName, DataError, UnknownFunction, UnknownName
from engine.expr.text_forms import RawValue
from engine.types import SqlType

TYPES: Final[Mapping[int, SqlType]] = types.BY_OID

N = TypeVar("N", bound=Names)


def _or_null(find: Callable[[N], Answer]) -> Callable[[N], Answer]:
    """The same, NULL for a name that there is not."""

    def make(names: N) -> Answer:
        look = find(names)

        def answer(name: str) -> RawValue:
            try:
                return look(name)
            except DataError:
                return None

        return answer

    return make


def _number_or(find: Callable[[N, str], int]) -> Callable[[N], Answer]:
    """What reads a name: a number is itself, and - none."""

    def make(names: N) -> Answer:
        def answer(text: str) -> RawValue:
            bare = text.strip()
            if bare.isdigit():
                return int(bare)
            return 0 if bare == "-" else find(names, bare)

        return answer

    return make


def _class_of(names: Names, name: str) -> int:
    return names.relation(name).id


def _type_of(names: Names, name: str) -> int:
    item = names.catalog.find(split(name.strip()), names.path)
    if isinstance(item, Type):
        return item.id
    found = names.type(name)
    if found is not None:
        return found.oid
    for oid, custom in (*PSEUDO, *CUSTOM):
        if custom == name.strip('"').removeprefix("pg_catalog."):
            return oid
    raise UnknownName(f'type "{name}" does not exist')


def _function_of(names: Names, name: str) -> int:
    found = names.functions(name)
    if not found:
        raise UnknownFunction(f'function "{name}" does not exist')
    if len(found) > 1:
        raise AmbiguousName(f'more than one function named "{name}"')
    return found[0].oid


def _procedure_of(names: Names, text: str) -> int:
    name, _, rest = text.partition("(")
    wanted = [names.type(part) for part in rest.rstrip(")").split(",") if part.strip()]
    for routine in names.functions(name):
        if list(routine.arguments) == wanted:
            return routine.oid
    raise UnknownFunction(f'function "{text}" does not exist')


def _schema_of(names: Names, name: str) -> int:
    return names.oids.schema(*names.schema(split(name)[-1]))


def _operator_of(names: Names, name: str) -> int:
    bare = name.rpartition(".")[2]
    found = [row for row in OPERATORS.values() if row.name == bare]
    if not found:
        raise UnknownFunction(f"operator does not exist: {name}")
    if len(found) > 1:
        raise AmbiguousName(f"more than one operator named {name}")
    return found[0].oid


def _operator_with(names: Names, text: str) -> int:
    name, _, rest = text.partition("(")
    wanted = [None if part.strip() == "none" else names.type(part) for part in rest.rstrip(")").split(",")]
    for row in OPERATORS.values():
        if row.name == name.strip().rpartition(".")[2] and [row.left, row.right] == wanted:
            return row.oid
    raise UnknownFunction(f"operator does not exist: {text}")


READ: Final[Mapping[SqlType, Make]] = {
    types.REGCLASS: _number_or(_class_of),
    types.REGTYPE: _number_or(_type_of),
    types.REGPROC: _number_or(_function_of),
    types.REGPROCEDURE: _number_or(_procedure_of),
    types.REGNAMESPACE: _number_or(_schema_of),
    types.REGOPER: _number_or(_operator_of),
    types.REGOPERATOR: _number_or(_operator_with),
}
"""A name as the number that it means."""
READ_NOW: Final[Mapping[SqlType, MakeNow]] = {types.REGROLE: _number_or(Moment.role)}


def _class_name(names: Names, oid: int) -> str | None:
    item = names.catalog.items.get(oid)
    return None if item is None else names.shown(item)


def _type_name(names: Names, oid: int) -> str | None:
    found = TYPES.get(oid)
    item = names.catalog.items.get(oid)
    if isinstance(item, Type):
        return names.shown(item)
    return describe.format_type(found) if found is not None else dict((*PSEUDO, *CUSTOM)).get(oid)


def _function_name(names: Names, oid: int) -> str | None:
    found = ROUTINES.get(oid)
    return None if found is None else describe.quote(found.name)


def _procedure_name(names: Names, oid: int) -> str | None:
    found = ROUTINES.get(oid)
    return None if found is None else f"{describe.quote(found.name)}({signature(found).replace(', ', ',')})"


def _schema_name(names: Names, oid: int) -> str | None:
    found = names.schemas.get(oid)
    return None if found is None else describe.quote(found[1])


def _role_name(names: Moment, oid: int) -> str | None:
    found = names.roles.get(oid)
    return None if found is None else describe.quote(found.name)


def _operator_name(names: Names, oid: int) -> str | None:
    found = OPERATORS.get(oid)
    return None if found is None else found.name


def _operator_signature(names: Names, oid: int) -> str | None:
    found = OPERATORS.get(oid)
    if found is None:
        return None
    left = "NONE" if found.left is None else describe.format_type(found.left)
    return f"{found.name}({left},{describe.format_type(found.right)})"


def _shown(name: Callable[[N, int], str | None]) -> Callable[[N], Answer]:
    """The text of a number: the number itself where nothing has it, and - for none."""
    return lambda names: lambda oid: "-" if oid == 0 else name(names, oid) or str(oid)


SHOWN: Final[Mapping[SqlType, Make]] = {
    types.REGCLASS: _shown(_class_name),
    types.REGTYPE: _shown(_type_name),
    types.REGPROC: _shown(_function_name),
    types.REGPROCEDURE: _shown(_procedure_name),
    types.REGNAMESPACE: _shown(_schema_name),
    types.REGOPER: _shown(_operator_name),
    types.REGOPERATOR: _shown(_operator_signature),
}
"""A number as the name that it has."""
SHOWN_NOW: Final[Mapping[SqlType, MakeNow]] = {types.REGROLE: _shown(_role_name)}


def _format_type(names: Names) -> Answer:
    def answer(oid: int | None, typmod: int | None) -> RawValue:
        if oid is None:
            return None
        found = TYPES.get(oid)
        if found is not None:
            return describe.with_typmod(found, typmod)
        return "-" if oid == 0 else _type_name(names, oid) or "???"

    return answer


ANSWERS: Final[Mapping[str, Make]] = {
    "format_type": _format_type,
    **{f"to_{kind.name}": _or_null(read) for kind, read in READ.items()},
}

NOW: Final[Mapping[str, MakeNow]] = {f"to_{kind.name}": _or_null(read) for kind, read in READ_NOW.items()}
