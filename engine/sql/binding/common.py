"""WITH: names for queries, in three kinds: plain, RECURSIVE and MUTUALLY RECURSIVE."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace

from engine import types
from engine.errors import DuplicateAlias, SyntaxError_, TypeMismatch, Unsupported
from engine.expr import overload
from engine.expr.scalar import Ref
from engine.plan.relation import BoundScalar, Let, LetRec, Project, Relation, Union
from engine.sql import syntax
from engine.sql.binding.applying import cast, located
from engine.sql.binding.keys import cut, distinct
from engine.sql.binding.place import Subrelation
from engine.sql.binding.select import Rows, Selects, projected
from engine.sql.scope import Around, Common
from engine.sql.syntax import Recursion, SetOperator
from engine.types import CastContext, Column, SqlType

Bind = Callable[[Relation], Relation]
"""Puts the values of WITH around the relation that reads them."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A bound query with its LIMIT."""

    rows: Rows
    limit: int | None
    offset: int


class Commons(Selects):
    """Binds WITH."""

    @abstractmethod
    def query(self, query: syntax.Query, around: Around) -> Whole:
        """A query."""

    @abstractmethod
    def branch(self, body: syntax.Body, around: Around) -> Rows:
        """A branch of a set operation."""

    @staticmethod
    def closed(whole: Whole) -> Subrelation:
        """A query inside another: its LIMIT is a TopK, and an ORDER BY without one says nothing."""
        rows = whole.rows
        relation = rows.relation
        if whole.limit is not None or whole.offset:
            relation = cut(relation, rows.kinds, (), rows.order, whole.limit, whole.offset)
        if rows.width > len(rows.columns):
            relation = Project(relation, tuple(range(len(rows.columns))))
        return Subrelation(relation, rows.columns, rows.unknown)

    def with_(self, query: syntax.Query, around: Around) -> tuple[Around, list[Bind]]:
        """What the query's body stands in, and how its relation gets the values of the names."""
        seen: set[str] = set()
        for common in query.with_:
            if common.name in seen:
                raise DuplicateAlias(f'WITH query name "{common.name}" specified more than once', position=common.at)
            seen.add(common.name)
        if query.recursion is Recursion.MUTUAL:
            return self._mutual(query, around)
        tables = dict(around.tables)
        bindings: list[Bind] = []
        for common in query.with_:
            if query.recursion is Recursion.RECURSIVE and mentions(common.query, common.name):
                bound, bind = self._recursive(common, replace(around, tables=tables))
            else:
                bound, bind = self._once(common, replace(around, tables=tables))
            bindings.append(bind)
            tables = {**tables, common.name: bound}
        return replace(around, tables=tables), bindings

    def _once(self, common: syntax.CommonTable, around: Around) -> tuple[Common, Bind]:
        sub = self.closed(self.query(common.query, around))
        id_ = self.fresh()
        return Common(id_, _named(common, sub.columns)), lambda body: Let(id_, sub.relation, body)

    def _recursive(self, common: syntax.CommonTable, around: Around) -> tuple[Common, Bind]:
        """base UNION [ALL] step: the fixed point of r = base + step(r), made distinct without ALL.

        PostgreSQL gives the step the last round's rows only; for a step that reads them once, row by row, which is all
        that it allows, that is the same.
        """
        query = common.query
        whole = query.body
        while isinstance(whole, syntax.Nested) and not (query.order or query.limit or query.offset or query.with_):
            query = whole.query
            whole = query.body
        if not isinstance(whole, syntax.SetOperation) or whole.operator is not SetOperator.UNION:
            raise SyntaxError_(
                f'recursive query "{common.name}" does not have the form non-recursive-term UNION [ALL] recursive-term',
                position=common.at,
            )
        if query.order or query.limit or query.offset:
            raise Unsupported("ORDER BY, LIMIT or OFFSET in a recursive query is not supported", position=common.at)
        if mentions(whole.left, common.name):
            raise SyntaxError_(
                f'recursive reference to query "{common.name}" must not appear within its non-recursive term',
                position=common.at,
            )
        inside, bindings = self.with_(query, around)
        base = self.branch(whole.left, inside)
        id_ = self.fresh()
        wanted = tuple(column.type for column in base.columns)
        columns = tuple(replace(column, nullable=True) for column in _named(common, base.columns))
        step = self.branch(whole.right, replace(around, tables={**inside.tables, common.name: Common(id_, columns)}))
        if len(step.columns) != len(wanted):
            raise SyntaxError_("each UNION query must have the same number of columns", position=whole.at)
        for i, (column, to) in enumerate(zip(step.columns, wanted, strict=True)):
            kinds = (to, types.UNKNOWN if i in step.unknown else column.type)
            if located(whole.at, overload.common_type, kinds, "UNION").plain != to.plain:
                raise TypeMismatch(
                    f'recursive query "{common.name}" column {i + 1} has type {to.name} in non-recursive term '
                    f"but type {column.type.name} overall",
                    hint="Cast the output of the non-recursive term to the correct type.",
                    position=common.at,
                )
        value: Relation = Union(
            (
                converted(base, wanted, CastContext.IMPLICIT, whole.at),
                converted(step, wanted, CastContext.IMPLICIT, whole.at),
            )
        )
        if not whole.all:
            value = distinct(value, wanted)
        for bind in reversed(bindings):
            value = bind(value)
        bound = value
        return Common(id_, columns), lambda body: LetRec((id_,), (wanted,), (bound,), body)

    def _mutual(self, query: syntax.Query, around: Around) -> tuple[Around, list[Bind]]:
        tables = dict(around.tables)
        ids: list[int] = []
        rows: list[tuple[SqlType, ...]] = []
        for common in query.with_:
            if not common.columns or len(common.types) != len(common.columns):
                raise SyntaxError_(
                    f'WITH MUTUALLY RECURSIVE query "{common.name}" must state its columns with their types',
                    position=common.at,
                )
            kinds = tuple(self.type_of(name) for name in common.types)
            ids.append(self.fresh())
            rows.append(kinds)
            columns = tuple(Column(name, kind) for name, kind in zip(common.columns, kinds, strict=True))
            tables[common.name] = Common(ids[-1], columns)
        inside = replace(around, tables=tables)
        values: list[Relation] = []
        for common, kinds in zip(query.with_, rows, strict=True):
            sub = self.closed(self.query(common.query, inside))
            if len(sub.columns) != len(kinds):
                raise SyntaxError_(
                    f'WITH MUTUALLY RECURSIVE query "{common.name}" declared {len(kinds)} columns '
                    f"but its query returns {len(sub.columns)}",
                    position=common.at,
                )
            found = Rows(sub.relation, sub.columns, len(sub.columns), (), sub.unknown)
            values.append(converted(found, kinds, CastContext.ASSIGNMENT, common.at))

        def bind(body: Relation) -> Relation:
            return LetRec(tuple(ids), tuple(rows), tuple(values), body, query.passes, query.returns)

        return inside, [bind]


