"""Questions about bound relations: whether a subquery is in a scalar, how many rows a relation can have."""

from engine.dataflow.graph import Ties
from engine.plan.relation import (
    BoundScalar,
    Constant,
    Distinct,
    Exists,
    Filter,
    Let,
    LetRec,
    Map,
    Project,
    Quantified,
    Reduce,
    Relation,
    ScalarSubquery,
    TopK,
    Window,
    children,
    scalars,
)
from engine.plan.scalars import (
    parts,
)


def always_one(relation: Relation) -> bool:
    """Whether a (bound) relation has exactly one row for each outer row."""
    match relation:
        case Reduce():
            return relation.scalar and not relation.keys
        case Constant():
            return len(relation.rows) == 1 and relation.rows[0][1] == 1
        case Project() | Map() | Window():
            return always_one(relation.input)
        case Let():
            return always_one(relation.body)
        case _:
            return False


def at_most_one(relation: Relation) -> bool:
    """Whether a (bound) relation has at most one row for each outer row."""
    match relation:
        case Project() | Map() | Filter() | Distinct() | Window():
            return at_most_one(relation.input)
        case TopK():
            single = relation.limit is not None and relation.limit <= 1 and relation.ties is Ties.CUT
            return (single and not relation.group) or at_most_one(relation.input)
        case Reduce():
            return not relation.keys
        case Let():
            return at_most_one(relation.body)
        case _:
            return always_one(relation)


def without_output(relation: Relation) -> Relation:
    """The relation below what does not change whether there is a row."""
    match relation:
        case Project() | Map() | Distinct() | Window():
            return without_output(relation.input)
        case TopK() if relation.offset == 0 and (relation.limit is None or relation.limit > 0):
            return without_output(relation.input)
        case _:
            return relation


def nested(scalar: BoundScalar) -> list[Relation]:
    """The relations in a scalar."""
    match scalar:
        case Exists() | ScalarSubquery():
            return [scalar.relation]
        case Quantified():
            return [scalar.relation, *nested(scalar.condition)]
        case _:
            return [relation for part in parts(scalar) for relation in nested(part)]


def highest_let(relation: Relation) -> int:
    """The largest id of a Let anywhere in the relation, or -1."""
    highest = relation.id if isinstance(relation, Let) else -1
    if isinstance(relation, LetRec):
        highest = max(relation.ids)
    for child in (*children(relation), *(inner for scalar in scalars(relation) for inner in nested(scalar))):
        highest = max(highest, highest_let(child))
    return highest
