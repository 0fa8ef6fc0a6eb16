"""The names of types."""

from dataclasses import replace
from typing import Final

from engine.expr.keywords import RESERVED
from engine.sql.grammar.cursor import Cursor
from engine.sql.grammar.tokens import Kind
from engine.sql.syntax import Name, TypeName

INTERVAL_FIELDS: Final = {
    word: field for field in ("year", "month", "day", "hour", "minute", "second") for word in (field, f"{field}s")
}


class TypeNames(Cursor):
    """Reads types."""

    __slots__ = ()

    def type_name(self) -> TypeName:
        """A type: its words, modifier and dimensions."""
        self.deeper()
        found = self._type_name()
        self.depth -= 1
        return found

    def _type_name(self) -> TypeName:
        at = self.here
        if self.next.key == "map" and self.peek().key == "[":
            return self._suffixed(self._map())
        if self.next.key == "struct" and self.peek().key == "<":
            return self._suffixed(self._struct())
        parts = [self.advance().value if self.next.kind is Kind.QUOTED else self.label()]
        if len(parts) == 1 and parts[0] in RESERVED and self.tokens[self.index - 1].kind is Kind.WORD:
            self.fail(self.tokens[self.index - 1])
        while self.accept("."):
            parts.append(self.label())
        written = Name(tuple(parts), at, self.before)
        name = parts[-1]
        if name == "char" and self.tokens[self.index - 1].kind is Kind.QUOTED:
            name = '"char"'  # PostgreSQL's type of one letter, no character(1)
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
        return self._suffixed(TypeName(name, modifier, 0, at, fields, None, written))

    def _suffixed(self, found: TypeName) -> TypeName:
        """What follows a type and makes another of it: [], [3], ARRAY, LIST."""
        chain = 0
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
                self.deeper()
                chain += 1
                found = TypeName("list", (), 0, found.at, "", found)
            else:
                self.depth -= chain
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

    def _struct(self) -> TypeName:
        """struct<name type, ...>: a composite type without a name."""
        at = self.advance().at
        self.expect("<")
        parts = self.list_of(lambda: (self.identifier(), self.type_name()))
        self.close_angle()
        return TypeName("struct", (), 0, at, parts=parts)

    def interval_fields(self) -> str:
        """`day`, `day to second`: the fields of an interval type, in the plural too."""
        if self.next.key not in INTERVAL_FIELDS:
            return ""
        words = [INTERVAL_FIELDS[self.advance().key]]
        if self.accept("to"):
            if self.next.key not in INTERVAL_FIELDS:
                self.fail()
            words += ["to", INTERVAL_FIELDS[self.advance().key]]
        return " ".join(words)
