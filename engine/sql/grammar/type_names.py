"""The names of types."""

from dataclasses import replace
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
        if self.next.key == "map" and self.peek().key == "[":
            return self._suffixed(self._map())
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
            self.accept("precision")
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
        return self._suffixed(TypeName(name, modifier, 0, at, fields))

    def _suffixed(self, found: TypeName) -> TypeName:
        """What follows a type and makes another of it: [], [3], ARRAY, LIST."""
        while True:
            if self.next.key == "[" and (self.peek().key == "]" or self.peek(2).key == "]"):
                self.advance()
                if self.next.kind is Kind.NUMBER:
                    self.advance()
                self.expect("]")
                found = replace(found, dimensions=found.dimensions + 1)
            elif self.accept("array"):
                found = replace(found, dimensions=max(1, found.dimensions))
            elif self.accept("list"):
                found = TypeName("list", (), 0, found.at, "", found)
            else:
                return found

    def _map(self) -> TypeName:
        """map[text => type]"""
        at = self.advance().at
        self.expect("[")
        key = self.type_name()
        if key.name not in ("text", "string"):
            self.unsupported(f"a map with keys of type {key.name}")
        self.expect("=>")
        element = self.type_name()
        self.expect("]")
        return TypeName("map", (), 0, at, "", element)

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
