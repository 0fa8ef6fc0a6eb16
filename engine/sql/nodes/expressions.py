"""Expressions: whatever stands for a value, and the names in it."""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

from engine.expr.window import Edge, Exclude, Unit

if TYPE_CHECKING:
    from engine.sql.nodes.queries import Query

LIKE: Final = {(False, False): "~~", (False, True): "!~~", (True, False): "~~*", (True, True): "!~~*"}
"""The operator that LIKE is, by (insensitive, negated)."""


@dataclass(frozen=True, slots=True)
class Name:
    """A possibly qualified name, e.g. ("materialize", "public", "t")."""

    parts: tuple[str, ...]
    at: int
    end: int

    def __str__(self) -> str:
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class TypeName:
    """`numeric(10, 2)`, `timestamp(3) with time zone`, `text[]`: name in lower case, modifier, array dimensions.

    `written` is the name as it stands in the text, where that is one that a user may have given: `s.t`.
    """

    name: str
    modifier: tuple[int, ...]
    dimensions: int
    at: int
    fields: str = ""  # the fields of an interval type, e.g. "day to second"
    of: "TypeName | None" = None  # the element type where the name is "list" or "map"
    written: Name | None = None
    parts: "tuple[tuple[str, TypeName], ...]" = ()  # the fields of struct<name type, ...>


@dataclass(frozen=True, slots=True)
class Null:
    at: int


@dataclass(frozen=True, slots=True)
class Boolean:
    value: bool
    at: int


@dataclass(frozen=True, slots=True)
class Number:
    """An unsigned numeric constant; the text tells integer from numeric."""

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class String:
    value: str
    at: int


@dataclass(frozen=True, slots=True)
class Parameter:
    """`$n`."""

    number: int
    at: int


@dataclass(frozen=True, slots=True)
class ColumnName:
    """`a`, `t.a`, `s.t.a`. `until` is the position after the qualifier, or after the name where there is none."""

    parts: tuple[str, ...]
    at: int
    until: int = 0


@dataclass(frozen=True, slots=True)
class Star:
    """`*` or, with a qualifier, `t.*`; `until` is the position after the qualifier. `without`: the columns of
    EXCEPT (...), which it leaves out."""

    qualifier: tuple[str, ...]
    at: int
    until: int = 0
    without: "tuple[ColumnName, ...]" = ()


@dataclass(frozen=True, slots=True)
class FrameBound:
    """An end of a frame; `offset` is there with PRECEDING and FOLLOWING alone."""

    edge: Edge
    offset: "Expression | None"
    at: int


@dataclass(frozen=True, slots=True)
class FrameClause:
    unit: Unit
    start: FrameBound
    end: FrameBound
    exclude: Exclude
    at: int


@dataclass(frozen=True, slots=True)
class Window:
    """What stands after OVER, or is named in WINDOW. `name` is the window that it is (`bare`), or that it refines."""

    name: str | None
    partition: "tuple[Expression, ...]"
    order: "tuple[OrderItem, ...]"
    frame: FrameClause | None
    bare: bool
    at: int


@dataclass(frozen=True, slots=True)
class Function:
    """A call by name. `star` is count(*); `variadic` marks a last argument with VARIADIC."""

    name: Name
    arguments: "tuple[Expression, ...]"
    at: int
    star: bool = False
    distinct: bool = False
    order: "tuple[OrderItem, ...]" = ()
    filter: "Expression | None" = None
    over: Window | None = None
    ignore_nulls: bool = False
    within: "tuple[OrderItem, ...]" = ()  # WITHIN GROUP (ORDER BY ...)


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: "Expression"
    at: int


@dataclass(frozen=True, slots=True)
class Binary:
    """`at` is where the operator stands."""

    operator: str
    left: "Expression"
    right: "Expression"
    at: int


@dataclass(frozen=True, slots=True)
class Not:
    operand: "Expression"
    at: int


@dataclass(frozen=True, slots=True)
class Logic:
    """AND or OR of two or more."""

    conjunction: bool
    arguments: "tuple[Expression, ...]"
    at: int


class Test(Enum):
    NULL = "null"
    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Is:
    """`operand IS [NOT] test`."""

    operand: "Expression"
    test: Test
    negated: bool
    at: int


