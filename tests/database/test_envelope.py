"""Changes by key fold to the relation, whatever the changes are, as long as the key is one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.database import Database, keyed

KEYED = st.dictionaries(st.tuples(st.integers(0, 4), st.sampled_from([None, "a", "b"])), st.integers(0, 2), max_size=8)


@given(st.lists(KEYED, min_size=1, max_size=5))
def test_the_fold_is_the_relation(states: list[dict]) -> None:
    with Database.in_memory() as db, db.session() as session:
        db.execute("CREATE TABLE t (k int, l text, v int)")
        following, held, before = session.follow("SUBSCRIBE t"), {}, {}
        following.poll()
        for state in states:
            gone, come = before.items() - state.items(), state.items() - before.items()
            rows = [(*key, v) for key, v in [*come, *gone]]
            db.write("t", rows, [1] * len(come) + [-1] * len(gone))
            before = state
            batch = following.poll()
            if batch is None:
                continue
            rows, changes = batch.data.rows(), keyed(batch.delta, (0, 1))
            for what, row, old, new in zip(changes.states, changes.rows, changes.before, changes.after, strict=True):
                key = rows[row][:2]
                assert held.get(key) == (None if old < 0 else rows[old][2])
                held.pop(key, None)
                if new >= 0:
                    held[key] = rows[new][2]
                assert what.value == {(0, 1): "insert", (1, 1): "upsert", (1, 0): "delete"}[(old >= 0, new >= 0)]
        assert held == states[-1]


def test_two_rows_of_a_key_violate_it() -> None:
    with Database.in_memory() as db, db.session() as session:
        db.execute("CREATE TABLE t (k int, v int)")
        following = session.follow("SUBSCRIBE t")
        following.poll()
        db.write("t", [(1, 1), (1, 2), (2, 1)])
        batch = following.poll()
        assert batch is not None
        found = keyed(batch.delta, [0])
        assert sorted(state.value for state in found.states) == ["insert", "key_violation"]
        violated = [state.value for state in found.states].index("key_violation")
        assert (found.before[violated], found.after[violated]) == (-1, -1)
        everything = keyed(batch.delta, [])
        assert [state.value for state in everything.states] == ["key_violation"]
        assert np.array_equal(everything.rows, [0])
