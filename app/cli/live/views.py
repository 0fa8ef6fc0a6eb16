"""The SQL of the demo: two sources, three materialized views over them, and what the screen asks of each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCES: Final = (
    "CREATE SOURCE auction_house FROM LOAD GENERATOR AUCTION (TICK INTERVAL '100ms') FOR ALL TABLES",
    """CREATE SOURCE orders (id bigint, region text, item text, quantity bigint, price numeric, placed bigint)
FROM FILE '{path}' WITH (tail = true) FORMAT JSON""",
)


@dataclass(frozen=True, slots=True)
class View:
    """A materialized view, and the query that its table on the screen shows."""

    name: str
    title: str
    definition: str
    query: str
    columns: tuple[str, ...]
    key: int
    """How many of the first columns tell which row is which."""


VIEWS: Final = (
    View(
        "large_orders",
        "large_orders: a filter over the file",
        "SELECT id, region, item, quantity * price AS total FROM orders WHERE quantity * price > 500",
        "SELECT id, region, item, total FROM large_orders ORDER BY id DESC LIMIT 10",
        ("id", "region", "item", "total"),
        key=1,
    ),
    View(
        "bids_by_item",
        "bids_by_item: a join, aggregated",
        """SELECT a.item, count(*) AS bids, max(b.amount) AS highest, sum(b.amount) AS total
FROM auctions a JOIN bids b ON b.auction_id = a.id GROUP BY a.item""",
        "SELECT item, bids, highest, total FROM bids_by_item ORDER BY bids DESC, item LIMIT 10",
        ("item", "bids", "highest", "total"),
        key=1,
    ),
    View(
        "top_orders",
        "top_orders: the ten largest orders of each region (the first three shown)",
        """SELECT r.region, o.id, o.item, o.total
FROM (SELECT DISTINCT region FROM orders) r,
LATERAL (
    SELECT id, item, quantity * price AS total FROM orders WHERE region = r.region ORDER BY total DESC, id LIMIT 10
) o""",
        "SELECT region, total, id, item FROM top_orders ORDER BY region, total DESC, id",
        ("region", "total", "id", "item"),
        key=0,
    ),
)

FRESHNESS: Final = "SUBSCRIBE (SELECT count(*), max(placed) FROM orders) WITH (SNAPSHOT = true)"
"""How many orders have arrived, and when (in ms since 1970) the newest of them was written."""

ROWS: Final = "SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM bids)"


def statements(orders: Path) -> list[str]:
    """All that the demo creates, in order, tailing `orders`."""
    path = str(orders).replace("'", "''")
    views = [f"CREATE MATERIALIZED VIEW {view.name} AS\n{view.definition}" for view in VIEWS]
    return [source.format(path=path) for source in SOURCES] + views
