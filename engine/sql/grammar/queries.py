"""Queries: SELECT, VALUES, TABLE, set operations, WITH, FROM."""

from dataclasses import replace

from engine.errors import InvalidParameter, SyntaxError_
from engine.expr import absent
from engine.expr.keywords import JOIN_WORDS, RESERVED
from engine.sql.grammar.cursor import JOINS_MAX, NESTING_MAX, NOT_BARE_LABELS, SET_OPERATIONS_MAX, Into
from engine.sql.grammar.listings import Listings
from engine.sql.grammar.tokens import Kind
from engine.sql.syntax import (
    Alias,
    Body,
    ChangesTable,
    ColumnName,
    CommonTable,
    Derived,
    Expression,
    FromItem,
    Function,
    FunctionTable,
    JoinTable,
    JoinType,
    Name,
    Nested,
    Number,
    Query,
    Recursion,
    Select,
    SelectItem,
    SetOperation,
    SetOperator,
    Star,
    TableName,
    TypeName,
    Values,
    WindowTable,
)  # fmt: skip

ENVELOPES = frozenset({"upsert", "debezium"})
NOT_ALIASES = RESERVED | JOIN_WORDS | frozenset({"options", "option", "qualify"})
"""Words that follow a FROM item but are no alias of it."""


WINDOW_TABLES = frozenset({"tumble", "hop"})
QUERY_WORDS = frozenset({"select", "values", "with", "table", "("})
HINTS = ("aggregate input group size", "distinct on input group size", "limit input group size", "expected group size")
"""Options of a SELECT that say how large its groups are."""


