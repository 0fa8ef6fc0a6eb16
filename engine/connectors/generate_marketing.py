"""MARKETING: Materialize's six tables of an advertiser. Each tick shows one advertisement to one customer.

Of ten impressions one is clicked, of five one makes a lead; a lead has a prediction at once, some get a coupon, and
some convert, which changes the lead's row. What follows an impression comes a number of ticks later that is its own.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from engine.catalog.sources import GeneratorSource
from engine.connectors.dice import between, chosen, draw, joined, numbered
from engine.connectors.generated import Change, Clock, Table, Ticks, columns, inserted, times

CUSTOMERS: Final = 1_000
CAMPAIGNS: Final = 10
CLICKED, LEADS, WITH_COUPON, CONVERTED = 10, 5, 4, 3
"""Of so many one."""
DELAY_MAX: Final = 30
"""Ticks from an impression to whatever follows from it, at most."""

MARKETING: Final = {
    "customers": columns("id:bigint email:text income:bigint"),
    "impressions": columns("id:bigint customer_id:bigint campaign_id:bigint impression_time:timestamptz"),
    "clicks": columns("impression_id:bigint click_time:timestamptz"),
    "leads": columns(
        "id:bigint customer_id:bigint created_at:timestamptz converted_at:timestamptz? conversion_amount:bigint?"
    ),
    "coupons": columns("id:bigint lead_id:bigint created_at:timestamptz amount:bigint"),
    "conversion_predictions": columns("lead_id:bigint experiment_bucket:text predicted_at:timestamptz score:double"),
}


class Marketing:
    """See generated.Generator. A lead, its coupon and its prediction have the number of their impression."""

    rows_per_tick = 2

    def __init__(self, description: GeneratorSource, clock: Clock) -> None:
        self._clock = clock
        keys = {"clicks": ((0,),), "conversion_predictions": ((0,),)}
        self.tables = {name: Table(of, name != "leads", keys.get(name, ((0,),))) for name, of in MARKETING.items()}

    def begin(self) -> Iterator[Mapping[str, pa.Table]]:
        """The customers."""
        ids = np.arange(CUSTOMERS)
        mail = joined([numbered("customer", ids + 1, 1), "@example.com"], "")
        yield {"customers": self.tables["customers"].of(ids + 1, mail, between(ids, 10, 20_000, 200_000))}

    def ticks(self, begin: int, end: int) -> Mapping[str, Change]:
        """An impression a tick, and what follows from earlier ones."""
        tables, now = self.tables, np.arange(begin, end)
        clicks = due(begin, end, 21, CLICKED)
        leads = due(begin, end, 22, LEADS)
        coupons = follow(begin, end, 23, WITH_COUPON)
        converted = follow(begin, end, 24, CONVERTED)
        at = self._clock.us
        change = pa.concat_tables([self._leads(leads, False), *(self._leads(converted, now) for now in (False, True))])
        diffs = np.repeat(np.array([1, -1, 1], np.int64), [len(leads), len(converted), len(converted)])
        rows = {
            "impressions": (now + 1, customer(now), draw(now, 12, CAMPAIGNS) + 1, times(at(now))),
            "clicks": (clicks + 1, times(at(clicks + delay(clicks, 21)))),
            "coupons": (
                coupons + 1, coupons + 1, times(at(coupons + after_lead(coupons, 23))), between(coupons, 25, 1, 100)
            ),
            "conversion_predictions": (
                leads + 1, chosen(draw(leads, 26, 2), ("control", "experiment")), times(at(leads + delay(leads, 22))),
                draw(leads, 27, 1000) / 1000.0,
            ),
        }  # fmt: skip
        return {"leads": (change, diffs)} | {name: inserted(tables[name].of(*of)) for name, of in rows.items()}

    def _leads(self, of: Ticks, converted: bool) -> pa.Table:
        """The rows of leads before or after they convert."""
        at = times(self._clock.us(of + after_lead(of, 24)))
        amount = pa.array(between(of, 28, 10, 10_000))
        if not converted:
            at, amount = pa.nulls(len(of), at.type), pa.nulls(len(of), amount.type)
        return self.tables["leads"].of(of + 1, customer(of), times(self._clock.us(of + delay(of, 22))), at, amount)


def customer(impression: Ticks) -> Ticks:
    """Who saw it."""
    return draw(impression, 11, CUSTOMERS) + 1


def delay(impression: Ticks, what: int) -> Ticks:
    """Ticks until something follows: 0 .. DELAY_MAX - 1."""
    return draw(impression, what + 100, DELAY_MAX)


def due(begin: int, end: int, what: int, one_of: int) -> Ticks:
    """The impressions from which it follows, and that in the ticks begin .. end - 1."""
    all_ = np.arange(max(0, begin - DELAY_MAX), end)
    at = all_ + delay(all_, what)
    return all_[(draw(all_, what, one_of) == 0) & (at >= begin) & (at < end)]


def after_lead(impression: Ticks, what: int) -> Ticks:
    """Ticks until something follows from the lead of an impression: one at least after the lead."""
    return delay(impression, 22) + 1 + delay(impression, what)


def follow(begin: int, end: int, what: int, one_of: int) -> Ticks:
    """The impressions whose lead it follows from, and that in the ticks begin .. end - 1."""
    all_ = np.arange(max(0, begin - 2 * DELAY_MAX), end)
    at = all_ + after_lead(all_, what)
    return all_[(draw(all_, 22, LEADS) == 0) & (draw(all_, what, one_of) == 0) & (at >= begin) & (at < end)]
