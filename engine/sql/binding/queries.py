"""Whole queries: WITH, set operations, VALUES, ORDER BY and LIMIT around them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from engine import types
from engine.collection.wanted import ask
from engine.dataflow.graph import Order, Ties
from engine.errors import (
    AmbiguousColumn,
    InvalidLimit,
    InvalidOffset,
    InvalidParameter,
    SyntaxError_,
    UndefinedColumn,
    Unsupported,
)
from engine.expr import overload
from engine.expr.scalar import Call, Literal, Ref, Value
from engine.plan.relation import (
    UNIT,
    AggregateCall,
    BoundScalar,
    Constant,
    Finishing,
    Let,
    Local,
    Map,
    Negate,
    Project,
    Query,
    Reduce,
    Relation,
    Union,
)
from engine.plan.rules.fold import folded
from engine.sql import syntax
from engine.sql.binding.applying import cast, located, settled
from engine.sql.binding.common import Commons, Whole, converted
from engine.sql.binding.keys import as_keys, cut, difference, distinct, has_spans, numbered
from engine.sql.binding.listings import listing
from engine.sql.binding.place import Place, Subrelation
from engine.sql.binding.select import Output, Rows, ordering, projected
from engine.sql.binding.session import SESSION_FUNCTIONS, value
from engine.sql.parameters import number_of
from engine.sql.scope import Around, Scope, ScopeColumn
from engine.sql.syntax import Expression, OrderItem, SetOperator
from engine.types import CastContext, Column, SqlType

NOWHERE = Scope((), (), 0, Around(None, {}))
"""Where constants are bound: LIMIT, VALUES at the top, AS OF."""


@dataclass
class Queries(Commons):
    """Binds queries."""

    def top(self, query: syntax.Query) -> tuple[Query, tuple[Column, ...]]:
        """A query whose rows go to a client: they are sorted and cut outside the dataflow."""
        whole = self.query(query, Around(None, {}))
        rows = whole.rows
        visible = None if rows.width == len(rows.columns) else tuple(range(len(rows.columns)))
        finishing = Finishing(rows.order, whole.limit, whole.offset, visible)
        names = tuple(column.name for column in rows.columns)
        if not any(types.is_registered(column.type) for column in rows.columns):
            return Query(rows.relation, names, finishing), rows.columns
        relation, columns, project = _with_names(rows)
        return Query(relation, names, replace(finishing, project=project)), columns

    def returned(
        self, items: Sequence[syntax.SelectItem], scope: Scope
    ) -> tuple[list[BoundScalar], tuple[Column, ...]]:
        """The select list of RETURNING: its scalars over the scope's row, and their columns."""
        output, _ = self._output(self._items(items, scope), Place(scope, "RETURNING"))
        columns = (Column(n, s.type, s.nullable) for n, s in zip(output.names, output.scalars, strict=True))
        return output.scalars, tuple(columns)

    def subquery(self, query: syntax.Query, around: Around) -> Subrelation:
        return self.closed(self.query(query, around))

    def collected(self, query: syntax.Query, aggregate: str, around: Around) -> tuple[Relation, SqlType]:
        whole = self.query(query, around)
        rows = whole.rows
        if len(rows.columns) != (2 if aggregate == "map_agg" else 1):
            count = "two columns" if aggregate == "map_agg" else "only one column"
            raise SyntaxError_(f"subquery must return {count}", position=query.at)
        relation, columns = rows.relation, rows.columns
        if whole.limit is not None or whole.offset:
            relation = cut(relation, rows.kinds, (), rows.order, whole.limit, whole.offset)
        kinds = tuple(column.type for column in columns)
        found, parameters = located(query.at, overload.resolve_aggregate, aggregate, kinds)
        order = tuple((Ref(i.column, rows.kinds[i.column]), i.descending, i.nulls_first) for i in rows.order)
        given = tuple(
            located(query.at, cast, Ref(i, column.type, column.nullable), parameter, CastContext.IMPLICIT)
            for i, (column, parameter) in enumerate(zip(columns, parameters, strict=True))
        )
        call = AggregateCall(found, given, False, None, order)
        return Reduce(relation, (), (call,), scalar=True), found.result

    def derived(self, query: syntax.Query, around: Around) -> Subrelation:
        return self.closed(self.query(query, around))

    def query(self, query: syntax.Query, around: Around) -> Whole:
        ask()
        inside, bindings = self.with_(query, around)
        rows = self._body(query.body, query.order, inside)
        for bind in reversed(bindings):
            rows = replace(rows, relation=bind(rows.relation))
        limit = None if query.limit is None else self._count(query.limit, "LIMIT", inside)
        offset = 0 if query.offset is None else self._count(query.offset, "OFFSET", inside) or 0
        if query.ties and limit is not None:
            kept = cut(rows.relation, rows.kinds, (), rows.order, limit, offset, Ties.WHOLE)
            return Whole(replace(rows, relation=kept), None, 0)
        return Whole(rows, limit, offset)

    def _count(self, node: Expression, clause: str, around: Around) -> int | None:
        """The constant of LIMIT or OFFSET; None for NULL."""
        scalar = self.scalar(node, Place(NOWHERE, clause))
        parameters = self.context.parameters
        if parameters is not None and isinstance(scalar, Call) and len(scalar.arguments) == 1:  # $1::integer
            value = parameters.constant(scalar.arguments[0])
            scalar = scalar if value is None else replace(scalar, arguments=(value,))
        scalar = located(node.at, cast, scalar, types.BIGINT, CastContext.ASSIGNMENT)
        given = None if parameters is None else parameters.constant(scalar)
        scalar = folded(scalar) if given is None else given  # pyright: ignore[reportArgumentType]: as below
        if not isinstance(scalar, Literal):
            raise Unsupported(f"{clause} must be a constant", position=node.at)
        if scalar.value is None:
            return None
        assert isinstance(scalar.value, int | float) or hasattr(scalar.value, "__int__")
        count = int(scalar.value)  # pyright: ignore[reportArgumentType]: an int or a Decimal
        if count < 0:
            error = InvalidLimit if clause == "LIMIT" else InvalidOffset
            raise error(f"{clause} must not be negative", position=node.at)
        return count

    def timestamp(self, node: Expression, clause: str = "AS OF") -> int:
        scalar = self.scalar(node, Place(NOWHERE, clause))
        parameters = self.context.parameters
        if isinstance(scalar, Call) and len(scalar.arguments) == 1 and number_of(scalar.arguments[0]) is not None:
            scalar = scalar.arguments[0]  # a cast of a parameter
        if parameters is not None and number_of(scalar) is not None:
            if scalar.type == types.UNKNOWN:
                scalar = cast(scalar, types.NUMERIC, CastContext.EXPLICIT)
            given = parameters.constant(scalar)
            assert given is not None, "it is a parameter"
            if parameters.values is None:
                return 0  # described, not run
            scalar = given
        if isinstance(scalar, Call) and scalar.function.name in SESSION_FUNCTIONS:
            scalar = Literal(value(scalar.function.name, self.context), scalar.type)
        if isinstance(scalar, Call) and len(scalar.arguments) == 1 and isinstance(scalar.arguments[0], Literal):
            scalar = scalar.arguments[0]  # a cast of a constant, e.g. 12::numeric
        if not isinstance(scalar, Literal):
            raise Unsupported(f"an expression in {clause} is not supported: write a number", position=node.at)
        match scalar.value:
            case bool() | None:
                raise InvalidParameter(f"{clause} must be a timestamp in milliseconds", position=node.at)
            case int() | Decimal() | float():
                return int(scalar.value)
            case datetime():
                return int(scalar.value.timestamp() * 1000)
            case str() if scalar.value.strip().isdigit():
                return int(scalar.value)
            case _:
                raise SyntaxError_(f"{clause} must be a timestamp in milliseconds", position=node.at)

    def _body(self, body: syntax.Body, order: Sequence[OrderItem], around: Around) -> Rows:
        match body:
            case syntax.Select():
                return self.select(body, order, around)
            case syntax.Values():
                return self._ordered_rows(self.values(body, around), order, around)
            case syntax.Nested():
                whole = self.query(body.query, around)
                if not order and whole.limit is None and not whole.offset:
                    return whole.rows
                sub = self.closed(whole)
                rows = Rows(sub.relation, sub.columns, len(sub.columns), (), sub.unknown)
                return self._ordered_rows(rows, order, around)
            case syntax.Show():
                return self._listed(body, order, around)
            case syntax.SetOperation():
                return self._ordered_rows(self._set_operation(body, around), order, around)

    def _listed(self, show: syntax.Show, order: Sequence[OrderItem], around: Around) -> Rows:
        """A SHOW: the query that it stands for. Its text is not the client's, so no use of a name in it is kept."""
        context, self.context = self.context, replace(self.context, uses=[], fixed=[])
        whole = self.query(listing(show, context), around)
        self.context = context
        return self._ordered_rows(whole.rows, order, around) if order else whole.rows

    def _ordered_rows(self, rows: Rows, order: Sequence[OrderItem], around: Around) -> Rows:
        """ORDER BY over the output alone: of a set operation or VALUES."""
        if not order:
            return rows
        star = tuple(ScopeColumn(c.name, i, c.type, c.nullable) for i, c in enumerate(rows.columns))
        place = Place(Scope(star, (), len(star), around), "ORDER BY")
        output = Output([column.name for column in rows.columns], [], [column.ref for column in star])
        found: list[Order] = []
        for item in order:
            column = self._ordered(item.expression, output, place, "ORDER BY")
            found.append(ordering(column, item))
        relation = projected(rows.relation, len(star), output.scalars)
        kinds = tuple(scalar.type for scalar in output.scalars)
        return Rows(relation, rows.columns, len(output.scalars), tuple(found), rows.unknown, kinds)

    def values(self, values: syntax.Values, around: Around, into: Sequence[SqlType] = ()) -> Rows:
        """VALUES: columns of common types, or (for INSERT) of the types that they are assigned `into`."""
        place = Place(Scope((), (), 0, around), "VALUES")
        width = len(values.rows[0])
        for row in values.rows:
            if len(row) != width:
                raise SyntaxError_("VALUES lists must all be the same length", position=row[0].at)
        cells = [[self.scalar(node, place) for node in row] for row in values.rows]
        unknown: set[int] = set()
        for i in range(width):
            column = [row[i] for row in cells]
            if i < len(into):
                to, context = into[i], CastContext.ASSIGNMENT
            else:
                at = values.rows[0][i].at
                to, context = (
                    located(at, overload.common_type, [c.type for c in column], "VALUES"),
                    CastContext.IMPLICIT,
                )
                if all(cell.type == types.UNKNOWN for cell in column):
                    unknown.add(i)
            for row, nodes in zip(cells, values.rows, strict=True):
                if row[i].type != to:
                    row[i] = located(nodes[i].at, cast, row[i], to, context)
        relation = rows_of(cells)
        columns = tuple(
            Column(f"column{i + 1}", cells[0][i].type, any(row[i].nullable for row in cells)) for i in range(width)
        )
        return Rows(relation, columns, width, (), frozenset(unknown))

    def _set_operation(self, body: syntax.SetOperation, around: Around) -> Rows:
        """A chain of set operations, from the left: the branches of UNIONs in a row become one Union."""
        chain: list[syntax.SetOperation] = []
        first: syntax.Body = body
        while isinstance(first, syntax.SetOperation):
            chain.append(first)
            first = first.left
        rows = self.branch(first, around)
        pending, distinct = [rows], False
        for operation in reversed(chain):
            right = self.branch(operation.right, around)
            if operation.corresponding:
                left = self._united(pending, distinct, operation)
                names = operation.by or _common_names(left, right, operation)
                rows, right = _by_name(left, names, operation), _by_name(right, names, operation)
                pending, distinct = [rows], False
            if len(right.columns) != len(rows.columns):
                raise SyntaxError_(
                    f"each {operation.operator.value} query must have the same number of columns",
                    position=operation.right.at if not isinstance(operation.right, syntax.Nested) else operation.at,
                )
            if operation.operator is SetOperator.UNION:
                if distinct and operation.all:
                    pending = [self._united(pending, True, operation)]
                    distinct = False
                pending.append(right)
                distinct = distinct or not operation.all
            else:
                left = self._united(pending, distinct, operation)
                pending, distinct = [self._difference(left, right, operation)], False
        return self._united(pending, distinct, body)

    def branch(self, body: syntax.Body, around: Around) -> Rows:
        if isinstance(body, syntax.Nested):
            sub = self.closed(self.query(body.query, around))
            return Rows(sub.relation, sub.columns, len(sub.columns), (), sub.unknown)
        return self._body(body, (), around)

    def _matched(self, branches: Sequence[Rows], operation: syntax.SetOperation) -> list[Rows]:
        """The branches with each column of its common type, named as the first has them."""
        names = [column.name for column in branches[0].columns]
        wanted: list[SqlType] = []
        unknown: set[int] = set()
        for i in range(len(names)):
            kinds = [types.UNKNOWN if i in rows.unknown else rows.columns[i].type for rows in branches]
            wanted.append(located(operation.at, overload.common_type, kinds, operation.operator.value))
            if all(kind == types.UNKNOWN for kind in kinds):
                unknown.add(i)
        nullable = [any(rows.columns[i].nullable for rows in branches) for i in range(len(names))]
        columns = tuple(Column(n, t, null) for n, t, null in zip(names, wanted, nullable, strict=True))
        return [
            Rows(
                converted(rows, wanted, CastContext.IMPLICIT, operation.at),
                columns,
                len(columns),
                (),
                frozenset(unknown),
            )
            for rows in branches
        ]

    def _united(self, branches: Sequence[Rows], only: bool, operation: syntax.SetOperation) -> Rows:
        if len(branches) == 1:
            rows = branches[0]
            return self._distinct(rows) if only else rows
        matched = self._matched(branches, operation)
        relation: Relation = Union(tuple(rows.relation for rows in matched))
        united = replace(matched[0], relation=relation)
        return self._distinct(united) if only else united

    @staticmethod
    def _distinct(rows: Rows) -> Rows:
        return replace(rows, relation=distinct(rows.relation, [column.type for column in rows.columns]))

    def _difference(self, left: Rows, right: Rows, operation: syntax.SetOperation) -> Rows:
        """EXCEPT ALL is max(a - b, 0) by counts, INTERSECT ALL a - max(a - b, 0); without ALL on the distinct rows."""
        a, b = self._matched((left, right), operation)
        kinds = [column.type for column in a.columns]
        counted = operation.all and not any(map(has_spans, kinds))
        made = as_keys if counted else numbered if operation.all else distinct
        rows, others = made(a.relation, kinds), made(b.relation, kinds)
        wide = [*kinds, types.BIGINT] if made is numbered else kinds
        if operation.operator is SetOperator.EXCEPT:
            found = difference(rows, others, wide)
        else:
            id_ = self.fresh()
            local = Local(id_, tuple(wide))
            found = Let(id_, rows, Union((local, Negate(difference(local, others, wide)))))
        return replace(a, relation=Project(found, tuple(range(len(kinds)))) if made is numbered else found)


