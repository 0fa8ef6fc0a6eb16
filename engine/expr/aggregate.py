"""The aggregates: one table from (name, argument type) to (kind, result type)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from engine import types
from engine.types import Nesting, SqlType


class Kind(Enum):
    """What the reduce operator keeps for an aggregate, and so what a change costs it."""

    COUNT_ROWS = "count(*)"
    COUNT = "count"
    SUM = "sum"
    AVG = "avg"
    STDDEV_SAMP = "stddev_samp"
    STDDEV_POP = "stddev_pop"
    VAR_SAMP = "var_samp"
    VAR_POP = "var_pop"
    COVAR_POP = "covar_pop"
    COVAR_SAMP = "covar_samp"
    CORR = "corr"
    REGR_COUNT = "regr_count"
    REGR_AVGX = "regr_avgx"
    REGR_AVGY = "regr_avgy"
    REGR_SXX = "regr_sxx"
    REGR_SYY = "regr_syy"
    REGR_SXY = "regr_sxy"
    REGR_SLOPE = "regr_slope"
    REGR_INTERCEPT = "regr_intercept"
    REGR_R2 = "regr_r2"
    BOOL_AND = "bool_and"
    BOOL_OR = "bool_or"
    MIN = "min"
    MAX = "max"
    STRING_AGG = "string_agg"
    JSONB_AGG = "jsonb_agg"
    JSONB_OBJECT_AGG = "jsonb_object_agg"
    ARRAY_AGG = "array_agg"
    LIST_AGG = "list_agg"
    MAP_AGG = "map_agg"
    FIRST = "first_value"
    LAST = "last_value"
    ARG_MIN = "arg_min"
    ARG_MAX = "arg_max"
    BIT_AND = "bit_and"
    BIT_OR = "bit_or"
    BIT_XOR = "bit_xor"
    INTERVAL_SUM = "sum(interval)"
    INTERVAL_AVG = "avg(interval)"
    PERCENTILE_CONT = "percentile_cont"
    PERCENTILE_DISC = "percentile_disc"
    MODE = "mode"


PAIRED = frozenset(
    {Kind.COVAR_POP, Kind.COVAR_SAMP, Kind.CORR, Kind.REGR_COUNT, Kind.REGR_AVGX, Kind.REGR_AVGY, Kind.REGR_SXX,
     Kind.REGR_SYY, Kind.REGR_SXY, Kind.REGR_SLOPE, Kind.REGR_INTERCEPT, Kind.REGR_R2}
)  # fmt: skip
"""Aggregates of (y, x), of the rows where neither is NULL."""
BITWISE = frozenset({Kind.BIT_AND, Kind.BIT_OR, Kind.BIT_XOR})
ACCUMULABLE = frozenset(
    {Kind.COUNT_ROWS, Kind.COUNT, Kind.SUM, Kind.AVG, Kind.STDDEV_SAMP, Kind.STDDEV_POP, Kind.VAR_SAMP, Kind.VAR_POP,
     Kind.BOOL_AND, Kind.BOOL_OR, *PAIRED, *BITWISE}
)  # fmt: skip
COUNTS = frozenset({Kind.COUNT_ROWS, Kind.COUNT, Kind.REGR_COUNT})
"""Aggregates that are 0 of no rows; the others are NULL."""
EXTREME = frozenset({Kind.MIN, Kind.MAX})
ORDERED_SET = frozenset({Kind.PERCENTILE_CONT, Kind.PERCENTILE_DISC, Kind.MODE})
"""Aggregates over the values of WITHIN GROUP (ORDER BY x), their first argument; the others stand in parentheses."""
WHOLE_GROUP = frozenset(
    {Kind.STRING_AGG, Kind.JSONB_AGG, Kind.JSONB_OBJECT_AGG, Kind.ARRAY_AGG, Kind.LIST_AGG, Kind.MAP_AGG, Kind.FIRST,
     Kind.INTERVAL_SUM, Kind.INTERVAL_AVG, *ORDERED_SET}
)  # fmt: skip
PERCENTILES = frozenset({Kind.PERCENTILE_CONT, Kind.PERCENTILE_DISC})
JOINED = frozenset({Kind.STRING_AGG, Kind.JSONB_AGG, Kind.ARRAY_AGG, Kind.LIST_AGG})
"""Aggregates that are the bytes of all rows, one after the other."""
KEYED = frozenset({Kind.MODE, Kind.MAP_AGG, Kind.JSONB_OBJECT_AGG})
"""Aggregates of which one row of each key counts."""
KEEPS_NULL = frozenset({Kind.JSONB_AGG, Kind.ARRAY_AGG, Kind.LIST_AGG, Kind.FIRST})
"""Aggregates that see rows whose first argument is NULL, so that a FILTER cannot be a CASE that makes it NULL."""
EXTREME_ROWS = {Kind.ARG_MIN: False, Kind.ARG_MAX: True}
OF_EXTREME = {Kind.MIN: Kind.ARG_MIN, Kind.MAX: Kind.ARG_MAX}
"""Whether the second argument's greatest value decides. These, and LAST, are bound as a FIRST in some order."""


