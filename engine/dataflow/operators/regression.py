"""Covariance, correlation and the line of least squares, of exact sums: each result is rounded once, from an exact
fraction (the root of corr twice).

Law    A function of the sums of the group's pairs alone, which are whole numbers; so neither the order in which pairs
       came nor those that went leave a trace. PostgreSQL, which adds doubles up, differs in the last digits.
From   The definitions of SQL:2003; of no rows and of rows that are all alike what PostgreSQL says.
"""

from dataclasses import dataclass, replace
from math import isqrt, nan

from engine.dataflow.operators.asides import FINE_BITS, Aside, quotient
from engine.expr.aggregate import Kind

ROOT_BITS = 64
"""Of a root below its point: more than the 53 of a double."""


@dataclass(frozen=True, slots=True)
class Moments:
    """The sums of `count` pairs (y, x): of each in units of 2^-scale, of products in units of 2^-product_scale. Of what
    is not finite there are `y_special` and `x_special`, the sums as PostgreSQL has them."""

    count: int
    scale: int
    y: int
    x: int
    yy: int
    xx: int
    xy: int
    product_scale: int = -1
    y_special: float | None = None
    x_special: float | None = None

    def __post_init__(self) -> None:
        if self.product_scale < 0:
            object.__setattr__(self, "product_scale", self.scale)

    def beside(self, entry: Aside) -> "Moments":
        """These and what is beside the limbs."""
        other = entry.second or Aside()
        up, up_products = FINE_BITS - self.scale, 2 * FINE_BITS - self.product_scale
        return replace(
            self, scale=FINE_BITS, product_scale=2 * FINE_BITS, y=(self.y << up) + entry.total,
            x=(self.x << up) + other.total, yy=(self.yy << up_products) + entry.squares,
            xx=(self.xx << up_products) + other.squares, xy=(self.xy << up_products) + entry.products,
            y_special=entry.special, x_special=other.special,
        )  # fmt: skip

    def spread(self, products: int, a: int, b: int) -> int:
        """n^2 times the covariance of two columns, in units of 2^-(2 scale)."""
        return self.count * (products << (2 * self.scale - self.product_scale)) - a * b


def regression(kind: Kind, of: Moments) -> float | None:
    """The result; None where it is NULL."""
    n = of.count
    if n <= 0 or (kind is Kind.COVAR_SAMP and n == 1):
        return None
    unknown_x, unknown_y = of.x_special is not None, of.y_special is not None
    one, two = of.scale, 2 * of.scale
    sxx, syy, sxy = of.spread(of.xx, of.x, of.x), of.spread(of.yy, of.y, of.y), of.spread(of.xy, of.y, of.x)
    flat_x, flat_y = not unknown_x and sxx <= 0, not unknown_y and syy <= 0
    match kind:
        case Kind.REGR_AVGX | Kind.REGR_AVGY:
            total, found = (of.x, of.x_special) if kind is Kind.REGR_AVGX else (of.y, of.y_special)
            return quotient(total, n << one) if found is None else found
        case Kind.REGR_SXX | Kind.REGR_SYY:
            spread, unknown = (sxx, unknown_x) if kind is Kind.REGR_SXX else (syy, unknown_y)
            return nan if unknown else quotient(spread, n << two)
        case Kind.REGR_SXY | Kind.COVAR_POP | Kind.COVAR_SAMP:
            by = n if kind is Kind.REGR_SXY else n * n if kind is Kind.COVAR_POP else n * (n - 1)
            return nan if unknown_x or unknown_y else quotient(sxy, by << two)
        case Kind.CORR if flat_x or flat_y:
            return None
        case Kind.REGR_SLOPE | Kind.REGR_INTERCEPT | Kind.REGR_R2 if flat_x:
            return None
        case Kind.REGR_R2 if flat_y:
            return 1.0
        case _ if unknown_x or unknown_y:
            return nan
        case Kind.CORR:
            return quotient(sxy << ROOT_BITS, isqrt(sxx * syy << 2 * ROOT_BITS))
        case Kind.REGR_SLOPE:
            return quotient(sxy, sxx)
        case Kind.REGR_INTERCEPT:
            return quotient(of.y * sxx - of.x * sxy, n * sxx << one)
        case _:
            assert kind is Kind.REGR_R2
            return quotient(sxy * sxy, sxx * syy)
