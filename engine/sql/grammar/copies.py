"""Statements that give rows or take them: SELECT as a statement, SUBSCRIBE, COPY."""

from engine.sql.grammar.tokens import Kind
from engine.sql.grammar.writes import Writes
from engine.sql.statement.data import Copy, CopyFrom, SelectStatement, Subscribe, Using
from engine.sql.statement.definitions import CreateTableAs
from engine.sql.statement.parts import AsOf, Option
from engine.sql.syntax import (
    Body,
    ColumnName,
    Name,
    Nested,
    OrderItem,
    Query,
    Recursion,
    Select,
    SelectItem,
    SetOperation,
    Star,
    TableName,
)


def first_select(body: Body) -> int:
    """Where the first SELECT of a query stands: the one that may say INTO."""
    match body:
        case SetOperation():
            return first_select(body.left)
        case Nested():
            return first_select(body.query.body)
        case _:
            return body.at


class Copies(Writes):
    """SELECT, SUBSCRIBE and COPY."""

    __slots__ = ()

    def select(self) -> SelectStatement:
        query = self.query()
        return SelectStatement(query, self.as_of(), self.span())

    def select_or_into(self) -> SelectStatement | CreateTableAs:
        """SELECT as a whole statement: with INTO it makes a table."""
        select, into = self.select(), self.into
        if into is None or first_select(select.query.body) != into.at:
            return select
        if select.as_of is not None:
            self.unsupported("SELECT INTO ... AS OF", into.token, "A table begins with the rows of the moment.")
        self.into = None
        return CreateTableAs(into.name, (), select, True, into.temporary, False, (), select.span)

    def as_of(self) -> AsOf | None:
        """AS OF [AT LEAST] timestamp, if it comes next."""
        if not self.accept("as", "of"):
            return None
        at_least = self.accept("at", "least")
        return AsOf(self.expression(), at_least)

    def subscribe(self) -> Subscribe:
        if self.accept_any("subscribe", "tail") is None:
            self.fail()
        self.accept("to")
        target: Name | Query | Using
        if self.accept("using", "durable", "subscription"):
            target = Using(self.name())
        elif self.next.key == "(":
            self.expect("(")
            target = self.query()
            self.expect(")")
        elif self.at_query():
            target = self.query()
        else:
            target = self.name()
        options: tuple[Option, ...] = ()
        as_of = up_to = envelope = None
        within: tuple[OrderItem, ...] = ()
        while not self.ended and self.next.key != ")":
            if not options and self.at("with", "("):
                options = self.with_options()
            elif as_of is None and self.at("as", "of"):
                as_of = self.as_of()
            elif up_to is None and self.accept("up", "to"):
                up_to = self.expression()
            elif envelope is None and not within and self.at("envelope"):
                envelope = self.envelope()
            elif not within and envelope is None and self.accept("within", "timestamp"):
                within = self.within_timestamp()
            else:
                self.fail()
        return Subscribe(target, options, as_of, up_to, self.span(), envelope, within)

    def copy(self) -> Copy | CopyFrom:
        self.expect("copy")
        self.accept("into")
        binary = self.here if self.accept("binary") else None
        if binary is not None or self.next.key != "(":
            return self._copy_table(binary)
        self.expect("(")
        began, self.began = self.began, self.here
        statement = self.subscribe() if self.next.key in ("subscribe", "tail") else self.select()
        self.began = began
        self.expect(")")
        return self._copy_to(statement)

    def _copy_table(self, binary: int | None) -> Copy | CopyFrom:
        """`binary` is where the older COPY BINARY table says so."""
        at = self.here
        table = self.name()
        columns = self.parenthesised(self.identifier) if self.next.key == "(" else ()
        first = () if binary is None else (Option("format", "binary", binary),)
        if self.next.key == "to":
            items = tuple(SelectItem(ColumnName((column,), at), None) for column in columns)
            items = items or (SelectItem(Star((), at), None),)
            select = Select(items, (TableName(table, None),), None, None, None, None, at)
            query = Query(select, (), None, None, (), Recursion.NONE, at)
            return self._copy_to(SelectStatement(query, None, self.span()), first)
        self.expect("from")
        at = self.here
        path = None if self.accept("stdin") else self.string()
        return CopyFrom(table, columns, (*first, *self._copy_options()), path, at, self.span())

    def _copy_to(self, statement: SelectStatement | Subscribe, first: tuple[Option, ...] = ()) -> Copy:
        self.expect("to")
        at = self.here
        path = None if self.accept("stdout") else self.string()
        return Copy(statement, (*first, *self._copy_options()), path, at, self.span())

    def _copy_options(self) -> tuple[Option, ...]:
        """[WITH] (options), or the older [WITH] CSV HEADER DELIMITER AS ',' ..."""
        self.accept("with")
        if self.next.key == "(":
            return self.options()
        found: list[Option] = []
        while not self.ended:
            at = self.here
            if (form := self.accept_any("binary", "csv", "text")) is not None:
                found.append(Option("format", form, at))
            elif self.accept("header"):
                found.append(Option("header", None, at))
            elif (name := self.accept_any("delimiter", "delimiters", "null", "quote", "escape")) is not None:
                self.accept("as")
                if self.next.kind is not Kind.STRING:
                    self.fail()
                found.append(Option(name.removesuffix("s"), self.string(), at))
            else:
                self.fail()
        return tuple(found)