def spliced(kind: Kind, first: SqlType) -> bool:
    """Whether a change copies what it leaves alone of a JOINED's datum, of a first argument of that type. An array of
    arrays is put together anew, as their dimensions have to agree."""
    return kind in JOINED and not (kind is Kind.ARRAY_AGG and first.nesting is Nesting.ARRAY)


def recomputes(kind: Kind, first: SqlType) -> bool:
    """Whether a change has all rows of the group looked at again."""
    return kind in WHOLE_GROUP - PERCENTILES - KEYED - {Kind.FIRST} and not spliced(kind, first)


@dataclass(frozen=True, slots=True)
class Overload:
    """One aggregate overload: `parameters` are exact types after the binder's casts.

    ANY among them stays as it is: the aggregate never reads that argument's words, only whether they are NULL.
    """

    name: str
    kind: Kind
    parameters: tuple[SqlType, ...]
    result: SqlType
    doc: str = ""


INTEGERS: Final = (types.SMALLINT, types.INTEGER, types.BIGINT)
SMALL_UNSIGNED: Final = (types.UINT2, types.UINT4)
FLOATS: Final = (types.REAL, types.DOUBLE)
FRACTIONS: Final = types.array_of(types.DOUBLE)
ORDERED: Final = (
    types.BOOLEAN, *INTEGERS, *types.UNSIGNED, types.MZ_TIMESTAMP,
    types.OID, *FLOATS, types.NUMERIC, types.TEXT, types.CHAR, types.BYTEA, types.DATE,
    types.TIME, types.TIMESTAMP, types.TIMESTAMPTZ, types.INTERVAL, types.UUID, types.JSONB,
    types.TID, types.XID8, types.PG_LSN,
)  # fmt: skip

MOMENTS: Final[Mapping[str, tuple[Kind, str]]] = {
    "stddev": (Kind.STDDEV_SAMP, "sample standard deviation; NULL for one value"),
    "stddev_samp": (Kind.STDDEV_SAMP, "sample standard deviation; NULL for one value"),
    "stddev_pop": (Kind.STDDEV_POP, "population standard deviation"),
    "variance": (Kind.VAR_SAMP, "sample variance; NULL for one value"),
    "var_samp": (Kind.VAR_SAMP, "sample variance; NULL for one value"),
    "var_pop": (Kind.VAR_POP, "population variance"),
}
PAIRS: Final[Mapping[Kind, str]] = {
    Kind.COVAR_POP: "population covariance of (y, x), of the rows where neither is NULL as in all that follow",
    Kind.COVAR_SAMP: "sample covariance; NULL for one row",
    Kind.CORR: "correlation coefficient; NULL where y or x is the same in all rows",
    Kind.REGR_COUNT: "the number of rows where neither y nor x is NULL",
    Kind.REGR_AVGX: "the mean of x",
    Kind.REGR_AVGY: "the mean of y",
    Kind.REGR_SXX: "the sum of the squares of how far x is from its mean",
    Kind.REGR_SYY: "the sum of the squares of how far y is from its mean",
    Kind.REGR_SXY: "the sum of the products of how far x and y are from their means",
    Kind.REGR_SLOPE: "slope of the line that fits best by least squares; NULL where all x are the same",
    Kind.REGR_INTERCEPT: "where that line is at x = 0; NULL where all x are the same",
    Kind.REGR_R2: "square of the correlation; 1 where all y are the same, NULL where all x are",
}


