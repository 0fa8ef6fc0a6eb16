"""The tables of TPC-H as functions of their keys: any rows of any scale, made as Arrow columns, the same every time.

Law: a row is a function of its key, of the scale and, for an order and its lines, of a generation: a higher generation
is the same order placed anew, so that a generator which replaces orders knows what it takes away without keeping it.
From   TPC Benchmark H, revision 3, clause 4.2: cardinalities, domains, dates and the columns that follow from others.
       Comments are a few words drawn from a short list; those that queries look for come as often as there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow.compute import call_function

from engine import types
from engine.connectors.dice import Keys, between, chosen, decimal, draw, joined, numbered, pick, words
from engine.types import Column


def listed(text: str) -> tuple[str, ...]:
    """Its words."""
    return tuple(text.split())


REGIONS: Final = ("AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST")
NATIONS: Final = (
    ("ALGERIA", 0), ("ARGENTINA", 1), ("BRAZIL", 1), ("CANADA", 1), ("EGYPT", 4), ("ETHIOPIA", 0), ("FRANCE", 3),
    ("GERMANY", 3), ("INDIA", 2), ("INDONESIA", 2), ("IRAN", 4), ("IRAQ", 4), ("JAPAN", 2), ("JORDAN", 4), ("KENYA", 0),
    ("MOROCCO", 0), ("MOZAMBIQUE", 0), ("PERU", 1), ("CHINA", 2), ("ROMANIA", 3), ("SAUDI ARABIA", 4), ("VIETNAM", 2),
    ("RUSSIA", 3), ("UNITED KINGDOM", 3), ("UNITED STATES", 1),
)  # fmt: skip
"""Name and region of each nation."""

COLORS: Final = listed(
    "almond antique aquamarine azure beige bisque black blanched blue blush brown burlywood burnished chartreuse "
    "chiffon chocolate coral cornflower cornsilk cream cyan dark deep dim dodger drab firebrick floral forest frosted "
    "gainsboro ghost goldenrod green grey honeydew hot indian ivory khaki lace lavender lawn lemon light lime linen "
    "magenta maroon medium metallic midnight mint misty moccasin navajo navy olive orange orchid pale papaya peach "
    "peru pink plum powder puff purple red rose rosy royal saddle salmon sandy seashell sienna sky slate smoke snow "
    "spring steel tan thistle tomato turquoise violet wheat white yellow"
)
SIZES: Final = ("STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO")
FINISHES: Final = ("ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED")
METALS: Final = ("TIN", "NICKEL", "BRASS", "STEEL", "COPPER")
PACKS: Final = ("SM", "LG", "MED", "JUMBO", "WRAP")
HOLDERS: Final = ("CASE", "BOX", "BAG", "JAR", "PKG", "PACK", "CAN", "DRUM")
SEGMENTS: Final = ("AUTOMOBILE", "BUILDING", "FURNITURE", "MACHINERY", "HOUSEHOLD")
PRIORITIES: Final = ("1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW")
INSTRUCTIONS: Final = ("DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN")
MODES: Final = ("REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB")
PROSE: Final = listed(
    "accounts packages deposits requests ideas theodolites pinto beans instructions dependencies excuses platelets "
    "asymptotes courts dolphins multipliers warhorses sheaves carefully quickly furiously slyly blithely express final "
    "special pending regular even bold silent ironic unusual sleep wake haggle nag use boost detect integrate among"
)

START: Final = np.datetime64("1992-01-01").astype(np.int64)
"""Days since 1970 of the first order."""
ORDER_DAYS: Final = int((np.datetime64("1998-08-02") - np.datetime64("1992-01-01")).astype(np.int64)) + 1
TODAY: Final = (date(1995, 6, 17) - date(1970, 1, 1)).days
"""The day before which what was received is returned or accepted, and what was shipped is final."""

LINES_MAX: Final = 7
SUPPLIERS_OF_PART: Final = 4
GENERATION_BITS: Final = 24
"""Of the 64 bits from which an order's numbers are drawn, its generation has these."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How many of each there are: 1.0 is a gigabyte of text."""

    factor: float

    def count(self, at_one: int) -> int:
        return max(1, round(at_one * self.factor))

    @property
    def suppliers(self) -> int:
        return max(SUPPLIERS_OF_PART, self.count(10_000))

    @property
    def parts(self) -> int:
        return self.count(200_000)

    @property
    def customers(self) -> int:
        return self.count(150_000)

    @property
    def orders(self) -> int:
        return self.count(1_500_000)


def _columns(text: str) -> tuple[Column, ...]:
    kinds = {"i": types.BIGINT, "n": types.INTEGER, "d": types.NUMERIC, "t": types.TEXT, "day": types.DATE}
    pairs = (word.split(":") for word in text.split())
    return tuple(Column(name, kinds[kind], nullable=False) for name, kind in pairs)


