"""Nexmark's stream of an auction house as functions of event numbers: persons, auctions and bids as Arrow columns.

Law: an event is a function of its number alone. Of every fifty events the first is a person, the next three are
auctions, the others bids; they are 100 microseconds of event time apart. A bid or an auction refers to what came before
it, mostly to the hottest of late.
From   Tucker, Tufte, Papadimos and Maier, "NEXMark: a benchmark for queries over data streams", 2002, with the
       proportions, hot ratios and ranges that its descendants in Beam and Flink have by default.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from engine import types
from engine.connectors.dice import Keys, between, chosen, draw, joined, pick, words
from engine.types import Column

EPOCH: Final = 50
"""Events in which there is one person and ..."""
AUCTIONS: Final = 3
"""... so many auctions; the others are bids."""
BIDS: Final = EPOCH - 1 - AUCTIONS

START_US: Final = 1_700_000_000_000_000
"""Microseconds since 1970 of event 0."""
EVENT_US: Final = 100

FIRST_ID: Final = 1_000
"""The id of the first person and of the first auction."""
HOT: Final = 100
"""Of so many persons or auctions one is the hot one for those that come next."""
ACTIVE_PERSONS: Final = 1_000
ACTIVE_AUCTIONS: Final = 100
FIRST_CATEGORY: Final = 10
CATEGORIES: Final = 5
COLD_CHANNELS: Final = 10_000
STRETCH_US: Final = 2 * ACTIVE_AUCTIONS * EPOCH // AUCTIONS * EVENT_US
"""The longest that an auction is open."""

FIRST_NAMES: Final = ("Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter")
LAST_NAMES: Final = ("Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris")
STATES: Final = ("AZ", "CA", "ID", "OR", "WA", "WY")
CITIES: Final = (
    "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne",
)  # fmt: skip
CHANNELS: Final = ("Google", "Facebook", "Baidu", "Apple")
SYLLABLES: Final = (
    "ba",
    "co",
    "di",
    "fu",
    "ga",
    "ho",
    "ki",
    "lu",
    "ma",
    "no",
    "pi",
    "qu",
    "ra",
    "so",
    "tu",
    "ve",
    "wi",
)

TEXTS: Final = 20_000
"""Different values of `extra`."""


def _columns(text: str) -> tuple[Column, ...]:
    kinds = {"i": types.BIGINT, "t": types.TEXT, "at": types.TIMESTAMP}
    pairs = (word.split(":") for word in text.split())
    return tuple(Column(name, kinds[kind], nullable=False) for name, kind in pairs)


TABLES: Final[Mapping[str, tuple[Column, ...]]] = {
    "person": _columns("id:i name:t email_address:t credit_card:t city:t state:t date_time:at extra:t"),
    "auction": _columns(
        "id:i item_name:t description:t initial_bid:i reserve:i date_time:at expires:at seller:i category:i extra:t"
    ),
    "bid": _columns("auction:i bidder:i price:i channel:t url:t date_time:at extra:t"),
}


def _table(name: str, *columns: object) -> pa.Table:
    return pa.table(list(columns), names=[column.name for column in TABLES[name]])


def _times(us: Keys) -> pa.Array:
    """Of event time, in whole milliseconds."""
    return pa.array(us // 1000, pa.timestamp("ms"))


def _extra(event: Keys, what: int) -> pa.DictionaryArray:
    values = words(np.arange(TEXTS), 300, SYLLABLES, 16, "")
    return pa.DictionaryArray.from_arrays(pa.array(draw(event, what, TEXTS), pa.int32()), values)


def price(event: Keys, what: int) -> Keys:
    """In cents, from a dollar to a million, as many below as above a thousand."""
    return np.round(10.0 ** (draw(event, what, 1 << 30) / float(1 << 30) * 6) * 100).astype(np.int64)


def persons_until(event: Keys) -> Keys:
    """How many persons there are when the event happens."""
    return event // EPOCH + 1


def auctions_until(event: Keys) -> Keys:
    """How many auctions there are when the event happens."""
    return event // EPOCH * AUCTIONS + np.clip(event % EPOCH, 0, AUCTIONS)


def someone(event: Keys, what: int, hot_share: int, hot_place: int) -> Keys:
    """A person of late: in all but one of `hot_share` cases the hot one."""
    known = persons_until(event)
    active = np.minimum(known, ACTIVE_PERSONS)
    cold = known - active + draw(event, what, active)
    hot = np.minimum((known - 1) // HOT * HOT + hot_place, known - 1)
    return FIRST_ID + np.where(draw(event, what + 1, hot_share) > 0, hot, cold)


def person(index: Keys) -> pa.Table:
    """Persons 0, 1, 2, ... of the stream."""
    event = index * EPOCH
    mail = joined([words(event, 310, SYLLABLES, 3, ""), words(event, 320, SYLLABLES, 2, "")], "@")
    card = joined([pa.array(between(event, 330 + i, 1_000, 9_999)) for i in range(4)], " ")
    return _table(
        "person", FIRST_ID + index, joined([pick(event, 340, FIRST_NAMES), pick(event, 341, LAST_NAMES)], " "),
        joined([mail, "com"], "."), card, pick(event, 342, CITIES), pick(event, 343, STATES),
        _times(START_US + event * EVENT_US), _extra(event, 344),
    )  # fmt: skip


def auction(index: Keys) -> pa.Table:
    """Auctions 0, 1, 2, ... of the stream."""
    event = index // AUCTIONS * EPOCH + 1 + index % AUCTIONS
    at = START_US + event * EVENT_US
    first = price(event, 350)
    return _table(
        "auction", FIRST_ID + index, words(event, 360, SYLLABLES, 5, ""), words(event, 370, SYLLABLES, 20, ""), first,
        first + price(event, 351), _times(at), _times(at + 1_000 + draw(event, 352, STRETCH_US)),
        someone(event, 353, 4, 0), FIRST_CATEGORY + draw(event, 355, CATEGORIES), _extra(event, 356),
    )  # fmt: skip


def bid(index: Keys) -> pa.Table:
    """Bids 0, 1, 2, ... of the stream."""
    event = index // BIDS * EPOCH + 1 + AUCTIONS + index % BIDS
    known = auctions_until(event)
    active = np.minimum(known, ACTIVE_AUCTIONS)
    hot = (known - 1) // HOT * HOT
    on = np.where(draw(event, 401, 2) > 0, hot, known - active + draw(event, 400, active))
    where = np.where(draw(event, 402, 2) > 0, draw(event, 403, 4), 4 + draw(event, 404, COLD_CHANNELS))
    return _table(
        "bid", FIRST_ID + on, someone(event, 405, 4, 1), price(event, 407), chosen(where, _channels()),
        pa.DictionaryArray.from_arrays(pa.array(where, pa.int32()), _urls()), _times(START_US + event * EVENT_US),
        _extra(event, 408),
    )  # fmt: skip


def _channels() -> tuple[str, ...]:
    return (*CHANNELS, *(f"channel-{i}" for i in range(COLD_CHANNELS)))


def _urls() -> pa.Array:
    """A page for each channel; those of cold channels say their number."""
    each = np.arange(len(CHANNELS) + COLD_CHANNELS)
    folders = [words(each, 410 + 3 * i, SYLLABLES, 3, "") for i in range(3)]
    page = joined(["https://www.nexmark.com", *folders, "item.htm?query=1"], "/")
    number = np.where(each < len(CHANNELS), "", np.char.add("&channel_id=", (each * 7919 % 100_003).astype(np.str_)))
    return joined([page, pa.array(number)], "")


def count(table: str, events: int) -> int:
    """How many rows of a table are among the first `events` events."""
    last = np.array([events - 1])
    persons, auctions = int(persons_until(last)[0]), int(auctions_until(last)[0])
    return {"person": persons, "auction": auctions, "bid": events - persons - auctions}[table]
