"""CREATE TABLE: columns and their constraints."""

from dataclasses import replace
from typing import Final

from engine.sql.grammar.queries import Queries
from engine.sql.statement.data import SelectStatement
from engine.sql.statement.definitions import CreateTable, CreateTableAs
from engine.sql.statement.parts import ColumnDefinition, KeyConstraint, Span
from engine.sql.syntax import Expression, Name

CONSTRAINTS: Final = ("primary", "unique", "check", "constraint", "foreign", "exclude")
"""How a constraint of a table begins."""


class Tables(Queries):
    """Tables, and the lists of columns that sources have too."""

    __slots__ = ("began",)

    began: int  # the position of the statement's first token

    def span(self) -> Span:
        """The statement up to here."""
        return Span(self.text[self.began - 1 : self.before - 1], self.began)

    def to_the_end(self, *keys: str) -> Span:
        """The whole statement, in which these words must stand in this order."""
        wanted = list(keys)
        while not self.ended:
            if wanted and self.next.key == wanted[0]:
                del wanted[0]
            self.advance()
        if wanted:
            self.fail()
        return self.span()

    def in_cluster(self) -> None:
        """IN CLUSTER name: read over, for there is one cluster."""
        if self.accept("in", "cluster"):
            self.identifier()

    def if_not_exists(self) -> bool:
        return self.accept("if", "not", "exists")

    def create_table(self, name: Name, temporary: bool, if_not_exists: bool) -> CreateTable | CreateTableAs:
        """What comes behind the name."""
        if self.next.key in ("as", "with") or self._at_names():
            return self._table_as(name, temporary, if_not_exists)
        self.expect("(")
        columns: list[ColumnDefinition] = []
        keys: list[KeyConstraint] = []
        while self.next.key != ")":
            if self.at("like"):
                self.unsupported("CREATE TABLE (LIKE ...)", hint="CREATE TABLE ... AS SELECT * FROM it WITH NO DATA.")
            if self.at_any(*CONSTRAINTS):
                keys.append(self.table_constraint())
            else:
                columns.append(self.column())
                keys += columns[-1].keys
            if not self.accept(","):
                break
            if self.next.key == ")":
                self.fail()
        self.expect(")")
        if self.at_any("inherits", "partition"):
            hint = "A view unites several tables with UNION ALL."
            self.unsupported(f"CREATE TABLE ... {self.next.key.upper()}", hint=hint)
        options = self.with_options()
        return CreateTable(name, tuple(columns), tuple(keys), temporary, if_not_exists, self.span(), options)

    def _at_names(self) -> bool:
        """Whether names in parentheses come, and no types: those of the columns of a query."""
        return self.next.key == "(" and self.peek(2).key in (",", ")")

    def _table_as(self, name: Name, temporary: bool, if_not_exists: bool) -> CreateTableAs:
        columns = self.parenthesised(self.identifier) if self.next.key == "(" else ()
        options = self.with_options()
        self.expect("as")
        begin = self.here
        query = self.query()
        select = SelectStatement(query, None, Span(self.text[begin - 1 : self.before - 1], begin))
        filled = not self.accept("with", "no", "data")
        if filled:
            self.accept("with", "data")
        return CreateTableAs(name, columns, select, filled, temporary, if_not_exists, options, self.span())

    def column(self) -> ColumnDefinition:
        """name type [constraint ...]."""
        at = self.here
        name = self.identifier()
        type_name = self.type_name()
        not_null = False
        default: Expression | None = None
        default_sql = ""
        keys: list[KeyConstraint] = []
        while True:
            label = self.identifier() if self.accept("constraint") else None
            if self.accept("not", "null"):
                not_null = True
            elif self.accept("null"):
                pass
            elif self.accept("default"):
                begin = self.here
                default = self.expression()
                default_sql = self.text[begin - 1 : self.before - 1]
            elif self.at_any("primary", "unique"):
                keys.append(replace(self._key(label), columns=(name,)))
            elif self.at_any("check", "references", "generated", "collate"):
                self.unsupported(f"column constraint {self.next.key.upper()}")
            elif label is not None:
                self.fail()
            else:
                return ColumnDefinition(name, type_name, not_null, default, default_sql, tuple(keys), at)

    def table_constraint(self) -> KeyConstraint:
        label = self.identifier() if self.accept("constraint") else None
        if self.at_any("check", "foreign", "exclude"):
            self.unsupported(f"table constraint {self.next.key.upper()}")
        key = self._key(label)
        return replace(key, columns=self.parenthesised(self.identifier))

    def _key(self, label: str | None) -> KeyConstraint:
        """PRIMARY KEY or UNIQUE, without its columns."""
        at = self.here
        primary = self.accept("primary", "key")
        if not primary:
            self.expect("unique")
            if self.at("nulls", "not"):
                self.unsupported("UNIQUE NULLS NOT DISTINCT")
            self.accept("nulls", "distinct")
        return KeyConstraint(label, (), primary, at)
