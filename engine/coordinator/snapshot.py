"""What a statement reads: every collection as of one tick, and a transaction's own writes on top.

Outside of a block it is the last tick. In a block, a table that the block wrote to reads as its contents and what was
written, and a materialized view over such a table as its query: the view itself does not have the writes yet. Both are
said by changing the relation, so one read path serves all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from engine.catalog.catalog import FIRST_USER_ID
from engine.catalog.items import MaterializedView
from engine.collection.arrangement import Arrangement
from engine.collection.batch import Batch, Diffs
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.pipeline import dataflow
from engine.coordinator.reads import Check, constant, peek
from engine.coordinator.result import Result
from engine.dataflow.circuit import with_key
from engine.dataflow.graph import Source
from engine.errors import UndefinedTable
from engine.plan.relation import Constant, Get, Let, Negate, Relation, Threshold, Union
from engine.sql.binding.tree import renumbered, rewrite
from engine.sql.bound import Over
from engine.types import Column

FIRST_LET = 1_000_000
"""Ids of the Lets in the views that are read as their queries: beyond those of any statement."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`at` None is the last tick; `own` are the block's writes by table, consolidated. Whoever reads by it holds the
    heap pinned or the tick lock."""

    coordinator: Coordinator
    check: Check
    at: int | None = None
    own: Mapping[int, Batch] = field(default_factory=dict)

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
        if not self.own and self.at is None:
            return relation
        ids = count(FIRST_LET)

        def change(node: Relation) -> Relation:
            if not isinstance(node, Get):
                return node
            if node.id < FIRST_USER_ID:
                return self._catalogued(node)
            item = self.coordinator.catalog.items.get(node.id)
            if isinstance(item, MaterializedView) and self._touches(item.id):
                return rewrite(renumbered(item.relation, lambda: next(ids)), change)
            own = self.own.get(node.id)
            return node if own is None or not len(own) else self._with(node, own)

        return rewrite(relation, change)

    def _catalogued(self, node: Get) -> Relation:
        """A system relation's rows of the moment: the catalog is of no transaction."""
        types = tuple(column.type for column in node.columns)
        held = peek(self.coordinator, Source(node.id, types), None, self.check).batch
        values = Result("", node.columns, batch=held, heap=self.coordinator.heap).rows()
        return Constant(tuple(zip(values, held.diffs.tolist(), strict=True)), types)

    def _touches(self, id: int) -> bool:
        item = self.coordinator.catalog.items.get(id)
        return id in self.own or (item is not None and any(self._touches(other) for other in item.depends_on))

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
        held.apply(self.lookup(table, every, rows))
        return held.counts(rows)

    def lookup(self, table: int, key: tuple[int, ...], keys: Batch) -> Batch:
        """The rows of a table whose columns `key`, a constraint's or all, are one of `keys` (no two equal)."""
        circuit = self.coordinator.cluster.worker.circuit
        if table not in self.coordinator.tables:
            raise UndefinedTable("the table that the statement writes to was dropped")
        found = circuit.lookup(table, key, keys.words, self.at)
        own = self.own.get(table)
        if own is None or not len(own):
            return found
        return Batch.concat([found, with_key(own, key, keys.words)]).consolidate()