class Queries(Listings):
    """The query part of the grammar."""

    __slots__ = ()

    def at_query(self) -> bool:
        ahead = 0
        while self.peek(ahead).key == "(" and ahead <= NESTING_MAX:  # more are refused, whatever they hold
            ahead += 1
        return self.peek(ahead).key in ("select", "values", "with", "table") or self.at_listing(ahead)

    def query(self) -> Query:
        """[WITH ...] body [ORDER BY] [LIMIT] [OFFSET] [FETCH FIRST]."""
        self.deeper()
        at = self.here
        recursion, passes, returns, tables = self._with()
        body = self._set_operation()
        order = self.order_by()
        limit = offset = None
        ties = False
        while True:
            if limit is None and self.accept("limit"):
                limit = None if self.accept("all") else self.expression()
            elif offset is None and self.accept("offset"):
                offset = self.expression()
                self.accept_any("row", "rows")
            elif limit is None and self.accept("fetch"):
                limit, ties = self._fetch()
            else:
                break
        if self.at_any("for") and self.peek().key in ("update", "share", "no", "key"):
            self.unsupported("row locking with FOR UPDATE", hint=absent.NO_ROW_LOCKS)
        self.depth -= 1
        if isinstance(body, Nested) and not (tables or order or limit or offset):
            return replace(body.query, at=at)
        if ties and not order:
            raise SyntaxError_("WITH TIES cannot be specified without ORDER BY clause", position=at)
        return Query(body, order, limit, offset, tables, recursion, at, passes, returns, ties)

    def _fetch(self) -> tuple[Expression, bool]:
        """FETCH {FIRST | NEXT} [n] {ROW | ROWS} {ONLY | WITH TIES}; whether with ties."""
        if self.accept_any("first", "next") is None:
            self.fail()
        count: Expression = Number("1", self.here) if self.at_any("row", "rows") else self.expression()
        if self.accept_any("row", "rows") is None:
            self.fail()
        if self.accept("with", "ties"):
            return count, True
        self.expect("only")
        return count, False

    def _with(self) -> tuple[Recursion, int | None, bool, tuple[CommonTable, ...]]:
        if not self.accept("with"):
            return Recursion.NONE, None, False, ()
        recursion, passes, returns = Recursion.NONE, None, False
        if self.accept("mutually", "recursive"):
            recursion = Recursion.MUTUAL
            if self.accept("("):  # [{RETURN | ERROR} AT] RECURSION LIMIT n
                word = self.accept_any("return", "error")
                returns = word == "return"
                if word is not None:
                    self.expect("at")
                self.expect("recursion", "limit")
                passes = self.integer()
                if not passes:
                    raise SyntaxError_("the recursion limit must be greater than 0", position=self.here)
                self.expect(")")
        elif self.accept("recursive"):
            recursion = Recursion.RECURSIVE
        return recursion, passes, returns, self.list_of(self._common_table)

    def _common_table(self) -> CommonTable:
        at = self.here
        name = self.identifier()
        columns: list[str] = []
        types: list[TypeName] = []
        if self.accept("("):
            while True:
                columns.append(self.identifier())
                if self.next.key not in (",", ")"):
                    types.append(self.type_name())
                if not self.accept(","):
                    break
            self.expect(")")
        self.expect("as")
        if self.accept("not"):
            self.expect("materialized")
        else:
            self.accept("materialized")
        self.expect("(")
        query = self.query()
        self.expect(")")
        return CommonTable(name, tuple(columns), tuple(types), query, at)

    def _set_operation(self) -> Body:
        """UNION and EXCEPT from the left; INTERSECT binds tighter."""
        left, count = self._intersection(), 0
        while self.next.key in ("union", "except"):
            count += 1
            self.chained(count, SET_OPERATIONS_MAX, "set operations")
            token = self.advance()
            every = self._all()
            named, by = self._corresponding()
            operator = SetOperator(token.key.upper())
            left = SetOperation(operator, every, left, self._intersection(), token.at, named, by)
        return left

    def _intersection(self) -> Body:
        left, count = self._branch(), 0
        while self.next.key == "intersect":
            count += 1
            self.chained(count, SET_OPERATIONS_MAX, "set operations")
            token = self.advance()
            every = self._all()
            named, by = self._corresponding()
            left = SetOperation(SetOperator.INTERSECT, every, left, self._branch(), token.at, named, by)
        return left

    def _corresponding(self) -> tuple[bool, tuple[str, ...]]:
        """CORRESPONDING [BY (columns)] of the SQL standard: columns are matched by name."""
        if not self.accept("corresponding"):
            return False, ()
        return True, self.parenthesised(self.identifier) if self.accept("by") else ()

    def _all(self) -> bool:
        every = self.accept("all")
        if not every:
            self.accept("distinct")
        return every

    def _branch(self) -> Body:
        if self.accept("("):
            query = self.query()
            self.expect(")")
            return Nested(query)
        if self.next.key == "select":
            return self._select()
        if self.next.key == "values":
            at = self.advance().at
            return Values(self.list_of(lambda: self.parenthesised(self.expression)), at)
        if self.next.key == "table":
            at = self.advance().at
            item = SelectItem(Star((), at), None)
            return Select((item,), (TableName(self.name(), None),), None, None, None, None, at)
        if self.at_listing():
            self.listed = self.here
            return self.listing()
        self.fail()

    def _select(self) -> Select:
        at = self.expect("select").at
        distinct: tuple[Expression, ...] | None = None
        if self.accept("distinct"):
            distinct = self.parenthesised(self.expression) if self.accept("on") else ()
        else:
            self.accept("all")
        items: tuple[SelectItem, ...] = ()
        if not self.ended and self.next.key not in (")", "from", "where", "group", "union", "except", "intersect"):
            items = self.list_of(self.select_item)
        elif distinct is not None:
            self.fail()
        if self.next.key == "into":
            self._read_into(at)
        from_ = self.list_of(self._from_item) if self.accept("from") else ()
        self.chained(len(from_), JOINS_MAX, "relations")
        where = self.expression() if self.accept("where") else None
        group, sets, once = self.group_by() if self.accept("group", "by") else (None, (), False)
        having = self.expression() if self.accept("having") else None
        windows = self.named_windows()
        qualify = self.expression() if self.accept("qualify") else None
        if self.at_any("options", "option") and self.peek().key == "(":
            self._hints()
        return Select(items, from_, where, group, having, distinct, at, windows, qualify, sets, once)

    def _read_into(self, at: int) -> None:
        """INTO [TEMPORARY] [TABLE] name, of the SELECT at this position; the statement makes of it what it can."""
        token = self.advance()
        if self.into is not None:
            self.fail(token)
        temporary = self.accept_any("temporary", "temp") is not None
        self.accept("table")
        self.into = Into(self.name(), temporary, at, token)

    def select_item(self) -> SelectItem:
        if self.next.key == "*":
            return SelectItem(self._star(Star((), self.advance().at)), None)
        expression = self.expression()
        if isinstance(expression, Star):
            return SelectItem(self._star(expression), None)
        if self.next.key == "as" and not self._at_as_of():
            self.advance()
            return SelectItem(expression, self.label())
        token = self.next
        if token.kind is Kind.QUOTED or (token.kind is Kind.WORD and token.key not in NOT_BARE_LABELS):
            if token.key == "up" and self.peek().key == "to":
                return SelectItem(expression, None)
            return SelectItem(expression, self.advance().value)
        return SelectItem(expression, None)

    def _star(self, star: Star) -> Star:
        """A star with what EXCEPT (columns) or EXCLUDE (columns) takes out of it."""
        if not self.at_any("except", "exclude") or self.peek().key != "(" or self.peek(2).key in QUERY_WORDS:
            return star
        self.advance()
        return replace(star, without=self.parenthesised(self._left_out))

    def _left_out(self) -> ColumnName:
        name = self.name()
        return ColumnName(name.parts, name.at)

    def _at_as_of(self) -> bool:
        """Whether AS OF comes next: `of` is then no alias."""
        if not self.at("as", "of"):
            return False
        follower = self.peek(2)
        return follower.kind is not Kind.END and follower.key not in (",", ")", ";", "from")

    def _at_clause(self) -> bool:
        """Whether a clause of a subscription comes next that begins with a word which may be an alias."""
        if self.at("envelope"):
            return self.peek().key in ENVELOPES
        return self.at("up", "to") or self.at("within", "timestamp")

    def _hints(self) -> None:
        """OPTIONS (AGGREGATE INPUT GROUP SIZE = n, ...): sizes of groups, which no operator here needs to know."""
        self.advance()
        for option in self.parenthesised(self.option):
            if option.name not in HINTS:
                raise InvalidParameter(
                    f'unrecognized option "{option.name}"', hint=f"There are {', '.join(HINTS)}.", position=option.at
                )
            if isinstance(option.value, bool) or not isinstance(option.value, int) or option.value < 0:
                raise InvalidParameter(f"invalid {option.name.upper()}: it is a number of rows", position=option.at)

    def _from_item(self) -> FromItem:
        left, count = self._from_primary(), 0
        while True:
            count += 1
            self.chained(count, JOINS_MAX, "joins")
            at = self.here
            natural = self.accept("natural")
            kind = self._join_type()
            if kind is None:
                if natural:
                    self.fail()
                return left
            plain = natural or kind is JoinType.CROSS
            right = self._from_primary() if plain else self._from_primary_or_join()
            on: Expression | None = None
            using: tuple[str, ...] | None = None
            alias = None
            if not plain:
                if self.accept("on"):
                    on = self.expression()
                elif self.accept("using"):
                    using = self.parenthesised(self.identifier)
                    if self.next.key == "as" and not self._at_as_of():
                        self.advance()
                        alias = Alias(self.identifier(), (), at)
                else:
                    self.fail()
            left = JoinTable(left, right, kind, natural, on, using, alias, at)

    def _from_primary_or_join(self) -> FromItem:
        """The right side of a join: `a JOIN b JOIN c ON x ON y` nests to the right."""
        self.deeper()
        right = self._from_primary()
        while self._nests():
            at = self.here
            kind = self._join_type()
            assert kind is not None
            inner = self._from_primary_or_join()
            self.expect("on")
            right = JoinTable(right, inner, kind, False, self.expression(), None, None, at)
        self.depth -= 1
        return right

    def _nests(self) -> bool:
        """Whether a join begins here, before the ON or USING of the one around it."""
        if self.next.key not in ("join", "inner", "left", "right", "full"):
            return False
        return self.peek().key in ("join", "outer") or self.next.key == "join"

    def _join_type(self) -> JoinType | None:
        if self.accept("cross"):
            self.expect("join")
            return JoinType.CROSS
        if self.accept("join"):
            return JoinType.INNER
        if self.accept("inner"):
            self.expect("join")
            return JoinType.INNER
        word = self.accept_any("left", "right", "full")
        if word is None:
            return None
        self.accept("outer")
        self.expect("join")
        return JoinType(word)

    def _from_primary(self) -> FromItem:
        self.deeper()
        at = self.here
        lateral = self.accept("lateral")
        if self.next.key == "(":
            item = self._from_parenthesis(lateral, at)
        elif self.at("rows", "from", "("):
            self.advance()
            self.advance()
            functions = self.parenthesised(self._from_function)
            item = self._function_table(functions, lateral, at)
        elif self.next.key in WINDOW_TABLES and self.peek().key == "(" and not lateral:
            item = self._window_table()
        elif self.at("changes", "(") and any(self.peek(ahead).key == "of" for ahead in range(3, 9)) and not lateral:
            item = self._changes()
        else:
            self.accept("only")
            name = self._from_name()
            if self.next.key == "(":
                item = self._function_table((self._arguments(name),), lateral, at)
            elif lateral:
                self.fail()
            else:
                item = TableName(name, self.alias())
        if self.next.key == "tablesample":
            self.unsupported("TABLESAMPLE")
        self.depth -= 1
        return item

    def _changes(self) -> ChangesTable:
        at = self.here
        self.advance()
        self.expect("(")
        relation = self.name()
        self.expect("as")
        self.expect("of")
        begin = self.here
        at_least = self.accept("at", "least")
        as_of = self.expression()
        end = self.before
        self.expect(")")
        return ChangesTable(relation, as_of, at_least, self.alias(), at, begin, end)

    def _window_table(self) -> WindowTable:
        token = self.advance()
        self.expect("(")
        relation = self.name()
        arguments = self.list_of(self.expression) if self.accept(",") else ()
        self.expect(")")
        return WindowTable(token.key, relation, arguments, self.alias(), token.at)

    def _from_name(self) -> Name:
        """A name that a function may bear too: `left(...)` aside, FROM takes any that is not reserved."""
        if self.next.kind is Kind.WORD and self.next.key not in RESERVED and self.peek().key == "(":
            token = self.advance()
            return Name((token.value,), token.at, token.end)
        return self.name()

    def _from_function(self) -> Function:
        return self._arguments(self._from_name())

    def _function_table(self, functions: tuple[Function, ...], lateral: bool, at: int) -> FunctionTable:
        ordinality = self.accept("with", "ordinality")
        alias = self.alias()
        ordinality = ordinality or self.accept("with", "ordinality")
        return FunctionTable(functions, alias, ordinality, lateral, at)

    def _from_parenthesis(self, lateral: bool, at: int) -> FromItem:
        self.expect("(")
        if self.at_query() and self._is_subquery():
            query = self.query()
            self.expect(")")
            return Derived(query, self.alias(), lateral, at)
        if lateral:
            self.fail()
        item = self._from_item()
        self.expect(")")
        if not isinstance(item, JoinTable):
            self.fail()
        alias = self.alias()
        if alias is None:
            return item
        return replace(item, whole=alias)

    def alias(self) -> Alias | None:
        """[AS] name [(columns)]."""
        at = self.here
        if self.next.key == "as" and not self._at_as_of():
            self.advance()
            name = self.identifier()
        elif self.next.kind is Kind.QUOTED or (
            self.next.kind is Kind.WORD and self.next.key not in NOT_ALIASES and not self._at_clause()
        ):
            name = self.advance().value
        else:
            return None
        columns = self.parenthesised(self.identifier) if self.next.key == "(" else ()
        return Alias(name, columns, at)
