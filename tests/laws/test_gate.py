"""The gate: what is looked up stays as it is, what is not touched is not waited for, and nobody starves."""

import random
from threading import Event, Thread

from engine.dataflow.gate import Gate
from engine.dataflow.graph import Source as Plan
from engine.dataflow.node import Node
from engine.dataflow.operators.source import Source


def node(*inputs: Node) -> Node:
    return Node(Plan(0, (), False), (), list(inputs), Source((), False), False)


def test_a_change_keeps_look_ups_of_what_it_touches_and_of_what_stands_on_it_out_and_no_others():
    gate, above, other = Gate(), node(), node()
    below = node(above)
    with gate.changing({above}):
        assert not gate.enter(above)
        assert not gate.enter(below)
        assert gate.enter(other)
        gate.leave(other)
    with gate.changing({below}):
        assert gate.enter(above)
        gate.leave(above)
    with gate.changing(None):
        assert not gate.enter(other)
    for each in (above, below, other):
        assert gate.enter(each)


def test_who_cannot_enter_is_told_when_the_change_has_ended():
    gate, changed = Gate(), node()
    told = []
    with gate.changing({changed}):
        gate.when_free(lambda: told.append(gate.enter(changed)))
        assert not told
    assert told == [True]
    gate.when_free(lambda: told.append(None))
    assert told == [True, None]


def test_who_waits_is_let_in_before_the_next_change():
    gate, changed = Gate(), node()
    began, entered, ended = Event(), Event(), Event()

    def wait() -> None:
        began.set()
        gate.wait(changed)
        entered.set()
        ended.wait()
        gate.leave(changed)

    reader = Thread(target=wait)
    with gate.changing({changed}):
        reader.start()
        began.wait()
        while not gate._turns:
            pass

    def change() -> None:
        with gate.changing({changed}):
            assert ended.is_set(), "it waits for whoever was let in"

    changer = Thread(target=change)
    changer.start()
    entered.wait()
    ended.set()
    for thread in (reader, changer):
        thread.join()


def test_nothing_that_is_looked_up_changes_meanwhile():
    gate, nodes = Gate(), [node() for _ in range(3)]
    joined = node(*nodes[:2])
    values = {each: 0 for each in (*nodes, joined)}
    over, wrong = Event(), []

    def look(seed: int) -> None:
        choose = random.Random(seed)
        while not over.is_set():
            wanted = choose.choice([*nodes, joined])
            if choose.random() < 0.5:
                gate.wait(wanted)
            elif not gate.enter(wanted):
                continue
            seen = [values[each] for each in wanted.above()]
            if any(value % 2 for value in seen) or seen != [values[each] for each in wanted.above()]:
                wrong.append(seen)
            gate.leave(wanted)

    readers = [Thread(target=look, args=(seed,)) for seed in range(4)]
    for reader in readers:
        reader.start()
    choose = random.Random(4)
    for _ in range(2000):
        touched = {each for each in values if choose.random() < 0.5}
        with gate.changing(touched):
            for each in touched:
                values[each] += 1
            for each in touched:
                values[each] += 1
    over.set()
    for reader in readers:
        reader.join()
    assert not wrong
