"""AUCTION: Materialize's five tables of an auction house. Each tick opens one auction, with one to ten bids."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from engine.catalog.sources import GeneratorSource
from engine.connectors.dice import between, draw, pick
from engine.connectors.generated import Change, Clock, Table, columns, times, window

ORGANIZATIONS, USERS = 100, 1_000
BIDS_MAX: Final = 10
AUCTION_US: Final = 10_000_000
"""How long an auction is open."""
BID_US: Final = 100_000
"""Between two bids for the same."""

ITEMS: Final = (
    "Signed Memorabilia", "City Bar Crawl", "Best Pizza in Town", "Gift Basket", "Custom Art", "Vintage Radio",
    "Concert Tickets", "Mountain Bike", "Rare Stamp", "Antique Clock",
)  # fmt: skip
TRADES: Final = ("Foods", "Motors", "Labs", "Partners", "Press", "Textiles", "Energy", "Logistics", "Studios", "Bank")
NAMES: Final = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Tony", "Leslie", "Radia", "Dennis")

AUCTION: Final = {
    "organizations": columns("id:bigint name:text"),
    "users": columns("id:bigint org_id:bigint name:text"),
    "accounts": columns("id:bigint org_id:bigint balance:bigint"),
    "auctions": columns("id:bigint seller:bigint item:text end_time:timestamptz"),
    "bids": columns("id:bigint buyer:bigint auction_id:bigint amount:int bid_time:timestamptz"),
}


class Auction:
    """See generated.Generator. MAX CARDINALITY is of auctions; a bid goes with its auction."""

    rows_per_tick = 7

    def __init__(self, description: GeneratorSource, clock: Clock) -> None:
        self._clock, self._live = clock, description.max_cardinality
        self.tables = {
            name: Table(of, self._live is None or name not in ("auctions", "bids"), ((0,),))
            for name, of in AUCTION.items()
        }

    def begin(self) -> Iterator[Mapping[str, pa.Table]]:
        """The tables that do not change."""
        orgs, users = np.arange(ORGANIZATIONS), np.arange(USERS)
        companies = [f"{NAMES[i // 10]} {TRADES[i % 10]}" for i in orgs.tolist()]
        people = [f"{NAMES[i % 10]} {i // 10 + 1}" for i in users.tolist()]
        yield {
            "organizations": self.tables["organizations"].of(orgs + 1, companies),
            "users": self.tables["users"].of(users + 1, draw(users, 6, ORGANIZATIONS) + 1, people),
            "accounts": self.tables["accounts"].of(orgs + 1, orgs + 1, draw(orgs, 7, 100_000)),
        }

    def ticks(self, begin: int, end: int) -> Mapping[str, Change]:
        """An auction a tick, and its bids."""
        ticks, diffs = window(begin, end, self._live)
        opened = self._clock.us(ticks)
        auctions = self.tables["auctions"].of(
            ticks + 1, draw(ticks, 1, USERS) + 1, pick(ticks, 2, ITEMS), times(opened + AUCTION_US)
        )
        count = between(ticks, 3, 1, BIDS_MAX)
        auction = np.repeat(ticks, count)
        nth = np.arange(len(auction)) - np.repeat(np.cumsum(count) - count, count)
        serial = auction * BIDS_MAX + nth
        bids = self.tables["bids"].of(
            serial + 1, draw(serial, 4, USERS) + 1, auction + 1, draw(serial, 5, 100) + 1,
            times(np.repeat(opened, count) + nth * BID_US),
        )  # fmt: skip
        return {"auctions": (auctions, diffs), "bids": (bids, np.repeat(diffs, count))}
