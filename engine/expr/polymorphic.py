"""What polymorphic parameters stand for in one call: PostgreSQL's rules for anyelement and anyarray.

All of a call's polymorphic parameters are over one type T: the common type of the elements of its containers and of its
anyelement arguments. Untyped literals say nothing about T; where nothing does, the call has no meaning.
"""

from collections.abc import Callable, Iterable
from typing import Final

from engine import types
from engine.errors import TypeMismatch
from engine.types import Nesting, SqlType

Types = tuple[SqlType, ...]
Common = Callable[[Iterable[SqlType]], SqlType]

CONTAINERS: Final = {types.ANYARRAY: Nesting.ARRAY, types.ANYLIST: Nesting.LIST, types.ANYMAP: Nesting.MAP}


def solved(parameters: Types, arguments: Types, common: Common) -> Types | None:
    """The parameters, one per argument, with types in the place of the polymorphic ones; None: they do not fit.

    `common` gives the common type of several or raises TypeMismatch.
    """
    if types.POLYMORPHIC.isdisjoint(parameters):
        return parameters
    told: list[SqlType] = []
    records: list[SqlType] = []
    for parameter, argument in zip(parameters, arguments, strict=True):
        if argument == types.UNKNOWN:
            continue
        if parameter in CONTAINERS:
            if argument.nesting is not CONTAINERS[parameter]:
                return None
            told.append(argument.within)
        elif parameter == types.ANYELEMENT:
            told.append(argument)
        elif parameter == types.ANYRECORD:
            if argument.nesting is not Nesting.RECORD:
                return None
            records.append(argument)
    try:
        element = common(told) if told else types.UNKNOWN
        record = common_record(records, common) if records else types.UNKNOWN
    except TypeMismatch:
        return None

    def stands_for(parameter: SqlType) -> SqlType:
        if parameter in CONTAINERS:
            return types.container_of(CONTAINERS[parameter], element)
        if parameter == types.ANYRECORD:
            return record
        return element if parameter == types.ANYELEMENT else parameter

    if element == types.UNKNOWN and not types.POLYMORPHIC.isdisjoint(set(parameters) - {types.ANYRECORD}):
        return None
    if record == types.UNKNOWN and types.ANYRECORD in parameters:
        return None
    return tuple(stands_for(parameter) for parameter in parameters)


def result_of(result: SqlType, declared: Types, parameters: Types) -> SqlType:
    """What a polymorphic result stands for, `parameters` being what the `declared` ones stand for."""
    if result not in types.POLYMORPHIC:
        return result
    for before, after in zip(declared, parameters, strict=True):
        if before == result:
            return after
        if before == types.ANYELEMENT:
            return types.container_of(CONTAINERS[result], after)
        if before in CONTAINERS:
            return after.within if result == types.ANYELEMENT else types.container_of(CONTAINERS[result], after.within)
    raise AssertionError(f"{result} does not follow from {declared}")


def common_record(kinds: Iterable[SqlType], common: Common) -> SqlType:
    """The record that records become: field by field, named as in the first."""
    first, *rest = kinds
    for kind in rest:
        if len(kind.fields) != len(first.fields):
            raise TypeMismatch("unequal number of entries in row expressions")
        first = types.record_of(
            tuple((name, common((a, b))) for (name, a), (_, b) in zip(first.fields, kind.fields, strict=True))
        )
    return first