def _common_names(left: Rows, right: Rows, operation: syntax.SetOperation) -> tuple[str, ...]:
    """The names that columns of both sides have: what CORRESPONDING without BY means."""
    others = {column.name for column in right.columns}
    found = tuple(column.name for column in left.columns if column.name in others)
    if not found:
        raise SyntaxError_("CORRESPONDING needs a column name that both queries have", position=operation.at)
    return found


def _by_name(rows: Rows, names: Sequence[str], operation: syntax.SetOperation) -> Rows:
    """The columns of those names, in that order."""
    places: list[int] = []
    for name in names:
        found = [i for i, column in enumerate(rows.columns) if column.name == name]
        if len(found) != 1:
            error = AmbiguousColumn if found else UndefinedColumn
            word = "is ambiguous" if found else "does not exist"
            raise error(f'column "{name}" of CORRESPONDING {word} in one of the queries', position=operation.at)
        places.append(found[0])
    unknown = frozenset(i for i, place in enumerate(places) if place in rows.unknown)
    columns = tuple(rows.columns[place] for place in places)
    return Rows(Project(rows.relation, tuple(places)), columns, len(columns), (), unknown)


def rows_of(cells: Sequence[Sequence[BoundScalar]]) -> Relation:
    """A relation of so many rows: a Constant if nothing is left to evaluate."""
    kinds = tuple(cell.type for cell in cells[0])
    literal: list[tuple[tuple[Value, ...], int]] = []
    computed: list[Relation] = []
    for row in cells:
        if all(isinstance(cell, Literal) for cell in row):
            literal.append((tuple(cell.value for cell in row if isinstance(cell, Literal)), 1))
        else:
            computed.append(projected(UNIT, 0, row))
    if not computed:
        return Constant(tuple(literal), kinds)
    if literal:
        computed.insert(0, Constant(tuple(literal), kinds))
    return computed[0] if len(computed) == 1 else Union(tuple(computed))


def constant(scalar: BoundScalar) -> BoundScalar:
    """An untyped literal as text."""
    return settled(scalar)


def _with_names(rows: Rows) -> tuple[Relation, tuple[Column, ...], tuple[int, ...]]:
    """regclass and the like leave as the names that they are written as, which are text; they sort as numbers.

    The relation with the names behind it, the output's columns, and where each of them is.
    """
    texts: list[BoundScalar] = []
    columns, project = list(rows.columns), list(range(len(rows.columns)))
    for at, column in enumerate(rows.columns):
        if types.is_registered(column.type):
            text = types.TEXT if column.type.nesting is None else types.array_of(types.TEXT)
            project[at] = rows.width + len(texts)
            texts.append(cast(Ref(at, column.type, column.nullable), text, CastContext.EXPLICIT))
            columns[at] = replace(column, type=text)
    return Map(rows.relation, tuple(texts)), tuple(columns), tuple(project)
