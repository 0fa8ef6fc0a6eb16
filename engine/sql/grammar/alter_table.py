"""ALTER TABLE: its columns, their defaults, and the constraints on its rows."""

from engine.sql.grammar.definitions import Definitions
from engine.sql.grammar.tables import CONSTRAINTS
from engine.sql.statement.definitions import (
    AddColumn,
    AddConstraint,
    AlterTable,
    DropColumn,
    DropConstraint,
    SetDefault,
    SetNotNull,
    SetType,
    TableAction,
)
from engine.sql.syntax import Name


class AlterTables(Definitions):
    """What comes behind ALTER TABLE name."""

    __slots__ = ()

    def at_table_action(self) -> bool:
        return self.at_any("add", "drop") or (self.next.key == "alter" and self.peek().key != ";")

    def alter_table(self, name: Name, if_exists: bool) -> AlterTable:
        actions = self.list_of(self._action)
        return AlterTable(name, actions, if_exists, self.span())

    def _action(self) -> TableAction:
        match self.accept_any("add", "drop", "alter"):
            case "add":
                return self._add()
            case "drop":
                return self._drop()
            case "alter":
                self.accept("column")
                return self._alter_column()
            case _:
                self.fail()

    def _add(self) -> AddColumn | AddConstraint:
        if self.at_any(*CONSTRAINTS):
            return AddConstraint(self.table_constraint())
        self.accept("column")
        if_not_exists = self.if_not_exists()
        return AddColumn(self.column(), if_not_exists)

    def _drop(self) -> DropColumn | DropConstraint:
        constraint = self.accept("constraint")
        if not constraint:
            self.accept("column")
        if_exists = self.accept("if", "exists")
        at = self.here
        name = self.identifier()
        cascade = self.accept_any("cascade", "restrict") == "cascade"
        return DropConstraint(name, if_exists, at) if constraint else DropColumn(name, if_exists, cascade, at)

    def _alter_column(self) -> SetNotNull | SetDefault | SetType:
        at = self.here
        name = self.identifier()
        word = self.accept_any("set", "drop")
        if word != "drop" and (self.accept("type") or (word == "set" and self.accept("data", "type"))):
            kind = self.type_name()
            if self.at("collate"):
                self.unsupported("COLLATE", hint="Text is ordered by its bytes: leave it out.")
            return SetType(name, kind, self.expression() if self.accept("using") else None, at)
        if word is None:
            self.fail()
        if self.accept("not", "null"):
            return SetNotNull(name, word == "set", at)
        self.expect("default")
        if word == "drop":
            return SetDefault(name, None, "", at)
        begin = self.here
        default = self.expression()
        return SetDefault(name, default, self.text[begin - 1 : self.before - 1], at)
