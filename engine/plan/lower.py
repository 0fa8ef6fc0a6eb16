"""Relations to dataflows: `lower` makes the graph.Plan that operators run.

Rule   chains of Project, Map and Filter become one Mfp; a Join becomes a delta join over plain columns, its expressions
       computed in an Mfp below and its inputs pruned to the columns that are read, unless the whole collection is
       arranged already: a further key of one arrangement is shared; Lets are inlined, as equal subplans are one
       operator anyway.
State  equal subplans are one Python object (hash-consing), so the result is a DAG and a walk by identity is O(size).
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, cast

from engine.collection.wanted import ask
from engine.dataflow import graph
from engine.dataflow.graph import Compute, Keep, Order, Plan
from engine.errors import Unsupported
from engine.expr.scalar import Call, Ref, Scalar
from engine.plan.facts import Facts, Key
from engine.plan.lowering.dag import Dag
from engine.plan.lowering.join_order import Column, JoinInput, join_paths
from engine.plan.lowering.joins import narrowing, physical, plain_join, without_nulls
from engine.plan.lowering.loops import depends, independent, temporal_inside
from engine.plan.lowering.steps import mfp_steps, moved_step, steps_read, without_dead
from engine.plan.lowering.windows import lower_window
from engine.plan.relation import (
    CHANGES,
    UNIT,
    BoundJoin,
    BoundScalar,
    Constant,
    Distinct,
    Filter,
    FlatMap,
    Get,
    Join,
    Let,
    LetRec,
    Local,
    Map,
    Negate,
    Project,
    Query,
    Reduce,
    Relation,
    Threshold,
    TopK,
    Union,
    Window,
)
from engine.plan.rules.aggregates import plain_reduce, repeated
from engine.plan.scalars import parts
from engine.plan.temporal import bounds
from engine.types import Physical

Arranged = Mapping[int, AbstractSet[tuple[int, ...]]]
"""By collection: the column tuples that it is arranged by already; all its columns, if that is how it is kept."""

NO_ARRANGEMENTS: Final[Arranged] = {}

FIXED: Final = frozenset({Physical.BOOLEAN, Physical.SIGNED, Physical.FLOAT, Physical.DECIMAL})
"""Values whose words need no heap, but for the rare numeric."""


def lower(relation: Relation, arranged: Arranged = NO_ARRANGEMENTS) -> Plan:
    """The dataflow of a decorrelated relation. O(size of relation + inputs³ of its widest join)."""
    return Lowering(arranged).plan(relation)


def with_finishing_as_topk(query: Query) -> Relation:
    """The query as a relation: what a view keeps of ORDER BY and LIMIT (an order without a limit is no content)."""
    finishing = query.finishing
    relation = query.relation
    if finishing.limit is not None or finishing.offset:
        relation = TopK(relation, (), finishing.order, finishing.limit, finishing.offset)
    return relation if finishing.project is None else Project(relation, finishing.project)


class Lowering(Dag):
    """One run: plans by relation object."""

    def __init__(self, arranged: Arranged) -> None:
        super().__init__()
        self.arranged = arranged
        self.facts = Facts()
        self.done: dict[int, tuple[Relation, Plan]] = {}
        self.lets: dict[int, Plan] = {}
        self.computed_once: set[int] = set()

    def plan(self, relation: Relation) -> Plan:
        known = self.done.get(id(relation))
        if known is None:
            known = self.done[id(relation)] = (relation, self.lowered(relation))
        return known[1]

    def lowered(self, relation: Relation) -> Plan:
        ask()
        match relation:
            case Get() if relation.changes is not None:
                width = len(relation.columns) - len(CHANGES)
                of = self.cons(graph.Source(relation.id, self.facts.types(relation)[:width], relation.append_only))
                return self.cons(graph.Changes(of, relation.changes))
            case Get():
                return self.cons(graph.Source(relation.id, self.facts.types(relation), relation.append_only))
            case Local():
                return self.lets[relation.id]
            case Let():
                self.facts.bind(relation)
                self.lets[relation.id] = self.plan(relation.value)
                return self.plan(relation.body)
            case LetRec():
                return self.let_rec(relation)
            case Constant():
                return self.cons(graph.Constant(relation.rows, relation.types))
            case Filter() if is_temporal(relation):
                return self.temporal(relation)
            case Project() | Map() | Filter() | Join():
                return self.chain(relation)
            case FlatMap():
                arguments = cast(tuple[Scalar, ...], relation.arguments)
                return self.cons(graph.FlatMap(self.plan(relation.input), relation.function, arguments))
            case Reduce():
                return self.reduce(relation)
            case Distinct():
                return self.cons(graph.Distinct(self.plan(relation.input)))
            case TopK():
                if relation.limit is None and not relation.offset:
                    return self.plan(relation.input)
                below = self.plan(relation.input)
                limit, offset = relation.limit, relation.offset
                return self.cons(graph.TopK(below, relation.group, relation.order, limit, offset, relation.ties))
            case Window():
                return lower_window(relation, self.plan(relation.input), self.cons)
            case Negate():
                return self.cons(graph.Negate(self.plan(relation.input)))
            case Threshold():
                return self.cons(graph.Threshold(self.plan(relation.input)))
            case Union():
                return self.union(relation)
            case BoundJoin():
                raise AssertionError("decorrelate has not run")

    def let_rec(self, relation: LetRec) -> Plan:
        """The loop, with all that does not depend on its variables as inputs. A body of the query that reads one of
        them stays outside, where others may share its operators."""
        variables = [
            self.cons(graph.Local(-1 - id_, types))  # a mark of its own until the inputs are numbered
            for id_, types in zip(relation.ids, relation.types, strict=True)
        ]
        self.lets |= dict(zip(relation.ids, variables, strict=True))
        bodies = [self.plan(value) for value in relation.values]
        result = body = self.plan(relation.body)
        read = [variable for variable in variables if depends(body, [variable], {})]
        if len(read) == 1:
            result = read[0]
        inputs: dict[int, Plan] = {}
        known: dict[int, bool] = {}
        for plan in (*bodies, result):
            independent(plan, variables, known, inputs)
        leaves = {key: self.cons(graph.Local(i, self.types(plan))) for i, (key, plan) in enumerate(inputs.items())}
        for i, variable in enumerate(variables):
            leaves[id(variable)] = self.cons(graph.Local(len(inputs) + i, relation.types[i]))
        if any(temporal_inside(plan, known) for plan in (*bodies, result)):
            raise Unsupported("a comparison with mz_now() inside a recursion is not supported")
        made = self.cons(
            graph.LetRec(
                tuple(inputs.values()),
                relation.types,
                tuple(self.replaced(plan, leaves) for plan in bodies),
                self.replaced(result, leaves),
                relation.limit,
                relation.returns_at_limit,
            )
        )
        return self.replaced(body, {id(read[0]): made}) if len(read) == 1 else made

    def union(self, relation: Union) -> Plan:
        branches: list[Plan] = []
        for branch in relation.inputs:
            plan = self.plan(branch)
            branches.extend(plan.inputs if isinstance(plan, graph.Union) else (plan,))
        branches = [plan for plan in branches if not (isinstance(plan, graph.Constant) and not plan.rows)]
        if not branches:
            return self.cons(graph.Constant((), self.facts.types(relation)))
        return branches[0] if len(branches) == 1 else self.cons(graph.Union(tuple(branches)))

    def reduce(self, relation: Reduce) -> Plan:
        plain = plain_reduce(relation, self.facts)
        if not isinstance(plain, Reduce):
            self.computed_once |= {id(shared) for shared in repeated(plain, relation.input) if dear(shared)}
            return self.plan(plain)
        keys = cast(tuple[Ref, ...], plain.keys)
        calls = plain.aggregates
        arguments = [[cast(Ref, ref).index for ref in call.arguments] for call in calls]
        orders = [[(cast(Ref, ref).index, down, first) for ref, down, first in call.order] for call in calls]
        group = list(dict.fromkeys(key.index for key in keys))
        rest = {i for columns in arguments for i in columns} | {i for order in orders for i, _, _ in order}
        read = [*group, *sorted(rest - set(group))]
        below = self.plan(Project(plain.input, tuple(read)))
        place = {column: i for i, column in enumerate(read)}
        if not calls:
            made = self.cons(graph.Distinct(below))
        else:
            aggregates = tuple(
                graph.Aggregate(
                    call.overload.kind,
                    tuple(place[i] for i in columns),
                    call.overload.result,
                    tuple(Order(place[i], down, first) for i, down, first in order),
                )
                for call, columns, order in zip(calls, arguments, orders, strict=True)
            )
            made = self.cons(graph.Reduce(below, tuple(range(len(group))), aggregates))
        if len(group) == len(keys):
            return made
        columns = (*(place[key.index] for key in keys), *range(len(group), len(group) + len(calls)))
        return self.cons(graph.Mfp(made, (), columns))

    def chain(self, relation: Relation) -> Plan:
        """Projects, Maps and Filters down to the first other node, as one Mfp over it (or as a Join's projection)."""
        links: list[Project | Map | Filter] = []
        base = relation
        while True:
            if isinstance(base, Project | Map | Filter) and not is_temporal(base):
                if id(base) in self.computed_once and base is not relation:
                    break
                links.append(base)
                base = base.input
            elif isinstance(base, Join):
                simple = plain_join(base, self.facts)
                if simple is base:
                    break
                base = simple
            else:
                break
        steps, project = mfp_steps(links, self.facts.arity(base))
        if isinstance(base, Join) and not steps:
            return self.join(base, project)
        if isinstance(base, Join):
            width = self.facts.arity(base)
            live = sorted({i for i in (*steps_read(steps), *project) if i < width})
            at = {column: i for i, column in enumerate(live)}
            for extra in range(len([step for step in steps if isinstance(step, Compute)])):
                at[width + extra] = len(live) + extra
            steps = [moved_step(step, at) for step in steps]
            project = [at[column] for column in project]
            return self.mfp(self.join(base, live), steps, project)
        return self.mfp(self.plan(base), steps, project)

    def temporal(self, relation: Filter) -> Plan:
        """A filter that compares with mz_now(): its bounds computed, and a Temporal for each."""
        width = self.facts.arity(relation.input)
        plain = [predicate for predicate in relation.predicates if bounds(predicate) is None]
        found = [bound for predicate in relation.predicates if (bound := bounds(predicate)) is not None]
        below: Relation = Filter(relation.input, tuple(plain)) if plain else relation.input
        times = [scalar for bound in found for scalar in (bound.lower, bound.upper) if scalar is not None]
        plan = self.plan(Map(below, tuple(times)))
        at = width
        for bound in found:
            lower, upper = None, None
            if bound.lower is not None:
                lower, at = at, at + 1
            if bound.upper is not None:
                upper, at = at, at + 1
            plan = self.cons(graph.Temporal(plan, lower, upper))
        return self.cons(graph.Mfp(plan, (), tuple(range(width))))

    def mfp(self, below: Plan, steps: Sequence[Compute | Keep], project: Sequence[int]) -> Plan:
        width = len(self.types(below))
        if not steps:
            if tuple(project) == tuple(range(width)):
                return below
            if isinstance(below, graph.Mfp):
                left, columns = without_dead(below, project, len(self.types(below.input)))
                if not any(isinstance(step, Compute) and is_dear(step.expression) for step in left):
                    return self.mfp(below.input, left, columns)
        elif isinstance(below, graph.Mfp) and not below.steps:
            inner = len(self.types(below.input))
            at = {i: column for i, column in enumerate(below.project)}
            computed = sum(isinstance(step, Compute) for step in steps)
            at |= {width + i: inner + i for i in range(computed)}
            steps = [moved_step(step, at) for step in steps]
            return self.mfp(below.input, steps, [at[i] for i in project])
        return self.cons(graph.Mfp(below, tuple(steps), tuple(project)))

    def join(self, relation: Join, live: Sequence[int]) -> Plan:
        """A join whose equivalences are plain columns of several inputs; its output is the columns `live`."""
        if not relation.inputs:
            return self.plan(UNIT)
        starts = [0]
        for branch in relation.inputs:
            starts.append(starts[-1] + self.facts.arity(branch))
        owner = [i for i, branch in enumerate(relation.inputs) for _ in range(self.facts.arity(branch))]
        if len(relation.inputs) == 1:
            return self.plan(Project(relation.inputs[0], tuple(live)))
        classes = [[(owner[ref.index], ref.index - starts[owner[ref.index]]) for ref in cast(tuple[Ref, ...], group)]
                   for group in relation.equivalences]  # fmt: skip
        wanted: list[set[int]] = [set() for _ in relation.inputs]
        for column in (*((owner[i], i - starts[owner[i]]) for i in live), *(c for group in classes for c in group)):
            wanted[column[0]].add(column[1])
        sides = [self.join_input(branch) for branch in relation.inputs]
        paths = join_paths(sides, classes)
        inputs: list[Plan] = []
        places: list[dict[int, int]] = []
        orders: list[dict[Key, tuple[int, ...]]] = []
        tied = {column for group in classes for column in group}
        strict: set[Column] = set()
        for i, branch in enumerate(relation.inputs):
            found = without_nulls(branch)
            looked = {frozenset(stage.key) for path in paths for stage in path if stage.input == i}
            if (
                found is not None
                and all((i, column) in tied for column in found[2])
                and (looked & sides[i].arranged or self.is_kept(found[0]))
            ):
                source, columns, tested = found
                strict.update(c for group in classes if any((i, t) in group for t in tested) for c in group)
                inputs.append(self.plan(source))
                places.append(dict(enumerate(columns)))
                orders.append({frozenset(key): key for key in sorted(self.arranged[source.id])})
                continue
            kept = sorted(wanted[i])
            inputs.append(self.plan(Project(branch, tuple(kept))))
            places.append({column: position for position, column in enumerate(kept)})
            orders.append({})
        widths = [len(self.types(plan)) for plan in inputs]
        lookups = tuple(physical(start, path, places, widths, orders, strict) for start, path in enumerate(paths))
        ends = [sum(widths[:i]) for i in range(len(widths))]
        project = tuple(ends[owner[i]] + places[owner[i]][i - starts[owner[i]]] for i in live)
        return self.cons(graph.Join(tuple(inputs), lookups, project))

    def is_kept(self, source: Get) -> bool:
        """Whether the collection's rows are arranged already, by themselves: a further key of theirs costs less than
        another arrangement of the columns that count."""
        return tuple(range(len(source.columns))) in self.arranged.get(source.id, frozenset())

    def join_input(self, relation: Relation) -> JoinInput:
        """What the join order asks of an input."""
        found = without_nulls(relation)
        arranged: set[Key] = set()
        if found is not None:
            at = {column: position for position, column in enumerate(found[1])}
            for key in self.arranged.get(found[0].id, frozenset()):
                if all(column in at for column in key):
                    arranged.add(frozenset(at[column] for column in key))
        return JoinInput(frozenset(arranged), self.facts.keys(relation), (0, 0) if found else narrowing(relation))


def dear(relation: Relation) -> bool:
    """Whether it computes what is better kept for the next reader than computed again."""
    return isinstance(relation, Map) and any(map(is_dear, relation.scalars))


def is_dear(scalar: BoundScalar) -> bool:
    """Whether a value of variable length is made: formatting and text cost more than to carry a column of codes."""
    if isinstance(scalar, Call) and scalar.type.physical not in FIXED:
        return True
    return any(map(is_dear, parts(scalar)))


def is_temporal(relation: Relation) -> bool:
    return isinstance(relation, Filter) and any(bounds(predicate) is not None for predicate in relation.predicates)
