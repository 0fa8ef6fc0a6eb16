"""Table functions over arrays, lists and maps, of whatever elements."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from engine import types
from engine.collection.nested import Array
from engine.collection.vector import Vector
from engine.expr.functions.table import expand
from engine.expr.table import Expanded, GenericTable, TableFunction
from engine.expr.text_forms import RawValue
from engine.types import Column, Nesting, SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

Types = tuple[SqlType, ...]


def _listing(
    name: str, parameters: Types, columns: tuple[Column, ...], apply: Callable[..., Sequence[RawValue]], doc: str
) -> TableFunction:
    """As the table functions over documents: apply lists the rows of one call, tuples where the columns are several."""
    results = [column.type for column in columns]

    def kernel(context: "Context", vectors: Sequence[Vector]) -> Expanded:
        return expand(apply, vectors, parameters, results, context)

    return TableFunction(name, parameters, columns, kernel, doc=doc)


def _elements(element: SqlType) -> tuple[tuple[Column, ...], Callable[[Sequence[RawValue]], Sequence[RawValue]]]:
    """The columns of an element: records are taken apart, and a NULL one is NULLs."""
    if element.nesting is not Nesting.RECORD or not element.fields:
        return (Column("unnest", element),), lambda items: items
    columns = tuple(Column(name, kind) for name, kind in element.fields)
    absent = (None,) * len(columns)
    if len(columns) == 1:
        return columns, lambda items: [None if item is None else item[0] for item in items]
    return columns, lambda items: [absent if item is None else item for item in items]


def _unnest(parameters: Types) -> TableFunction:
    (whole,) = parameters
    if whole.nesting is Nesting.MAP:
        columns = (Column("key", types.TEXT, nullable=False), Column("value", whole.within))
        return _listing("unnest", parameters, columns, lambda value: list(value.items()), "")
    columns, rows = _elements(whole.within)
    if whole.nesting is Nesting.LIST:
        return _listing("unnest", parameters, columns, rows, "")
    return _listing("unnest", parameters, columns, lambda value: rows(value.items), "")


def _subscripts(value: Array, dimension: int, descending: bool = False) -> Sequence[RawValue]:
    size = value.dims[dimension - 1] if 1 <= dimension <= len(value.dims) else 0
    return range(size, 0, -1) if descending else range(1, size + 1)


def _generate_subscripts(parameters: Types) -> TableFunction:
    columns = (Column("generate_subscripts", types.INTEGER, nullable=False),)
    return _listing("generate_subscripts", parameters, columns, _subscripts, "")


def _expand_array(parameters: Types) -> TableFunction:
    columns = (Column("x", parameters[0].within), Column("n", types.INTEGER, nullable=False))
    return _listing(
        "_pg_expandarray", parameters, columns, lambda value: [(item, n) for n, item in enumerate(value.items, 1)], ""
    )


def _made(name: str, parameters: Types, make: Callable[[Types], TableFunction], result: str, doc: str) -> GenericTable:
    return GenericTable(name, parameters, make, (Column(result, types.ANYELEMENT),), doc)


TABLE_FUNCTIONS: Final = (
    _made("unnest", (types.ANYARRAY,), _unnest, "unnest", "the elements, those of records as columns"),
    _made("unnest", (types.ANYLIST,), _unnest, "unnest", "the elements; lists within stay lists"),
    _made("unnest", (types.ANYMAP,), _unnest, "key, value", "the pairs"),
    _made("generate_subscripts", (types.ANYARRAY, types.INTEGER), _generate_subscripts, "generate_subscripts",
          "the subscripts of dimension y"),
    _made("generate_subscripts", (types.ANYARRAY, types.INTEGER, types.BOOLEAN), _generate_subscripts,
          "generate_subscripts", "the subscripts of dimension y, backwards where z"),
    _made("_pg_expandarray", (types.ANYARRAY,), _expand_array, "x, n", "the elements and their subscripts"),
)  # fmt: skip
