"""All that crosses a worker's boundary, as values: threads, Ray and sockets are shells around them.

A worker is a function of the commands it was given: no clock, no socket, no randomness inside.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.collection.batch import Batch
from engine.dataflow.graph import Mfp, Plan
from engine.dataflow.seeking import Seek
from engine.expr.scalar import Value
from engine.types import SqlType


@dataclass(frozen=True, slots=True)
class CreateCollection:
    """A collection fed from outside: a table, or a relation of a source. Append-only ones are kept as a log.

    One that `awaits` is complete from the tick on that says that it began: until then whoever reads it waits. Writes
    look for rows by `keys`, and by what is `computed` of them, so all of that is there before it has any.
    """

    id: int
    types: tuple[SqlType, ...]
    append_only: bool
    history_ms: int
    awaits: bool = False
    keys: tuple[tuple[int, ...], ...] = ()
    computed: tuple["Maintain", ...] = ()


@dataclass(frozen=True, slots=True)
class Maintain:
    """Keep the output of `plan` as collection `id`, arranged by each of `keys`. Hydrates in the background."""

    id: int
    plan: Plan
    keys: tuple[tuple[int, ...], ...]
    history_ms: int


@dataclass(frozen=True, slots=True)
class Arrange:
    """Index `id`: collection `on`, whose rows have `types`, arranged by `key`. Hydrates in the background."""

    id: int
    on: int
    types: tuple[SqlType, ...]
    key: tuple[int, ...]
    history_ms: int


@dataclass(frozen=True, slots=True)
class Drop:
    """Forget a collection or an index, and free what only it used."""

    id: int


@dataclass(frozen=True, slots=True)
class Retain:
    """Keep so much of the past of a collection or an index from now on."""

    id: int
    history_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """All that happens at `timestamp`: the deltas of fed collections by id. Compute, then publish.

    What `held` names stays readable: a tick that a transaction reads as of. `began` are collections that are complete
    from here on, `broken` those whose rows are not known any more, with the error ('<sqlstate> <message>') that whoever
    reads them gets, or that are known again (None). Each (collection, other) of `turned` is what the other is from here
    on, and the other no more.
    """

    timestamp: int
    deltas: dict[int, Batch]
    held: int | None = None
    began: frozenset[int] = frozenset()
    broken: Mapping[int, str | None] = field(default_factory=dict[int, str | None])
    turned: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Peek:
    """Run `plan` once over the contents at `timestamp` (None: the last tick). `seeks` say what of it can be found by
    key in collections that were so arranged when it was planned."""

    request: int
    plan: Plan
    timestamp: int | None = None
    seeks: tuple[Seek, ...] = ()


@dataclass(frozen=True, slots=True)
class Lookup:
    """The rows of collection `id` whose columns `key` equal one of `values`, through `mfp`.

    The collection is arranged by `key`. Each of `values` has one non-NULL datum per key column, of the column's type.
    `mfp.input` is Source(id).
    """

    request: int
    id: int
    key: tuple[int, ...]
    values: tuple[tuple[Value, ...], ...]
    mfp: Mfp
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Send each tick's delta of the output of `plan`, after a snapshot as of `as_of` (None: the last tick).

    The first answer is always the snapshot's time, with no rows unless `snapshot`. Hydrates in the background. `behind`
    is for who has no use for a snapshot, because it holds the output as of an earlier tick: that tick, and the change
    from there to `as_of`.
    """

    request: int
    plan: Plan
    as_of: int | None
    snapshot: bool
    behind: tuple[int, Batch] | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """End a subscription."""

    request: int


Command: TypeAlias = CreateCollection | Maintain | Arrange | Drop | Retain | Tick | Peek | Lookup | Subscribe | Cancel


@dataclass(frozen=True, slots=True)
class Ticked:
    """Every collection that is hydrated is complete up to and including `timestamp`."""

    timestamp: int


@dataclass(frozen=True, slots=True)
class Hydrated:
    """Collection or index `id` has caught up."""

    id: int
    timestamp: int


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The answer to a peek, or one tick's delta of a subscription. `error` is a datum of an error stream, or None."""

    request: int
    timestamp: int
    batch: Batch
    error: str | None = None


Response: TypeAlias = Ticked | Hydrated | Rows
