"""A session's own names: prepared statements, and portals, which cursors are.

The protocol's Parse and Bind and SQL's PREPARE and DECLARE share both namespaces, as in PostgreSQL: a statement that a
driver parsed can be EXECUTEd, a cursor that was DECLAREd can be executed as a portal, and a portal FETCHed from.
"""

from collections.abc import Callable, Sequence

from engine.coordinator.coordinator import Coordinator
from engine.coordinator.portals import Portal, changes
from engine.coordinator.prepared import Columns, Prepared, prepared
from engine.coordinator.result import CopyOut, Result
from engine.coordinator.subscription import Subscription
from engine.errors import (
    DuplicateCursor,
    DuplicateStatement,
    SyntaxError_,
    UndefinedCursor,
    UndefinedStatement,
    WrongObjectType,
)
from engine.expr.scalar import Literal
from engine.plan.rules.fold import folded
from engine.plan.scalars import is_plain
from engine.sql.binding.applying import cast, located
from engine.sql.binding.context import Context
from engine.sql.binding.place import Place
from engine.sql.binding.queries import NOWHERE, Queries
from engine.sql.dialect import parse_expression, parse_type
from engine.sql.parameters import Parameters
from engine.sql.statement.session import Declare, Execute, Fetch, Prepare
from engine.sql.statements import Statement
from engine.types import CastContext, SqlType

Check = Callable[[], None]


class Names:
    """The prepared statements and the portals of one session. The unnamed ones have the name ""."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self.statements: dict[str, Prepared] = {}
        self.portals: dict[str, Portal] = {}

    # Prepared statements

    def prepare(self, name: str, sql: str, declared: Sequence[SqlType | None], context: Context) -> Prepared:
        """Parse and describe a statement under a name. The unnamed one is replaced."""
        if name and name in self.statements:
            raise DuplicateStatement(f'prepared statement "{name}" already exists')
        made = prepared(sql, declared)
        made.prepare(self._coordinator, context, self.columns_of)
        self.statements[name] = made
        return made

    def prepare_sql(self, statement: Prepare, context: Context) -> Result:
        binder = Queries(context)
        declared = [binder.type_of(parse_type(text)) for text in statement.types]
        made = self.prepare(statement.name, statement.body, declared, context)
        if made.statement is None:
            del self.statements[statement.name]
            raise SyntaxError_("syntax error at end of input")
        return Result("PREPARE")

    def statement(self, name: str) -> Prepared:
        found = self.statements.get(name)
        if found is None:
            raise UndefinedStatement(f'prepared statement "{name}" does not exist')
        return found

    def executed(self, statement: Execute, context: Context) -> tuple[Prepared, Parameters]:
        """What EXECUTE runs, with its arguments as the parameters."""
        found = self.statement(statement.name)
        if len(statement.arguments) != len(found.parameters):
            raise SyntaxError_(
                f'wrong number of parameters for prepared statement "{statement.name}"',
                detail=f"Expected {len(found.parameters)} parameters but got {len(statement.arguments)}.",
            )
        values = [
            argument(text, kind, context) for text, kind in zip(statement.arguments, found.parameters, strict=True)
        ]
        return found, found.given(tuple(values))

    def deallocate(self, name: str | None) -> Result:
        if name is None:
            self.statements.clear()
            return Result("DEALLOCATE ALL")
        self.statement(name)
        del self.statements[name]
        return Result("DEALLOCATE")

    # Portals

    def portal(self, name: str) -> Portal:
        found = self.portals.get(name)
        if found is None:
            raise UndefinedCursor(f'cursor "{name}" does not exist' if name else 'portal "" does not exist')
        return found

    def bind(self, name: str, portal: Portal) -> None:
        """A client's portal. The unnamed one is replaced."""
        if name and name in self.portals:
            raise DuplicateCursor(f'cursor "{name}" already exists')
        self.forget(name)
        self.portals[name] = portal

    def declare(self, statement: Declare, parameters: Parameters, context: Context) -> Portal:
        """The portal of a DECLARE, which its caller runs: what it reads is what was there when it was declared."""
        if statement.name in self.portals:
            raise DuplicateCursor(f'cursor "{statement.name}" already exists')
        made = Prepared(statement.span.text, statement.statement, tuple(parameters.types))
        made.prepare(self._coordinator, context, self.columns_of)
        return Portal(made, parameters, formats=(1,) if statement.binary else (), hold=statement.hold)

    def fetch(self, statement: Fetch, check: Check) -> Result:
        portal = self.portal(statement.name)
        answer = portal.answer
        if isinstance(answer, Subscription):
            found = changes(portal, answer, statement, check, self._coordinator.result)
            return Result(f"MOVE {found.row_count}") if statement.moves else found
        if not isinstance(answer, Result) or answer.batch is None:
            raise WrongObjectType(f'cursor "{statement.name}" has no rows to fetch')
        rows = portal.piece(statement.count)
        assert rows.batch is not None
        if statement.moves:
            return Result(f"MOVE {rows.row_count}")
        tag = f"FETCH {rows.row_count}"
        return self._coordinator.result(tag, answer.columns, rows.batch, timestamp=answer.timestamp)

    def close(self, name: str | None) -> Result:
        if name is not None:
            self.portal(name)
        for each in list(self.portals) if name is None else [name]:
            self.forget(each)
        return Result("CLOSE CURSOR ALL" if name is None else "CLOSE CURSOR")

    def forget(self, name: str) -> None:
        """Close a portal if there is one of that name."""
        portal = self.portals.pop(name, None)
        if portal is not None:
            portal.close()

    def end_transaction(self) -> None:
        """Portals live as long as their transaction, unless they were declared WITH HOLD."""
        for name, portal in list(self.portals.items()):
            if not portal.hold:
                self.forget(name)

    def columns_of(self, statement: Statement) -> Columns | None:
        """The columns that a statement about these names answers with."""
        match statement:
            case Fetch(moves=True):
                self.portal(statement.name)
                return None
            case Fetch():
                portal = self.portal(statement.name)
                source = portal.answer.source if isinstance(portal.answer, CopyOut) else portal.answer
                return portal.columns if source is None else source.columns
            case Execute():
                return self.statement(statement.name).columns
            case _:
                return None


def argument(text: str, kind: SqlType, context: Context) -> Literal:
    """An argument of EXECUTE: an expression without columns, as a value of the parameter's type."""
    node = parse_expression(text)
    binder = Queries(context)
    scalar = located(node.at, cast, binder.scalar(node, Place(NOWHERE, "EXECUTE")), kind, CastContext.ASSIGNMENT)
    found = folded(scalar) if is_plain(scalar) else scalar
    if not isinstance(found, Literal):
        raise WrongObjectType(f"the argument {text} of EXECUTE is no constant expression")
    return found
