"""Timelines: what the times of a relation are times of. Relations of two of them are not read together.

Law    all relations that a query reads, through whatever views, are of one timeline. A source is of the clock's unless
       it says WITH (timeline = 'name'), which it shares with those that say the same, or epoch_ms_timeline = false,
       which is its own; what a source feeds is of the source's, a view of that of what it reads. Tables and system
       relations are of the clock's; constants of none.

As there is one clock, all of them could be read together; that two of them say nothing of each other is a fact of the
upstream, that whoever makes the sources knows.
"""

from collections.abc import Mapping
from typing import Final

from engine.catalog.items import Item, Source, SystemRelation, Table, below

CLOCK: Final = "EpochMilliseconds"
"""The timeline of the clock, in Materialize's words, as the others are."""

OWN: Final = ""
"""What Source.timeline is of a source that shares its timeline with nobody."""


def timeline_of(item: Item, items: Mapping[int, Item]) -> str | None:
    """The timeline of an item of the catalog `items`; None: it reads nothing. By the law above the first source or
    table beneath it tells: O(items beneath it that read none)."""
    for found in below(items, [item.id]):
        match found:
            case Source(timeline=None) | Table() | SystemRelation():
                return CLOCK
            case Source(timeline=name) as source:
                return f"User.{name}" if name else f"External.{source.name}"
            case _:
                pass
    return None
