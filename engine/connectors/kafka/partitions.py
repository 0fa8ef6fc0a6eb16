"""The partitions of a topic: whose they are, where reading begins, how far it is.

Offsets that the log keeps are called "partition@topic id": a topic that was deleted and made again is read from its
beginning, and nothing of the old one is taken for the new one's.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.connectors.feed import Progress

SEEN: Final = "seen"
"""What the offsets of deduplication are called: "seen/partition@topic id/i" is the i-th number of what was seen."""

READ: Final = "read"
"""What an offset is called that was read up to, where reading goes on from before it: "read/partition@topic id"."""

OVER: Final = "over"
"""What it is called that a partition is past the range of its deduplication: "over/partition@topic id"."""


def owner(source: int, partition: int, workers: int) -> int:
    """The worker that reads a partition: the same in every process and for ever, and nobody has to be asked."""
    digest = hashlib.blake2b(f"{source}/{partition}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % workers


@dataclass(slots=True)
class Partition:
    """One partition being read. `next` is the offset to be asked for, which may be ahead of what was decoded."""

    number: int
    leader: int
    next: int
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.progress = Progress(str(self.number), position=self.next)


def name_of(partition: int, topic_id: str) -> str:
    """What the log calls a partition."""
    return f"{partition}@{topic_id}"


def kept_offsets(offsets: Mapping[str, int], topic_id: str) -> dict[int, int]:
    """The offsets that the log has of this very topic."""
    found: dict[int, int] = {}
    for name, at in offsets.items():
        partition, _, id = name.partition("@")
        if id == topic_id and partition.isdecimal():
            found[int(partition)] = at
    return found


def kept_named(word: str, offsets: Mapping[str, int], topic_id: str) -> dict[int, int]:
    """What is kept under the word, of this very topic by partition."""
    named = {name.removeprefix(f"{word}/"): at for name, at in offsets.items() if name.startswith(f"{word}/")}
    return kept_offsets(named, topic_id)


def kept_seen(offsets: Mapping[str, int], topic_id: str) -> dict[int, tuple[int, ...]]:
    """How far deduplication was, by partition (debezium.Seen.written); numbers of an earlier time may follow."""
    found: dict[int, dict[int, int]] = {}
    for name, value in offsets.items():
        word, _, rest = name.partition("/")
        partition, _, tail = rest.partition("@")
        id, _, index = tail.partition("/")
        if word == SEEN and id == topic_id:
            found.setdefault(int(partition), {})[int(index)] = value
    return {partition: tuple(parts[i] for i in sorted(parts)) for partition, parts in found.items()}


def seen_offsets(partition: int, written: Sequence[int], topic_id: str) -> dict[str, int]:
    """The same as the log keeps it."""
    return {f"{SEEN}/{name_of(partition, topic_id)}/{index}": number for index, number in enumerate(written)}
