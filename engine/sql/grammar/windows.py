"""Windows: what stands after OVER and in the WINDOW clause; ORDER BY, which windows, aggregates and queries have."""

from engine.errors import WindowingError
from engine.expr.window import Edge, Exclude, Unit
from engine.sql.grammar.forms import Forms
from engine.sql.grammar.tokens import Kind
from engine.sql.syntax import Expression, FrameBound, FrameClause, OrderItem, Window

UNITS = {unit.value: unit for unit in Unit}
CLAUSES = frozenset({"partition", "order", *UNITS})
"""Words with which a part of a window begins: they name no window there."""


class Windows(Forms):
    """The window part of the grammar."""

    __slots__ = ()

    def over(self) -> Window | None:
        """OVER name or OVER (...), if it comes next."""
        if not self.accept("over"):
            return None
        if self.next.key != "(":
            at = self.here
            return Window(self.identifier(), (), (), None, True, at)
        return self.window()

    def window(self) -> Window:
        """([name] [PARTITION BY ...] [ORDER BY ...] [frame])."""
        at = self.expect("(").at
        name = None
        if self.next.kind is Kind.QUOTED or (self.at_identifier() and self.next.key not in CLAUSES):
            name = self.identifier()
        partition: tuple[Expression, ...] = ()
        if self.accept("partition", "by"):
            partition = self.list_of(self.expression)
        order = self.order_by()
        frame = self._frame()
        self.expect(")")
        return Window(name, partition, order, frame, False, at)

    def order_by(self) -> tuple[OrderItem, ...]:
        """ORDER BY ..., if it comes next."""
        return self.list_of(self._order_item) if self.accept("order", "by") else ()

    def _order_item(self) -> OrderItem:
        expression = self.expression()
        direction = self.accept_any("asc", "desc")
        if direction is None and self.next.key == "using":
            self.unsupported("ORDER BY ... USING")
        nulls = None
        if self.accept("nulls"):
            nulls = self.accept_any("first", "last")
            if nulls is None:
                self.fail()
        return OrderItem(expression, direction == "desc", None if nulls is None else nulls == "first")

    def named_windows(self) -> tuple[tuple[str, Window], ...]:
        """WINDOW name AS (...), ..., if it comes next."""
        return self.list_of(self._named_window) if self.accept("window") else ()

    def _named_window(self) -> tuple[str, Window]:
        name = self.identifier()
        self.expect("as")
        return name, self.window()

    def _frame(self) -> FrameClause | None:
        """{ROWS | RANGE | GROUPS} {bound | BETWEEN bound AND bound} [EXCLUDE ...]."""
        at = self.here
        word = self.accept_any(*UNITS)
        if word is None:
            return None
        if self.accept("between"):
            start = self._bound()
            self.expect("and")
            end = self._bound()
        else:
            start, end = self._bound(), FrameBound(Edge.CURRENT_ROW, None, self.here)
        if start.edge is Edge.UNBOUNDED_FOLLOWING:
            raise WindowingError("frame start cannot be UNBOUNDED FOLLOWING", position=start.at)
        if end.edge is Edge.UNBOUNDED_PRECEDING:
            raise WindowingError("frame end cannot be UNBOUNDED PRECEDING", position=end.at)
        if start.edge is Edge.CURRENT_ROW and end.edge is Edge.PRECEDING:
            raise WindowingError("frame starting from current row cannot have preceding rows", position=end.at)
        if start.edge is Edge.FOLLOWING and end.edge in (Edge.PRECEDING, Edge.CURRENT_ROW):
            what = "have preceding rows" if end.edge is Edge.PRECEDING else "end with current row"
            raise WindowingError(f"frame starting from following row cannot {what}", position=end.at)
        return FrameClause(UNITS[word], start, end, self._exclusion(), at)

    def _bound(self) -> FrameBound:
        at = self.here
        for edge in (Edge.UNBOUNDED_PRECEDING, Edge.UNBOUNDED_FOLLOWING, Edge.CURRENT_ROW):
            if self.accept(*edge.value.split()):
                return FrameBound(edge, None, at)
        offset = self.expression()
        word = self.accept_any("preceding", "following")
        if word is None:
            self.fail()
        return FrameBound(Edge(word), offset, at)

    def _exclusion(self) -> Exclude:
        if not self.accept("exclude"):
            return Exclude.NO_OTHERS
        for exclude in Exclude:
            if self.accept(*exclude.value.split()):
                return exclude
        self.fail()
