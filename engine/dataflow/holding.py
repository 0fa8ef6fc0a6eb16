"""Who holds a node by which key: the node keeps one arrangement, and each key of it as long as somebody holds it."""

from engine.collection.arrangement import Arrangement
from engine.dataflow.node import Key, Node
from engine.dataflow.trace import Trace


def take_hold(node: Node, key: Key, own: Trace | None) -> Trace:
    """The node's arrangement, one reference to `key` more; `own`, which has the same rows by it, takes its place if the
    key is new: O(1), unless another view has arranged the node by another key since `own` was begun: then O(rows).
    """
    if node.trace is None:
        assert own is not None
        node.trace, own.references = own, {}
    trace = node.trace
    if not trace.arrangement.has(key):
        if own is not None and all(map(own.arrangement.has, (key, *trace.references))):
            trace.arrangement = own.arrangement
        else:
            trace.arrangement.add(key)
    trace.references[key] = trace.references.get(key, 0) + 1
    return trace


def let_go(node: Node, key: Key) -> None:
    """One reference less; without any, the key goes, and with the last key the arrangement."""
    trace = node.trace
    assert trace is not None
    trace.references[key] -= 1
    if not trace.references[key]:
        del trace.references[key]
        trace.arrangement.remove(key)
    if not trace.references:
        node.trace = None


def arranged(node: Node) -> tuple[Key, ...]:
    """The keys that it is arranged by, whoever asked for them."""
    return () if node.trace is None else tuple(node.trace.references)


def arrangement_of(node: Node) -> Arrangement:
    """The arrangement that the node is read by."""
    assert node.trace is not None
    return node.trace.arrangement
