"""Every limit of the engine: its unit, its default, the reason for it. An error that a limit causes names the field."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """The limits of one Database. Units stand last in each name; docs/settings.md has the same rows."""

    tick_rows_max: int = 262_144
    """Changes of sources taken into one tick. A tick of this size computes in tenths of a second, so that readers of
    progress and writers behind it wait no longer than that. Writes by statements are never cut."""

    tick_ms_max: int = 500
    """How long a tick should compute: it takes fewer changes of sources where the last ones say that more would take
    longer, and sources are read in smaller pieces. A piece that was read, a transaction and what a statement writes are
    never cut, so one may take longer."""

    tick_bytes_max: int = 256 << 20
    """What the operators of a tick should make of changes of sources, all of it at once in memory: it takes fewer where
    the last ones say that each makes many. As of time, what is never cut may make more."""

    inbox_rows_max: int = 1_048_576
    """Decoded rows of one source that may wait for a tick. A reader that is ahead of the ticks by four of them blocks:
    this is the back-pressure."""

    transaction_bytes_max: int = 1 << 30
    """Rows of one PostgreSQL source that are in memory, as columns, while its transaction, or its snapshot, is not
    there whole. The others are in files without names in the data directory, or else where the system has temporary
    ones; what came and went again takes no room for long. The tick that takes them maps them from there: what its views
    make of them is in memory as ever, and each text once. Of Kafka's sources: bytes that wait for the end of their
    transactions, beyond which a source stalls."""

    source_errors_max: int = 100_000
    """Rows of the error relation of one source: the latest. The oldest go for them, at the tick at which they come, so
    that memory stays however long records come that are none; mz_source_statistics counts those that went."""

    source_errors_bytes_max: int = 256 << 20
    """The data of these rows: records of the size that brokers take by default, one after another."""

    history_ms: int = 1_000
    """How long each readable relation keeps its recent deltas, for AS OF and for subscriptions that reconnect. They
    cost memory as the changes of that time; RETAIN HISTORY FOR asks for more where it is wanted. Materialize's
    default."""

    resume_ms_max: int = 60_000
    """How long a subscriber that can resume holds back the history of what it reads: from what it has acknowledged
    while it is connected, and so long again after it left. Longer than the reload of a page or a change of networks
    takes."""

    acknowledge_ms_max: int = 3_600_000
    """How long the reader of a durable subscription may go without acknowledging, where ACKNOWLEDGE WITHIN does not
    say: what it has not acknowledged is kept for so long, and costs memory as the changes of that time. An hour lets a
    reader be deployed again or wait for what it writes to."""

    resume_rows_max: int = 1_000_000
    """Changes of one collection that its history is held back by. Beyond them the oldest go, and whoever has not come
    back by then begins anew from a snapshot."""

    result_rows_max: int = 10_000_000
    """Rows of one answer. A result is held in memory whole; more than this is a SUBSCRIBE or a COPY, not a SELECT."""

    plan_nodes_max: int = 65_536
    """Operators, expressions and fixed values of the plans that are kept for when a SELECT is asked again: several
    hundred queries, some 30 MB. 0 plans each anew."""

    subscription_rows_max: int = 1_000_000
    """Pending changes of one subscription. Its ticks are merged from `subscription_ticks_max` on, which bounds the
    changes by the relation's size; a subscriber that is behind by more rows than this even so ends with an error."""

    subscription_ticks_max: int = 64
    """Ticks that wait for one subscriber one by one. A slower one gets the rest merged: net changes, latest time."""

    hydration_wait_ms_max: int = 600_000
    """How long a read waits for a view that is still hydrating before it fails."""

    progress_ms: int = 1_000
    """How often an idle system moves its subscribers' progress, so that they can tell quiet from stuck."""

    sessions_max: int = 1_000
    """Open sessions. Each costs a few kilobytes and, with a front end, a connection."""

    heap_sweep_bytes_min: int = 67_108_864
    """The heap is not swept before it holds this much: below it a sweep frees less than it costs."""

    roots: tuple[Path, ...] | None = None
    """Directories below which sources and COPY may read files; unset: anywhere, because a program that holds a Database
    can do so anyhow. Links are followed before the check. The server says which (its setting `file_roots`)."""

    write_roots: tuple[Path, ...] | None = None
    """Directories below which COPY may write files; unset: where it may read. The server says which (its setting
    `file_write_roots`)."""

    optimize: bool = True
    """Whether the optimiser runs. Off is for the tests that hold it to "on equals off"."""