TABLES: Final[Mapping[str, tuple[Column, ...]]] = {
    "region": _columns("r_regionkey:i r_name:t r_comment:t"),
    "nation": _columns("n_nationkey:i n_name:t n_regionkey:i n_comment:t"),
    "supplier": _columns("s_suppkey:i s_name:t s_address:t s_nationkey:i s_phone:t s_acctbal:d s_comment:t"),
    "part": _columns(
        "p_partkey:i p_name:t p_mfgr:t p_brand:t p_type:t p_size:n p_container:t p_retailprice:d p_comment:t"
    ),
    "partsupp": _columns("ps_partkey:i ps_suppkey:i ps_availqty:n ps_supplycost:d ps_comment:t"),
    "customer": _columns(
        "c_custkey:i c_name:t c_address:t c_nationkey:i c_phone:t c_acctbal:d c_mktsegment:t c_comment:t"
    ),
    "orders": _columns(
        "o_orderkey:i o_custkey:i o_orderstatus:t o_totalprice:d o_orderdate:day o_orderpriority:t o_clerk:t "
        "o_shippriority:n o_comment:t"
    ),
    "lineitem": _columns(
        "l_orderkey:i l_partkey:i l_suppkey:i l_linenumber:n l_quantity:d l_extendedprice:d l_discount:d l_tax:d "
        "l_returnflag:t l_linestatus:t l_shipdate:day l_commitdate:day l_receiptdate:day l_shipinstruct:t l_shipmode:t "
        "l_comment:t"
    ),
}
KEYS: Final[Mapping[str, tuple[int, ...]]] = {
    "region": (0,), "nation": (0,), "supplier": (0,), "part": (0,), "partsupp": (0, 1), "customer": (0,),
    "orders": (0,), "lineitem": (0, 3),
}  # fmt: skip


def _table(name: str, *columns: object) -> pa.Table:
    return pa.table(list(columns), names=[column.name for column in TABLES[name]])


def _prose(key: Keys, what: int) -> pa.Array:
    return words(key, what, PROSE, 5)


def _phone(nation: Keys, key: Keys, what: int) -> pa.Array:
    digits = [between(key, what + i, 10 ** (n - 1), 10**n - 1) for i, n in enumerate((3, 3, 4))]
    return joined([pa.array(part) for part in (nation + 10, *digits)], "-")


def _days(days: Keys) -> pa.Array:
    return pa.array(days.astype(np.int32), pa.int32()).cast(pa.date32())


def region(keys: Keys, scale: Scale) -> pa.Table:
    """Keys 0..4."""
    return _table("region", keys, chosen(keys, REGIONS), _prose(keys, 100))


def nation(keys: Keys, scale: Scale) -> pa.Table:
    """Keys 0..24."""
    regions = np.array([region for _, region in NATIONS])[keys]
    return _table("nation", keys, chosen(keys, [name for name, _ in NATIONS]), regions, _prose(keys, 110))


def supplier(keys: Keys, scale: Scale) -> pa.Table:
    """Keys 1..scale.suppliers."""
    where = draw(keys, 120, 25)
    told = draw(keys, 121, 2000)  # 5 of 10,000 have complaints, and 5 recommendations
    said = pa.array(
        np.array(["", "Customer slow Complaints ", "Customer sure Recommends "])[np.where(told < 2, told + 1, 0)]
    )
    comment = joined([said, _prose(keys, 122)], "")
    return _table(
        "supplier", keys, numbered("Supplier#", keys, 9), numbered("address ", draw(keys, 130, 10**9), 9), where,
        _phone(where, keys, 131), decimal(between(keys, 135, -99_999, 999_999)), comment,
    )  # fmt: skip


def retail_price(part: Keys) -> Keys:
    """In hundredths."""
    return 90_000 + part // 10 % 20_001 + 100 * (part % 1_000)


def part(keys: Keys, scale: Scale) -> pa.Table:
    """Keys 1..scale.parts."""
    maker = between(keys, 140, 1, 5)
    kinds = [pick(keys, 150 + i, names) for i, names in enumerate((SIZES, FINISHES, METALS))]
    packs = [pick(keys, 153 + i, names) for i, names in enumerate((PACKS, HOLDERS))]
    return _table(
        "part", keys, words(keys, 160, COLORS, 5), numbered("Manufacturer#", maker, 1),
        numbered("Brand#", maker * 10 + between(keys, 141, 1, 5), 2), joined(kinds, " "),
        between(keys, 142, 1, 50), joined(packs, " "), decimal(retail_price(keys)),
        _prose(keys, 170),
    )  # fmt: skip


