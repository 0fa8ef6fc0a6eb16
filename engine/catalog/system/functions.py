"""The functions that read the catalog of the moment, and the casts between OIDs and names.

Each answer is made for one statement from what the statement stands in, and then called with the raw values of each
distinct row of arguments. Names are resolved by the session's search path; of what does not exist most functions say
NULL, as in PostgreSQL, and those that take a name say that it does not exist.

Law   An answer comes with what it is made of. Answers of one function that are made of equals are equal: most are of a
      catalog and a path alone, and what is planned with them may be used again.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from engine import types
from engine.catalog.system.answers import acls, comments, definitions, locks, privileges, registered, session, storage
from engine.catalog.system.answers.names import Answer, Make, MakeNow, Moment, Names
from engine.catalog.system.definition import Surroundings
from engine.collection.nested import Array
from engine.types import Nesting, SqlType

ANSWERS: Final[Mapping[str, Make]] = {
    **definitions.ANSWERS, **comments.ANSWERS, **storage.ANSWERS, **registered.ANSWERS, **privileges.ANSWERS,
}  # fmt: skip
"""What makes a function's answer, by its name."""
NOW: Final[Mapping[str, MakeNow]] = {
    **comments.NOW, **storage.NOW, **registered.NOW, **privileges.NOW, **session.NOW, **locks.NOW, **acls.NOW,
}  # fmt: skip
"""The same, of those that ask for more than a catalog and a path."""

Answered: TypeAlias = tuple[Answer, Names]
"""An answer and what it is made of."""
K = TypeVar("K")


def _made(key: K, plain: Mapping[K, Make], now: Mapping[K, MakeNow], moment: Moment) -> Answered | None:
    if key in plain:
        names = Names(moment.catalog, moment.path, moment.oids)
        return plain[key](names), names
    return (now[key](moment), moment) if key in now else None


def _cast(source: SqlType, target: SqlType, moment: Moment) -> Answered | None:
    """A number as its name, a name as its number; an array of them one by one."""
    if source.nesting is target.nesting is Nesting.ARRAY:
        found = _cast(source.within, target.within, moment)
        if found is None:
            return None
        each, of = found
        return lambda array: Array(array.dims, tuple(None if item is None else each(item) for item in array.items)), of
    if source in types.REGISTERED:
        return _made(source, registered.SHOWN, registered.SHOWN_NOW, moment)
    return _made(target, registered.READ, registered.READ_NOW, moment)


def answer(name: str, parameters: Sequence[SqlType], result: SqlType, around: Surroundings) -> Answered | None:
    """What a function of the catalog answers in a statement; None: it is none of these."""
    moment = Moment(around.catalog, around.path, around.runtime.oids, around)
    return _cast(parameters[0], result.plain, moment) if name == "cast" else _made(name, ANSWERS, NOW, moment)
