"""How far each file of a source was read, as offsets that the log keeps with the rows of the same tick.

A file has a number in its source, n; its offsets are "what#n". Which file of those that are there it is, is found out
by its id (its inode, or the digest of an object's name, size and time) and by its bytes: see parts.Part.resume.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engine.connectors.files.parts import Reached

POSITION, RECORDS, FIRST, LAST, ID, DONE = "position", "records", "first", "last", "id", "done"
PLACES: Final = (POSITION, RECORDS, FIRST, LAST)


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that was read before. `done`: to its end, and it never grows."""

    number: int
    reached: Reached
    done: bool


def name_of(number: int, what: str = POSITION) -> str:
    """What the log calls it."""
    return f"{what}#{number}"


def offsets_of(file: Kept, id: int) -> dict[str, int]:
    """What the log is to keep of a file."""
    at, number = file.reached, file.number
    return {
        name_of(number, ID): id, name_of(number, POSITION): at.position, name_of(number, RECORDS): at.records,
        name_of(number, FIRST): at.first, name_of(number, LAST): at.last, name_of(number, DONE): int(file.done),
    }  # fmt: skip


def files_in(offsets: Mapping[str, int]) -> dict[int, list[Kept]]:
    """The files that the log knows, by id, of an id the latest last."""
    found: dict[int, list[Kept]] = {}
    for name, id in offsets.items():
        what, _, text = name.partition("#")
        if what == ID:
            number = int(text)
            at = Reached(*(offsets[name_of(number, place)] for place in PLACES))
            found.setdefault(id, []).append(Kept(number, at, offsets[name_of(number, DONE)] > 0))
    for each in found.values():
        each.sort(key=lambda kept: kept.number)
    return found
