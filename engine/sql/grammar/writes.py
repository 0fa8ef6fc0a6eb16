"""INSERT, UPDATE, DELETE, MERGE, TRUNCATE."""

from engine.errors import SyntaxError_
from engine.sql.grammar.alters import Alters
from engine.sql.statement.data import (
    Delete,
    Insert,
    Merge,
    MergeDelete,
    MergeInsert,
    MergeUpdate,
    MergeWhen,
    OnConflict,
    Truncate,
    Update,
)
from engine.sql.syntax import Expression, Name, Row, SelectItem, Subquery, SubqueryColumn


class Writes(Alters):
    """Statements that write to tables."""

    __slots__ = ()

    def insert(self) -> Insert:
        self.expect("insert", "into")
        table = self.name()
        alias = self.identifier() if self.accept("as") else None
        columns: tuple[str, ...] = ()
        if self.next.key == "(" and not self.at_query():
            columns = self.parenthesised(self.identifier)
        if self.next.key == "overriding":
            self.unsupported("OVERRIDING")
        query = None
        if not self.accept("default", "values"):
            if not self.at_query():
                self.fail()
            query = self.query()
        conflict = self._on_conflict() if self.at("on", "conflict") else None
        return Insert(table, alias, columns, query, conflict, self._returning(), self.span())

    def _on_conflict(self) -> OnConflict:
        at = self.here
        self.expect("on", "conflict")
        columns: tuple[str, ...] = ()
        constraint = None
        if self.accept("on", "constraint"):
            constraint = self.identifier()
        elif self.next.key == "(":
            columns = self.parenthesised(self.identifier)
            if self.next.key == "where":
                self.unsupported("ON CONFLICT with the WHERE of a partial index")
        self.expect("do")
        if self.accept("nothing"):
            return OnConflict(columns, constraint, None, None, at)
        self.expect("update", "set")
        if not columns and constraint is None:
            message = "ON CONFLICT DO UPDATE requires inference specification or constraint name"
            raise SyntaxError_(message, position=at)
        assignments = self._assignments()
        where = self.expression() if self.accept("where") else None
        return OnConflict(columns, constraint, assignments, where, at)

    def update(self) -> Update:
        self.expect("update")
        table, alias = self._target("set")
        self.expect("set")
        assignments = self._assignments()
        from_ = self.list_of(self._from_item) if self.accept("from") else ()
        where = self.expression() if self.accept("where") else None
        return Update(table, alias, assignments, from_, where, self._returning(), self.span())

    def _assignments(self) -> tuple[tuple[Name, Expression], ...]:
        return tuple(pair for pairs in self.list_of(self._assignment) for pair in pairs)

    def _assignment(self) -> tuple[tuple[Name, Expression], ...]:
        """column = value, or (columns) = [ROW] (values)."""
        at = self.here
        if self.next.key != "(":
            name = self.name()
            self.expect("=")
            return ((name, self.expression()),)
        names = self.parenthesised(self.name)
        self.expect("=")
        value = self.expression()
        if isinstance(value, Subquery) and len(names) > 1:
            return tuple((name, SubqueryColumn(value.query, i, len(names), at)) for i, name in enumerate(names))
        values = value.items if isinstance(value, Row) else (value,)
        if len(values) != len(names):
            raise SyntaxError_("number of columns does not match number of values", position=at)
        return tuple(zip(names, values, strict=True))

    def delete(self) -> Delete:
        self.expect("delete", "from")
        table, alias = self._target("where")
        using = self.list_of(self._from_item) if self.accept("using") else ()
        where = self.expression() if self.accept("where") else None
        return Delete(table, alias, using, where, self._returning(), self.span())

    def merge(self) -> Merge:
        self.expect("merge", "into")
        table, alias = self._target("using")
        self.expect("using")
        source = self._from_item()
        self.expect("on")
        on = self.expression()
        whens: list[MergeWhen] = []
        reached: set[bool] = set()  # the kinds of which a clause has taken all rows that were left
        while self.at("when"):
            when = self._when()
            if when.matched in reached:
                message = "unreachable WHEN clause specified after unconditional WHEN clause"
                raise SyntaxError_(message, position=when.at)
            if when.condition is None:
                reached.add(when.matched)
            whens.append(when)
        if not whens:
            self.fail()
        if self.at("returning"):
            self.unsupported("RETURNING of MERGE", hint="INSERT, UPDATE and DELETE have it.")
        return Merge(table, alias, source, on, tuple(whens), self.span())

    def _when(self) -> MergeWhen:
        at = self.here
        self.expect("when")
        matched = not self.accept("not")
        self.expect("matched")
        if self.at("by", "source"):
            hint = "DELETE or UPDATE ... WHERE NOT EXISTS, in the same transaction."
            self.unsupported("WHEN NOT MATCHED BY SOURCE", hint=hint)
        self.accept("by", "target")
        condition = self.expression() if self.accept("and") else None
        self.expect("then")
        if self.accept("do", "nothing"):
            return MergeWhen(matched, condition, None, at)
        if not matched:
            return MergeWhen(False, condition, self._merge_insert(), at)
        if self.accept("delete"):
            return MergeWhen(True, condition, MergeDelete(), at)
        self.expect("update", "set")
        return MergeWhen(True, condition, MergeUpdate(self._assignments()), at)

    def _merge_insert(self) -> MergeInsert:
        self.expect("insert")
        columns = self.parenthesised(self.identifier) if self.next.key == "(" else ()
        if self.next.key == "overriding":
            self.unsupported("OVERRIDING")
        if self.accept("default", "values"):
            return MergeInsert(columns, None)
        self.expect("values")
        return MergeInsert(columns, self.parenthesised(self.expression))

    def truncate(self) -> Truncate:
        self.expect("truncate")
        self.accept("table")
        tables = self.list_of(self._truncated)
        if self.accept_any("restart", "continue"):
            self.expect("identity")
        self.accept_any("cascade", "restrict")
        return Truncate(tables, self.span())

    def _truncated(self) -> Name:
        self.accept("only")
        table = self.name()
        self.accept("*")
        return table

    def _target(self, follower: str) -> tuple[Name, str | None]:
        self.accept("only")
        table = self.name()
        if self.accept("as"):
            return table, self.identifier()
        if self.next.key != follower and self.at_identifier():
            return table, self.identifier()
        return table, None

    def _returning(self) -> tuple[SelectItem, ...]:
        return self.list_of(self.select_item) if self.accept("returning") else ()
