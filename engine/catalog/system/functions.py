"""The functions that read the catalog of the moment, and the casts between OIDs and names.

Each answer is made for one statement from what the statement stands in, and then called with the raw values of each
distinct row of arguments. Names are resolved by the session's search path; of what does not exist most functions say
NULL, as in PostgreSQL, and those that take a name say that it does not exist.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from engine import types
from engine.catalog.system.answers import acls, comments, definitions, locks, privileges, registered, session, storage
from engine.catalog.system.answers.names import Answer, Make, Names
from engine.catalog.system.definition import Surroundings
from engine.collection.nested import Array
from engine.types import Nesting, SqlType

ANSWERS: Final[Mapping[str, Make]] = {
    **definitions.ANSWERS, **comments.ANSWERS, **storage.ANSWERS, **registered.ANSWERS, **privileges.ANSWERS,
    **session.ANSWERS, **locks.ANSWERS, **acls.ANSWERS,
}  # fmt: skip
"""What makes a function's answer, by its name."""


def _cast(source: SqlType, target: SqlType, names: Names) -> Answer | None:
    """A number as its name, a name as its number; an array of them one by one."""
    if source.nesting is target.nesting is Nesting.ARRAY:
        each = _cast(source.within, target.within, names)
        if each is None:
            return None
        return lambda array: Array(array.dims, tuple(None if item is None else each(item) for item in array.items))
    if source in types.REGISTERED:
        return registered.shown(source)(names)
    return registered.READ[target](names) if target in types.REGISTERED else None


def answer(name: str, parameters: Sequence[SqlType], result: SqlType, around: Surroundings) -> Answer | None:
    """What a function of the catalog answers in a statement; None: it is none of these."""
    if name == "cast":
        return _cast(parameters[0], result.plain, Names(around))
    make = ANSWERS.get(name)
    return None if make is None else make(Names(around))