def _table() -> Iterator[Overload]:
    yield Overload("count", Kind.COUNT_ROWS, (), types.BIGINT, "count(*): the number of rows")
    yield Overload("count", Kind.COUNT, (types.ANY,), types.BIGINT, "the number of rows where the argument is not NULL")
    sums = {types.SMALLINT: types.BIGINT, types.INTEGER: types.BIGINT, types.BIGINT: types.NUMERIC}
    sums |= dict.fromkeys(SMALL_UNSIGNED, types.UINT8)
    for kind in (*INTEGERS, *SMALL_UNSIGNED, *FLOATS, types.NUMERIC):
        mean = types.DOUBLE if kind in FLOATS else types.NUMERIC
        yield Overload("sum", Kind.SUM, (kind,), sums.get(kind, kind), "the sum; NULL of no values")
        yield Overload("avg", Kind.AVG, (kind,), mean, "the mean; NULL of no values")
        for name, (moment, doc) in MOMENTS.items():
            yield Overload(name, moment, (kind,), mean, doc)
    for kind, doc in PAIRS.items():
        result = types.BIGINT if kind is Kind.REGR_COUNT else types.DOUBLE
        yield Overload(kind.value, kind, (types.DOUBLE, types.DOUBLE), result, doc)
    for kind in ORDERED:
        yield Overload("min", Kind.MIN, (kind,), kind, "the least value")
        yield Overload("max", Kind.MAX, (kind,), kind, "the greatest value")
    span = types.INTERVAL
    yield Overload("sum", Kind.INTERVAL_SUM, (span,), span, "the sum; NULL of no values")
    yield Overload("avg", Kind.INTERVAL_AVG, (span,), span, "the mean; NULL of no values")
    for kind in (*INTEGERS, *types.UNSIGNED):
        for name, bits, doc in (
            ("bit_and", Kind.BIT_AND, "bitwise and of the values"),
            ("bit_or", Kind.BIT_OR, "bitwise or of the values"),
            ("bit_xor", Kind.BIT_XOR, "bitwise exclusive or of the values"),
        ):
            yield Overload(name, bits, (kind,), kind, doc)
    for name, kind, doc in (
        ("bool_and", Kind.BOOL_AND, "whether every value is true"),
        ("every", Kind.BOOL_AND, "whether every value is true"),
        ("bool_or", Kind.BOOL_OR, "whether some value is true"),
    ):
        yield Overload(name, kind, (types.BOOLEAN,), types.BOOLEAN, doc)
    for kind in (types.TEXT, types.BYTEA):
        yield Overload("string_agg", Kind.STRING_AGG, (kind, kind), kind, "the values joined by the delimiter")
    for name in ("jsonb_agg", "json_agg"):
        yield Overload(name, Kind.JSONB_AGG, (types.JSONB,), types.JSONB, "the values as a JSON array, NULLs included")
    for name in ("jsonb_object_agg", "json_object_agg"):
        doc = "the pairs as a JSON object"
        yield Overload(name, Kind.JSONB_OBJECT_AGG, (types.TEXT, types.JSONB), types.JSONB, doc)
    any_ = types.ANYELEMENT
    for whole in (types.ANYARRAY, types.ANYLIST, types.ANYMAP, types.ANYRECORD):
        yield Overload("min", Kind.MIN, (whole,), whole, "the least value")
        yield Overload("max", Kind.MAX, (whole,), whole, "the greatest value")
    doc = "the values as an array, NULLs included; arrays as an array of one more dimension"
    yield Overload("array_agg", Kind.ARRAY_AGG, (any_,), types.ANYARRAY, doc)
    yield Overload("list_agg", Kind.LIST_AGG, (any_,), types.ANYLIST, "the values as a list, NULLs included")
    for kind, doc in ((Kind.FIRST, "the first value in the order of ORDER BY"), (Kind.LAST, "the last one")):
        yield Overload(kind.value, kind, (any_,), any_, doc)
    for kind, doc in ((Kind.ARG_MIN, "the x beside the least y"), (Kind.ARG_MAX, "the x beside the greatest y")):
        yield Overload(kind.value, kind, (any_, types.ANY), any_, f"{doc}, of the rows where neither is NULL")
    doc = "of x WITHIN GROUP (ORDER BY x): the value at that fraction of the way, between two values if need be"
    for kind in (types.DOUBLE, span):
        for fraction, result in ((types.DOUBLE, kind), (FRACTIONS, types.array_of(kind))):
            yield Overload("percentile_cont", Kind.PERCENTILE_CONT, (kind, fraction), result, doc)
    doc = "of x WITHIN GROUP (ORDER BY x): the first value with at least that fraction of the values up to it"
    yield Overload("percentile_disc", Kind.PERCENTILE_DISC, (any_, types.DOUBLE), any_, doc)
    yield Overload("percentile_disc", Kind.PERCENTILE_DISC, (any_, FRACTIONS), types.ANYARRAY, doc)
    doc = "of x WITHIN GROUP (ORDER BY x): the most frequent value, of several the first"
    yield Overload("mode", Kind.MODE, (any_,), any_, doc)
    doc = "the pairs as a map; of equal keys the last value; NULL keys are left out"
    yield Overload("map_agg", Kind.MAP_AGG, (types.TEXT, any_), types.ANYMAP, doc)


def _by_name() -> Mapping[str, tuple[Overload, ...]]:
    rows = tuple(_table())
    return {row.name: tuple(other for other in rows if other.name == row.name) for row in rows}


AGGREGATES: Final = _by_name()
"""Every aggregate by name. An argument of type JSONB takes any type: the binder converts it by to_jsonb."""

COMPOSED: Final[Mapping[str, str]] = {
    "mz_all": "AND of the values: NULL where none is false and one is NULL; true of no values",
    "mz_any": "OR of the values: NULL where none is true and one is NULL; false of no values",
    "concat_agg": "the texts of the values, one after the other",
    "any_value": "one of the values that are not NULL: the first, so that it depends on the rows alone",
    "approx_count_distinct": "count(DISTINCT x), exactly",
}
"""Aggregates that the binder says in terms of others."""

HYPOTHETICAL: Final[Mapping[str, tuple[str, str]]] = {
    "rank": ("bigint", "1 and the rows before"),
    "dense_rank": ("bigint", "1 and the different values before"),
    "percent_rank": ("double precision", "the part of the rows that is before"),
    "cume_dist": ("double precision", "the part of the rows that is before or beside, this one counted"),
}
"""Of a row (x) that is not there WITHIN GROUP (ORDER BY y): result type, and what it is."""
