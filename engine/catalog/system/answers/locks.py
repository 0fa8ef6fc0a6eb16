"""Advisory locks as functions: pg_advisory_lock and its like, each of a bigint or of two integers.

They act once, when their statement begins, and before it reads: their arguments are constants.
"""

from collections.abc import Mapping
from typing import Final

from engine.catalog.system.answers.names import Answer, MakeNow, Moment
from engine.catalog.system.definition import LockKey, Locks
from engine.errors import Unsupported
from engine.expr.text_forms import RawValue

HALF: Final = 1 << 32
NOTHING: Final = ""
"""What a function that returns void gives."""


def _locks(names: Moment) -> Locks:
    if names.around.locks is None:
        raise Unsupported(
            "advisory locks cannot be taken by a statement that makes something", hint="SELECT the function first."
        )
    return names.around.locks


def key_of(names: Moment, numbers: tuple[int, ...]) -> LockKey:
    """As pg_locks shows it: the halves of a bigint, or two integers."""
    database = names.path.database
    if len(numbers) == 1:
        high, low = divmod(numbers[0] % (HALF * HALF), HALF)
        return database, high, low, 1
    return database, numbers[0] % HALF, numbers[1] % HALF, 2


def _take(shared: bool, of_transaction: bool, wait: bool) -> MakeNow:
    def make(names: Moment) -> Answer:
        def answer(*numbers: int) -> RawValue:
            key = key_of(names, numbers)
            taken = _locks(names).take(key, shared=shared, of_transaction=of_transaction, wait=wait)
            return NOTHING if wait else taken

        return answer

    return make


def _give(shared: bool) -> MakeNow:
    def make(names: Moment) -> Answer:
        return lambda *numbers: _locks(names).give(key_of(names, numbers), shared=shared)

    return make


def _give_all(names: Moment) -> Answer:
    def answer() -> RawValue:
        _locks(names).end()
        return NOTHING

    return answer


TAKING: Final[Mapping[str, MakeNow]] = {
    f"pg_{'' if wait else 'try_'}advisory_{'xact_' if of_transaction else ''}lock{'_shared' if shared else ''}": _take(
        shared, of_transaction, wait
    )
    for wait in (True, False)
    for of_transaction in (False, True)
    for shared in (False, True)
}
GIVING: Final[Mapping[str, MakeNow]] = {"pg_advisory_unlock": _give(False), "pg_advisory_unlock_shared": _give(True)}
LOCKING: Final = frozenset({*TAKING, *GIVING})
NOW: Final[Mapping[str, MakeNow]] = {**TAKING, **GIVING, "pg_advisory_unlock_all": _give_all}