def _named(common: syntax.CommonTable, columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns under the names that the WITH gives them."""
    if len(common.columns) > len(columns):
        raise SyntaxError_(
            f'WITH query "{common.name}" has {len(columns)} columns available '
            f"but {len(common.columns)} columns specified",
            position=common.at,
        )
    names = [*common.columns, *(column.name for column in columns[len(common.columns) :])]
    return tuple(replace(column, name=name) for column, name in zip(columns, names, strict=True))


def mentions(node: object, name: str) -> bool:
    """Whether a table of that name is read somewhere in a piece of syntax, or may be (inner WITHs may hide it)."""
    if isinstance(node, syntax.TableName):
        return node.name.parts == (name,)
    if isinstance(node, tuple):
        return any(mentions(part, name) for part in node)
    if is_dataclass(node):
        return any(mentions(getattr(node, field.name), name) for field in fields(node))
    return False


def converted(rows: Rows, wanted: Sequence[SqlType], context: CastContext, at: int) -> Relation:
    """The rows' own columns, cast to other types. A column of untyped literals is read as its new type."""
    scalars: list[BoundScalar] = []
    for i, (column, to) in enumerate(zip(rows.columns, wanted, strict=True)):
        ref = Ref(i, column.type, column.nullable)
        how = CastContext.EXPLICIT if i in rows.unknown else context
        scalars.append(ref if column.type == to else located(at, cast, ref, to, how))
    return projected(rows.relation, rows.width, scalars)
