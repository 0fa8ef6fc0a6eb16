"""Table functions: scalar arguments in, any number of rows out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.collection.vector import Vector
from engine.types import Column, SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context


@dataclass(frozen=True, slots=True, eq=False)
class Expanded:
    """What a table function yields over n calls: row r of the output belongs to call `origin[r]`.

    `origin` is int64[m], ascending; `columns` are m values each; `errors` is uint64[n] by call (0: fine), or None.
    """

    origin: NDArray[np.int64]
    columns: tuple[Vector, ...]
    errors: NDArray[np.uint64] | None = None


@dataclass(frozen=True, slots=True)
class TableFunction:
    """One overload of a function in FROM. A NULL argument yields no rows, unless it is `on_null`: then the kernel sees
    the null masks and decides. `through` names a function that reads the catalog: its result is what the kernel sees.
    Equal when name, parameters, columns are."""

    name: str
    parameters: tuple[SqlType, ...]
    columns: tuple[Column, ...]
    kernel: "Callable[[Context, Sequence[Vector]], Expanded]" = field(compare=False, repr=False)
    can_fail: bool = False
    doc: str = field(default="", compare=False)
    on_null: bool = False
    through: str | None = None


@dataclass(frozen=True, slots=True)
class GenericTable:
    """A table function over any types: overload resolution makes the TableFunction once they are known.

    `columns` is for the documentation; the TableFunction states its own. The first `constants` arguments must be
    literals, because the columns depend on their values: `instantiate` gets those too (None for what is no literal).
    """

    name: str
    parameters: tuple[SqlType, ...]
    instantiate: Callable[..., TableFunction] = field(compare=False, repr=False)
    columns: tuple[Column, ...]
    doc: str = field(default="", compare=False)
    constants: int = 0