def supplier_of(part: Keys, which: Keys | int, scale: Scale) -> Keys:
    """The supplier number `which` (0..3) of a part: four different ones at every scale, other ones for other parts."""
    count = scale.suppliers
    return (part + (part - 1) // count + which * (count // SUPPLIERS_OF_PART)) % count + 1


def partsupp(keys: Keys, scale: Scale) -> pa.Table:
    """Keys 0..4 * scale.parts - 1: four suppliers for each part."""
    of, which = keys // SUPPLIERS_OF_PART + 1, keys % SUPPLIERS_OF_PART
    cost = decimal(between(keys, 181, 100, 100_000))
    return _table("partsupp", of, supplier_of(of, which, scale), between(keys, 180, 1, 9_999), cost, _prose(keys, 182))


def customer(keys: Keys, scale: Scale) -> pa.Table:
    """Keys 1..scale.customers."""
    where = draw(keys, 190, 25)
    return _table(
        "customer", keys, numbered("Customer#", keys, 9), numbered("address ", draw(keys, 191, 10**9), 9), where,
        _phone(where, keys, 192), decimal(between(keys, 196, -99_999, 999_999)), pick(keys, 197, SEGMENTS),
        _prose(keys, 198),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of orders, an order's together and in the order of the orders; money in hundredths."""

    order: NDArray[np.intp]
    number: Keys
    seed: Keys
    part: Keys
    quantity: Keys
    price: Keys
    discount: Keys
    tax: Keys
    ordered: Keys
    shipped: Keys
    received: Keys


def seeds(keys: Keys, generation: int | Keys) -> Keys:
    return (keys << GENERATION_BITS) + generation


def order_days(seed: Keys) -> Keys:
    return START + draw(seed, 200, ORDER_DAYS)


def lines(keys: Keys, generation: int | Keys, scale: Scale) -> Lines:
    """The one to seven lines of each order."""
    seed = seeds(keys, generation)
    count = between(seed, 201, 1, LINES_MAX)
    order = np.repeat(np.arange(len(keys)), count)
    number = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count) + 1
    own = seed[order] * (LINES_MAX + 1) + number
    of = 1 + draw(own, 202, scale.parts)
    quantity = between(own, 203, 1, 50)
    ordered = order_days(seed)[order]
    shipped = ordered + between(own, 204, 1, 121)
    return Lines(
        order, number, own, of, quantity, quantity * retail_price(of), draw(own, 205, 11), draw(own, 206, 9), ordered,
        shipped, shipped + between(own, 207, 1, 30),
    )  # fmt: skip


def order_key(index: Keys) -> Keys:
    """The key of order 0, 1, ...: the first eight of every thirty-two are in use."""
    return index // 8 * 32 + index % 8 + 1


def orders(keys: Keys, scale: Scale, generation: int | Keys = 0) -> pa.Table:
    """Keys are `order_key` of 0..scale.orders - 1. Every third customer has no orders."""
    seed = seeds(keys, generation)
    own = lines(keys, generation, scale)
    starts = np.flatnonzero(np.diff(own.order, prepend=-1))
    total = np.add.reduceat(own.price * (100 + own.tax) * (100 - own.discount) // 10_000, starts) if len(keys) else keys
    final = np.add.reduceat((own.shipped <= TODAY).astype(np.int64), starts) if len(keys) else keys
    count = np.bincount(own.order, minlength=len(keys))
    status = np.where(final == count, 0, np.where(final == 0, 1, 2))
    buyer = draw(seed, 210, max(1, scale.customers // 3 * 2))
    comment = _prose(seed, 215)
    asks = pa.array(draw(seed, 216, 100) == 0)
    comment = call_function("if_else", [asks, joined([comment, "special packages requests"], " "), comment])
    return _table(
        "orders", keys, buyer // 2 * 3 + buyer % 2 + 1, chosen(status, ("F", "O", "P")), decimal(total),
        _days(order_days(seed)), pick(seed, 211, PRIORITIES),
        numbered("Clerk#", between(seed, 212, 1, scale.count(1_000)), 9), np.zeros(len(keys), np.int32), comment,
    )  # fmt: skip


def lineitem(keys: Keys, scale: Scale, generation: int | Keys = 0) -> pa.Table:
    """The lines of the orders with these keys."""
    own = lines(keys, generation, scale)
    returned = np.where(own.received <= TODAY, draw(own.seed, 220, 2), 2)
    return _table(
        "lineitem", keys[own.order], own.part, supplier_of(own.part, draw(own.seed, 221, SUPPLIERS_OF_PART), scale),
        own.number, decimal(own.quantity * 100), decimal(own.price), decimal(own.discount), decimal(own.tax),
        chosen(returned, ("R", "A", "N")), chosen((own.shipped > TODAY).astype(np.int64), ("F", "O")),
        _days(own.shipped), _days(own.ordered + between(own.seed, 222, 30, 90)), _days(own.received),
        pick(own.seed, 223, INSTRUCTIONS), pick(own.seed, 224, MODES), words(own.seed, 225, PROSE, 3),
    )  # fmt: skip


STATIC: Final[Mapping[str, tuple[Callable[[Keys, Scale], pa.Table], Callable[[Scale], tuple[int, int]]]]] = {
    "region": (region, lambda scale: (0, 5)),
    "nation": (nation, lambda scale: (0, 25)),
    "supplier": (supplier, lambda scale: (1, scale.suppliers + 1)),
    "part": (part, lambda scale: (1, scale.parts + 1)),
    "partsupp": (partsupp, lambda scale: (0, scale.parts * SUPPLIERS_OF_PART)),
    "customer": (customer, lambda scale: (1, scale.customers + 1)),
}
"""The tables that never change: how to make rows of keys, and from which key to before which."""


def static(name: str, scale: Scale) -> pa.Table:
    """All rows of a table that is neither orders nor lineitem."""
    make, keys = STATIC[name]
    return make(np.arange(*keys(scale)), scale)