@dataclass(frozen=True, slots=True)
class IsDistinct:
    """`left IS [NOT] DISTINCT FROM right`; `negated` with NOT."""

    left: "Expression"
    right: "Expression"
    negated: bool
    at: int


@dataclass(frozen=True, slots=True)
class Between:
    operand: "Expression"
    low: "Expression"
    high: "Expression"
    negated: bool
    symmetric: bool
    at: int


@dataclass(frozen=True, slots=True)
class Like:
    """`operand [NOT] LIKE|ILIKE pattern [ESCAPE escape]`."""

    operand: "Expression"
    pattern: "Expression"
    escape: "Expression | None"
    insensitive: bool
    negated: bool
    at: int


@dataclass(frozen=True, slots=True)
class InList:
    operand: "Expression"
    items: "tuple[Expression, ...]"
    negated: bool
    at: int


@dataclass(frozen=True, slots=True)
class Quantified:
    """`operand operator ANY|ALL (query)`; IN is = ANY, NOT IN is <> ALL."""

    operand: "Expression"
    operator: str
    all: bool
    query: "Query"
    at: int


@dataclass(frozen=True, slots=True)
class QuantifiedArray:
    """`operand operator ANY|ALL (array expression)`."""

    operand: "Expression"
    operator: str
    all: bool
    array: "Expression"
    at: int


@dataclass(frozen=True, slots=True)
class Exists:
    query: "Query"
    at: int


@dataclass(frozen=True, slots=True)
class Subquery:
    """A query where a scalar is expected."""

    query: "Query"
    at: int


@dataclass(frozen=True, slots=True)
class SubqueryColumn:
    """Column `index` of the one row of a query of so many columns: of `(a, b) = (SELECT ...)` in UPDATE."""

    query: "Query"
    index: int
    width: int
    at: int


@dataclass(frozen=True, slots=True)
class Case:
    """`operand` is None for CASE WHEN condition THEN ..."""

    operand: "Expression | None"
    branches: "tuple[tuple[Expression, Expression], ...]"
    otherwise: "Expression | None"
    at: int


@dataclass(frozen=True, slots=True)
class Cast:
    """CAST(x AS t), x::t, and the typed literal t 'x'."""

    operand: "Expression"
    type: TypeName
    at: int


@dataclass(frozen=True, slots=True)
class Row:
    """`(a, b, ...)` or ROW(...)."""

    items: "tuple[Expression, ...]"
    at: int


@dataclass(frozen=True, slots=True)
class Array:
    """`ARRAY[...]`, or `LIST[...]`."""

    items: "tuple[Expression, ...]"
    list: bool
    at: int


@dataclass(frozen=True, slots=True)
class Map:
    """`MAP[key => value, ...]`."""

    items: "tuple[tuple[Expression, Expression], ...]"
    at: int


@dataclass(frozen=True, slots=True)
class MapQuery:
    """`MAP(query)` of two columns."""

    query: "Query"
    at: int


@dataclass(frozen=True, slots=True)
class ArrayQuery:
    """`ARRAY(query)`."""

    query: "Query"
    list: bool
    at: int


@dataclass(frozen=True, slots=True)
class Subscript:
    """`x[i]` (upper None, slice False) or `x[lower:upper]`. `chained`: one subscript with the operand's, as in x[1][2];
    (x[1])[2] is another."""

    operand: "Expression"
    lower: "Expression | None"
    upper: "Expression | None"
    slice: bool
    chained: bool
    at: int


@dataclass(frozen=True, slots=True)
class Field:
    """`(x).name`."""

    operand: "Expression"
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Default:
    """DEFAULT, as a value of INSERT or UPDATE."""

    at: int


Expression: TypeAlias = (
    Null | Boolean | Number | String | Parameter | ColumnName | Star | Function | Unary | Binary | Not | Logic | Is
    | IsDistinct | Between | Like | InList | Quantified | QuantifiedArray | Exists | Subquery | SubqueryColumn | Case
    | Cast | Row
    | Array | Map | MapQuery | ArrayQuery | Subscript | Field | Default
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OrderItem:
    """`nulls_first` None: PostgreSQL's default, last when ascending and first when descending."""

    expression: Expression
    descending: bool
    nulls_first: bool | None
