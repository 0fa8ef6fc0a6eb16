"""What a statement reads: every collection as of one tick, and a transaction's own writes on top.

Outside of a block it is the last tick. In a block, a table that the block wrote to reads as its contents and what was
written, and a materialized view over such a table as its query: the view itself does not have the writes yet. Both are
said by changing the relation, so one read path serves all.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import count

from engine.catalog.catalog import FIRST_USER_ID, Catalog
from engine.catalog.items import Index, Item, MaterializedView, SourceRelation, View, below
from engine.collection.arrangement import Arrangement
from engine.collection.batch import Batch, Diffs
from engine.coordinator.constraints import indexed
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.pipeline import dataflow
from engine.coordinator.reads import Check, constant, peek
from engine.coordinator.result import Result
from engine.dataflow.graph import Source
from engine.dataflow.reading import with_key
from engine.errors import ActiveTransaction, UndefinedTable
from engine.plan.relation import Constant, Get, Let, Negate, Relation, Threshold, Union
from engine.sql.binding.tree import renumbered, rewrite
from engine.sql.resolved.rows import Over
from engine.types import Column

FIRST_LET = 1_000_000
"""Ids of the Lets in the views that are read as their queries: beyond those of any statement."""


def read_as_query(item: Item, items: Mapping[int, Item], written: Set[int]) -> bool:
    """Whether a block that has written to these tables reads a materialized view as its query: it stands over one of
    them, and is kept up to date (what the block writes is none of a refresh that has been)."""
    if not isinstance(item, MaterializedView) or item.schedule is not None or not written:
        return False
    return any(found.id in written for found in below(items, [item.id]))


def beneath(
    items: Mapping[int, Item], reads: Set[int], published: Mapping[int, Item], written: Set[int] = frozenset()
) -> frozenset[int]:
    """The items whose contents are read where a statement names `reads`. The system's are of no transaction.

    A view's are those of its query. So are, in a block, those of what it has drafted (which is not `published`), and of
    a materialized view over what it has `written`: a change that would leave that view alone may still change what the
    block sees of it.
    """
    found, waiting, seen = set[int](), list(reads), set[int]()
    while waiting:
        id = waiting.pop()
        if id in seen or id < FIRST_USER_ID or id not in items:
            continue
        seen.add(id)
        item = items[id]
        if isinstance(item, View) or id not in published or read_as_query(item, items, written):
            waiting += item.depends_on
        if not isinstance(item, View):
            found.add(id)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`at` None is the last tick; `own` are the block's writes by table, consolidated. Whoever reads by it holds the
    heap pinned or the tick lock."""

    coordinator: Coordinator
    check: Check
    at: int | None = None
    own: Mapping[int, Batch] = field(default_factory=dict)
    draft: Catalog | None = None  # the catalog as the block has changed it, if it has
    made: Set[int] = frozenset()  # the ids of what the block has made itself

    def rows(self, relation: Relation) -> Batch:
        """The rows of a bound relation."""
        if isinstance(relation, Constant):
            return constant(self.coordinator, relation)
        plan = dataflow(self.over(relation), self.coordinator.catalog, self.coordinator.options)
        return peek(self.coordinator, plan, self.at, self.check).batch

    def filled(self, over: Over, rows: Batch, columns: tuple[Column, ...]) -> Batch:
        """What a statement's relation over these rows holds."""
        values = Result("", columns, batch=rows, heap=self.coordinator.heap).rows()
        given = Constant(tuple(zip(values, rows.diffs.tolist(), strict=True)), tuple(c.type for c in columns))
        return self.rows(Let(over.id, given, over.relation))

    def over(self, relation: Relation) -> Relation:
        """The relation with the block's writes in it."""
        if not self.own and self.at is None and self.draft is None:
            return relation
        ids = count(FIRST_LET)

        def change(node: Relation) -> Relation:
            if not isinstance(node, Get):
                return node
            if node.id < FIRST_USER_ID:
                return self._catalogued(node)
            item = self._items.get(node.id)
            drafted = self._is_drafted(node.id)
            if node.changes is not None:
                if drafted:
                    raise ActiveTransaction(
                        f'CHANGES of "{node.name}" cannot be read in the block that makes it',
                        hint="COMMIT: what it holds comes at a time then.",
                    )
                return node  # what the block writes has no time yet
            if isinstance(item, MaterializedView) and item.schedule is not None:
                if drafted:
                    raise ActiveTransaction(
                        f'"{item.name.item}" cannot be read in the block that makes it', hint="COMMIT: it begins then."
                    )
                return node  # what the block writes is none of a refresh that has been
            if isinstance(item, MaterializedView) and (drafted or read_as_query(item, self._items, self.own.keys())):
                return rewrite(renumbered(item.relation, lambda: next(ids)), change)
            own = self.own.get(node.id)
            if isinstance(item, SourceRelation) and drafted and item.upstream is not None:
                raise ActiveTransaction(
                    f'"{item.name.item}" cannot be read in the block that makes it',
                    hint="COMMIT: its table is copied then.",
                )
            if drafted:
                return self._rows_of(node, own)
            return node if own is None or not len(own) else self._with(node, own)

        return rewrite(relation, change)

    def _catalogued(self, node: Get) -> Relation:
        """A system relation's rows of the moment, or of the catalog that the block has drafted."""
        types = tuple(column.type for column in node.columns)
        if self.draft is None:
            held = peek(self.coordinator, Source(node.id, types), None, self.check).batch
        else:
            held = self.coordinator.system.rows(node.id, self.draft)
        values = Result("", node.columns, batch=held, heap=self.coordinator.heap).rows()
        return Constant(tuple(zip(values, held.diffs.tolist(), strict=True)), types)

    def _is_drafted(self, id: int) -> bool:
        """Whether only the block knows the item. UndefinedTable where nobody does: others have dropped it."""
        if id in self.coordinator.catalog.items:
            return False
        if id not in self.made:
            raise UndefinedTable("a relation that the statement reads was dropped")
        return True

    @property
    def _items(self) -> Mapping[int, Item]:
        return (self.draft or self.coordinator.catalog).items

    def _rows_of(self, drafted: Get, own: Batch | None) -> Relation:
        """What the block has written to a table that it has made itself; a source of its own has read nothing yet."""
        rows = Batch.empty(len(drafted.columns)) if own is None else own
        values = Result("", drafted.columns, batch=rows, heap=self.coordinator.heap).rows()
        pairs = tuple(zip(values, rows.diffs.tolist(), strict=True))
        return Constant(pairs, tuple(column.type for column in drafted.columns))

    def _with(self, table: Get, own: Batch) -> Relation:
        types = tuple(column.type for column in table.columns)
        values = Result("", table.columns, batch=own, heap=self.coordinator.heap).rows()
        pairs = list(zip(values, own.diffs.tolist(), strict=True))
        added = Constant(tuple((row, diff) for row, diff in pairs if diff > 0), types)
        gone = Constant(tuple((row, -diff) for row, diff in pairs if diff < 0), types)
        plain = Get(table.id, table.name, table.columns)
        if not gone.rows:
            return Union((plain, added))
        return Threshold(Union((plain, added, Negate(gone))))

    def counts(self, table: int, rows: Batch) -> Diffs:
        """How often the table has each row (no two equal): int64[n]."""
        every = tuple(range(rows.columns))
        held = Arrangement(rows.columns, every)
        held.apply(self._found(table, table, every, rows, self._written(table)))
        return held.counts(rows)

    def arbiters(self, table: int, keys: Sequence[tuple[int, ...]]) -> list[Index]:
        """The indexes of a table's constraints on these columns."""
        self._written(table)
        return [self.coordinator.constraints.index(table, columns) for columns in keys]

    def indexed(self, rows: Batch, index: Index) -> Batch:
        """A table's rows as a constraint's index has them."""
        return indexed(rows, index, self.coordinator.heap)

    def lookup(self, index: Index, keys: Batch) -> Batch:
        """The rows of a table whose constraint's key is one of `keys` (no two equal), as its index has them."""
        own = self.indexed(self._written(index.on), index)
        return self._found(index.on, index.collection, index.key, keys, own)

    def _written(self, table: int) -> Batch:
        """What the block has written to a table."""
        columns = self.coordinator.tables.get(table)
        if columns is None:
            raise UndefinedTable("the table that the statement writes to was dropped")
        return self.own.get(table, Batch.empty(len(columns)))

    def _found(self, table: int, collection: int, key: tuple[int, ...], keys: Batch, own: Batch) -> Batch:
        """The rows of a collection, a table's or its index's, that have one of the keys; `own` are the block's."""
        if self._is_drafted(table):  # it has what the block has written
            return with_key(own, key, keys.words)
        found = self.coordinator.cluster.worker.circuit.lookup(collection, key, keys.words, self.at)
        if not len(own):
            return found
        return Batch.concat([found, with_key(own, key, keys.words)]).consolidate()
