"""CREATE SOURCE ... FROM LOAD GENERATOR: which kind takes which options."""

from typing import Final

from engine.catalog.sources import Append, Envelope, GeneratorSource, Upsert
from engine.errors import InvalidParameter, SyntaxError_, Unsupported
from engine.sql.binding.source_options import Options
from engine.sql.statement.connectors import FromGenerator

TICK_MS: Final = 1000
"""How often a load generator ticks unless TICK INTERVAL says otherwise."""

TICK_MS_MAX: Final = 365 * 86_400_000
MANY: Final = (1 << 62) - 1
VALUE_BYTES_MAX: Final = 1 << 20

SEVERAL: Final = ("auction", "marketing", "tpch", "nexmark")
"""Kinds with more than one table."""
KINDS: Final = (*SEVERAL, "counter", "key value")


def generator(connector: FromGenerator, options: Options, envelope: Envelope) -> GeneratorSource:
    """The description; InvalidParameter for options that are wrong or that the kind does not have."""
    kind = connector.kind
    if kind not in KINDS:
        raise Unsupported(
            f"there is no load generator {kind.upper()}", hint=f"There are {', '.join(KINDS).upper()}.",
            position=connector.at,
        )  # fmt: skip
    if kind in SEVERAL and not connector.for_all_tables:
        raise SyntaxError_(
            f"load generator {kind.upper()} has several tables", hint="Add FOR ALL TABLES.", position=connector.at
        )
    if not isinstance(envelope, Append) and not (kind == "key value" and isinstance(envelope, Upsert)):
        raise Unsupported("the only envelope of load generators is UPSERT, of KEY VALUE", position=connector.at)
    given = options.milliseconds("tick interval", TICK_MS_MAX)
    tick_ms = TICK_MS if given is None else given
    as_of = options.integer("as of", 0, MANY) or 0
    up_to = options.integer("up to", 0, MANY)
    cardinality = options.integer("max cardinality", 1, MANY) if kind in ("counter", "auction") else None
    scale = (options.number("scale factor", 0) or 0.01) if kind == "tpch" else 0.01
    batch = options.integer("batch size", 1, 1_000_000) if kind in ("key value", "nexmark") else None
    if kind != "key value":
        options.done()
        return GeneratorSource(
            kind, tick_ms, cardinality, as_of, up_to, scale, batch or (50 if kind == "nexmark" else 1)
        )
    keys = options.integer("keys", 1, 1 << 40)
    if keys is None:
        raise InvalidParameter("load generator KEY VALUE needs KEYS", position=connector.at)
    described = GeneratorSource(
        kind, tick_ms, None, as_of, up_to, scale, batch or 1, keys,
        options.integer("partitions", 1, keys) or 1,
        options.integer("snapshot rounds", 1, 1_000) or 1,
        options.integer("value size", 1, VALUE_BYTES_MAX) or 16,
        options.integer("seed", 0, MANY) or 0,
        isinstance(envelope, Upsert),
    )  # fmt: skip
    options.take("transactional snapshot")  # a block of rows is always whole
    options.done()
    return described
