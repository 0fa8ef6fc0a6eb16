"""Which casts there are, and where each may stand unwritten, is what PostgreSQL 15's pg_cast says.

casts.txt has a row for each type that PostgreSQL has too and a letter for each target, in the rows' order: i implicit,
a on assignment, e explicit, . none. Casts through text are in it as PostgreSQL's manual states them: to strings on
assignment, from them explicitly.
"""

from pathlib import Path

import pytest

from engine import types
from engine.errors import CannotCoerce
from engine.expr.functions.casts import cast_function
from engine.expr.overload import cast
from engine.expr.scalar import Ref
from engine.types import CastContext, SqlType, cast_context

LETTERS = {"i": CastContext.IMPLICIT, "a": CastContext.ASSIGNMENT, "e": CastContext.EXPLICIT, ".": None}
ROWS = [line.split("  ") for line in (Path(__file__).parent / "casts.txt").read_text().splitlines()]
KINDS = [types.ALIASES[name] for _, name in ROWS]


def test_every_type_that_postgresql_has_is_compared():
    assert [kind for kind in types.TYPES if kind.oid < types.ANYLIST.oid and kind != types.UNKNOWN] == KINDS


@pytest.mark.parametrize(("row", "source"), list(zip(ROWS, KINDS, strict=True)), ids=str)
def test_contexts(row: list[str], source: SqlType):
    expected = {target: LETTERS[letter] for target, letter in zip(KINDS, row[0], strict=True) if target != source}
    assert {target: cast_context(source, target) for target in KINDS if target != source} == expected
    for target, context in expected.items():
        if context is None:
            with pytest.raises(CannotCoerce):
                cast(Ref(0, source, True), target)
        else:
            assert cast_function(source, target, context) is not None
