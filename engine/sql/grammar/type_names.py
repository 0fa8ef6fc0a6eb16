"""The names of types."""

from typing import Final

from engine.sql.grammar.cursor import RESERVED, Cursor
from engine.sql.grammar.tokens import Kind, words
from engine.sql.syntax import TypeName

INTERVAL_FIELDS: Final = words("year month day hour minute second")


class TypeNames(Cursor):
    """Reads types."""

    __slots__ = ()

    def type_name(self) -> TypeName:
        """A type: its words, modifier and dimensions."""
        at = self.here
        if self.next.kind is Kind.QUOTED:
            name = self.advance().value
        else:
            name = self.label()
            if name in RESERVED:
                self.fail(self.tokens[self.index - 1])
        if self.accept("."):
            name = self.label()  # pg_catalog.int4: the schema of a built-in type says nothing
        fields, modifier = "", ()
        if name == "double":
            self.expect("precision")
            name = "double precision"
        elif name in ("character", "char") and self.accept("varying"):
            name = "character varying"
        elif name == "interval":
            fields = self.interval_fields()
        if self.next.key == "(":
            modifier = self.parenthesised(self.integer)
        if name in ("time", "timestamp"):
            if self.accept("with", "time", "zone"):
                name += " with time zone"
            elif self.accept("without", "time", "zone"):
                pass
        dimensions = 0
        while self.next.key == "[":
            self.advance()
            if self.next.kind is Kind.NUMBER:
                self.advance()
            self.expect("]")
            dimensions += 1
        if self.accept("array"):
            dimensions = max(1, dimensions)
        if self.next.key == "list" and not dimensions:
            self.unsupported("type list")
        return TypeName(name, modifier, dimensions, at, fields)

    def interval_fields(self) -> str:
        """`day`, `day to second`, `second(3)`: the fields of an interval type."""
        if self.next.key not in INTERVAL_FIELDS:
            return ""
        words = [self.advance().key]
        if self.accept("to"):
            if self.next.key not in INTERVAL_FIELDS:
                self.fail()
            words += ["to", self.advance().key]
        if words[-1] == "second" and self.accept("("):
            self.integer()
            self.expect(")")
        return " ".join(words)
