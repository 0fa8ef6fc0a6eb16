"""A catalog that grows by statements, without a database around it: what the binder's tests are bound against."""

from dataclasses import dataclass, field

from engine.catalog.catalog import Catalog, Path
from engine.catalog.items import Index, Item, MaterializedView, Source, Table, View
from engine.catalog.system.registry import initial
from engine.sql.binder import Context, bind
from engine.sql.bound import (
    Bound,
    BoundCreateDatabase,
    BoundCreateIndex,
    BoundCreateMaterializedView,
    BoundCreateSchema,
    BoundCreateSource,
    BoundCreateTable,
    BoundCreateView,
    BoundDrop,
)
from engine.sql.dialect import parse


@dataclass
class World:
    """`run` binds statements and does to the catalog what they say."""

    catalog: Catalog = field(default_factory=initial)
    path: Path = field(default_factory=Path)

    def run(self, sql: str, id_: int | None = None) -> Bound:
        """Every statement of the text; the bound form of the last."""
        bound: Bound | None = None
        for statement in parse(sql):
            bound = bind(statement, Context(self.catalog, self.path))
            self._apply(bound, id_)
        assert bound is not None
        return bound

    def _apply(self, bound: Bound, id_: int | None) -> None:
        catalog = self.catalog
        id_ = id_ or catalog.next_id
        item: Item | None = None
        match bound:
            case BoundCreateTable():
                texts = bound.default_texts
                item = Table(id_, bound.name, bound.columns, bound.create_sql, keys=bound.keys, default_texts=texts)
            case BoundCreateView():
                if bound.replaces is not None:
                    catalog = catalog.drop([bound.replaces])
                relation = bound.query.relation
                item = View(id_, bound.name, bound.columns, relation, bound.depends_on, bound.create_sql)
            case BoundCreateMaterializedView():
                item = MaterializedView(
                    id_, bound.name, bound.columns, bound.relation, bound.depends_on, bound.create_sql, bound.history_ms
                )
            case BoundCreateIndex():
                item = Index(id_, bound.name, bound.on, bound.key, bound.create_sql)
            case BoundCreateSource():
                item = Source(id_, bound.name, bound.columns or (), bound.description, bound.create_sql)
            case BoundCreateDatabase():
                catalog = catalog.create_database(bound.name)
            case BoundCreateSchema():
                catalog = catalog.create_schema(bound.database, bound.name)
            case BoundDrop():
                catalog = catalog.drop(bound.items)
                for database, schema in bound.schemas:
                    catalog = catalog.drop_schema(database, schema)
                for database in bound.databases:
                    catalog = catalog.drop_database(database)
            case _:
                pass
        self.catalog = catalog if item is None else catalog.create(item)


TABLES = """
    CREATE TABLE t (id bigint NOT NULL, v integer, k text, n numeric(10, 2), at timestamptz, b boolean);
    CREATE TABLE u (id bigint, name text, v integer);
    CREATE VIEW totals AS SELECT k, sum(v) AS total FROM t GROUP BY k;
    CREATE MATERIALIZED VIEW named (id, label) AS SELECT t.id, u.name FROM t JOIN u ON t.id = u.id;
"""


def world() -> World:
    """Two tables, a view and a materialized view."""
    made = World()
    made.run(TABLES)
    return made
