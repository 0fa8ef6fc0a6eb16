"""Queries: what stands in FROM, SELECT and its clauses, set operations, WITH."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from engine.sql.nodes.expressions import (
    Expression,
    Function,
    Name,
    OrderItem,
    TypeName,
    Window,
)


@dataclass(frozen=True, slots=True)
class SelectItem:
    expression: Expression
    alias: str | None


@dataclass(frozen=True, slots=True)
class Alias:
    """`AS name (columns)`."""

    name: str
    columns: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class TableName:
    name: Name
    alias: Alias | None


@dataclass(frozen=True, slots=True)
class Derived:
    """A query in FROM."""

    query: "Query"
    alias: Alias | None
    lateral: bool
    at: int


@dataclass(frozen=True, slots=True)
class FunctionTable:
    """A function in FROM; several are ROWS FROM (...)."""

    functions: tuple[Function, ...]
    alias: Alias | None
    ordinality: bool
    lateral: bool
    at: int


@dataclass(frozen=True, slots=True)
class WindowTable:
    """tumble(relation, time, size...) or hop(...): the rows of a relation beside the windows of time they lie in."""

    function: str
    relation: Name
    arguments: tuple[Expression, ...]
    alias: Alias | None
    at: int


@dataclass(frozen=True, slots=True)
class ChangesTable:
    """CHANGES(relation AS OF [AT LEAST] time): what a relation held then and its changes since. What says since when
    stands from `begin` to `end`."""

    relation: Name
    as_of: Expression
    at_least: bool
    alias: Alias | None
    at: int
    begin: int
    end: int


class JoinType(Enum):
    INNER = "inner"
    LEFT = "left"
    RIGHT = "right"
    FULL = "full"
    CROSS = "cross"


@dataclass(frozen=True, slots=True)
class JoinTable:
    """`using` None: `on` says how (or nothing: CROSS); a NATURAL join has neither."""

    left: "FromItem"
    right: "FromItem"
    type: JoinType
    natural: bool
    on: Expression | None
    using: tuple[str, ...] | None
    alias: Alias | None
    at: int
    whole: Alias | None = None  # what the parenthesis around it is called: its items have no name outside


FromItem: TypeAlias = TableName | Derived | FunctionTable | WindowTable | ChangesTable | JoinTable


@dataclass(frozen=True, slots=True)
class Select:
    """`distinct` is () for DISTINCT, expressions for DISTINCT ON, None without. `from_` are the comma's items.

    `group` are the expressions of GROUP BY; with GROUPING SETS, ROLLUP or CUBE `sets` says by which of them each of the
    groupings groups, `once` whether equal ones count as one (GROUP BY DISTINCT).
    """

    items: tuple[SelectItem, ...]
    from_: tuple[FromItem, ...]
    where: Expression | None
    group: tuple[Expression, ...] | None
    having: Expression | None
    distinct: tuple[Expression, ...] | None
    at: int
    windows: tuple[tuple[str, Window], ...] = ()
    qualify: Expression | None = None
    sets: tuple[tuple[int, ...], ...] = ()
    once: bool = False


@dataclass(frozen=True, slots=True)
class Values:
    rows: tuple[tuple[Expression, ...], ...]
    at: int


class SetOperator(Enum):
    UNION = "UNION"
    EXCEPT = "EXCEPT"
    INTERSECT = "INTERSECT"


@dataclass(frozen=True, slots=True)
class SetOperation:
    operator: SetOperator
    all: bool
    left: "Body"
    right: "Body"
    at: int
    corresponding: bool = False  # by name: the columns that both have, or those of BY (...)
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nested:
    """A query in parentheses as a branch of a set operation, or as the body of another query."""

    query: "Query"


@dataclass(frozen=True, slots=True)
class Show:
    """SHOW of objects: `what` in lower case; `full` has more columns, `extended` the objects of all schemas. Of
    privileges `of` is the kind of object that they are about."""

    what: str
    full: bool
    extended: bool
    from_: Name | None
    on: Name | None
    cluster: str | None
    like: str | None
    where: Expression | None
    at: int
    of: str | None = None


Body: TypeAlias = Select | Values | SetOperation | Nested | Show


@dataclass(frozen=True, slots=True)
class CommonTable:
    """One binding of WITH. `types` are there for WITH MUTUALLY RECURSIVE only."""

    name: str
    columns: tuple[str, ...]
    types: tuple[TypeName, ...]
    query: "Query"
    at: int


class Recursion(Enum):
    NONE = "WITH"
    RECURSIVE = "WITH RECURSIVE"
    MUTUAL = "WITH MUTUALLY RECURSIVE"


@dataclass(frozen=True, slots=True)
class Query:
    body: Body
    order: tuple[OrderItem, ...]
    limit: Expression | None
    offset: Expression | None
    with_: tuple[CommonTable, ...]
    recursion: Recursion
    at: int
    passes: int | None = None  # the recursion limit, if one is stated,
    returns: bool = False  # and whether reaching it ends the recursion instead of failing
    ties: bool = False  # whether the peers of the last row of `limit` come too
