"""The catalog: what exists, by id and by name. Immutable: a change makes another catalog.

1. Every item's name is unique in its schema; ids are never used again.
2. An item's `depends_on` are ids of the catalog, and go in no circle. They are smaller than its own unless it has taken
   another's place (a replacement, ALTER SINK): `order()` is one in which creating is sound. The catalog is its
   `statements()`: they, their ids and that order are all that the durable log keeps of items.
3. Names resolve by the search path; system schemas come first, as pg_catalog does in PostgreSQL.

A change copies the maps: O(items), some 10 µs at a thousand views.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

from engine.catalog.items import (
    Index,
    Item,
    MaterializedView,
    QualifiedName,
    Sink,
    SourceRelation,
    SystemRelation,
    kind,
)
from engine.catalog.roles import Role
from engine.catalog.roles import initial as initial_roles
from engine.errors import (
    DependentObjects,
    DuplicateObject,
    DuplicateRelation,
    InvalidTableDefinition,
    UndefinedColumn,
    UndefinedDatabase,
    UndefinedObject,
    UndefinedSchema,
    UndefinedTable,
    WrongObjectType,
)

DEFAULT_DATABASE: Final = "materialize"
DEFAULT_SCHEMA: Final = "public"
SYSTEM_DATABASE: Final = ""
"""The database of the system schemas: one that no name can say, so they are in every database."""
DEFAULT_CLUSTER: Final = "quickstart"
"""What Materialize calls the cluster of a new environment. There is one; others are names for it."""
IMPLICIT_SCHEMAS: Final = ("mz_catalog", "pg_catalog", "mz_internal")
"""Searched before the search path."""
SYSTEM_SCHEMAS: Final = (*IMPLICIT_SCHEMAS, "mz_introspection", "information_schema")
TEMPORARY: Final = "mz_temp"
"""What the temporary schema of each session begins with. They are in SYSTEM_DATABASE: any database of the session sees
them, and they are there as long as something is in them."""
TEMPORARY_NAMES: Final = (TEMPORARY, "pg_temp")
"""What a session may call its own temporary schema."""
FIRST_USER_ID: Final = 20_000
"""Ids below are those of system relations, which are the same in every catalog. Ids are OIDs too, and clients of
PostgreSQL take what is below 16384 for the system's."""


def is_temporary(name: QualifiedName) -> bool:
    """Whether the item goes with its session."""
    return name.database == SYSTEM_DATABASE and name.schema.startswith(TEMPORARY)


@dataclass(frozen=True, slots=True)
class Path:
    """How a session resolves names: its database and search_path."""

    database: str = DEFAULT_DATABASE
    schemas: tuple[str, ...] = (DEFAULT_SCHEMA,)
    temporary: str = TEMPORARY  # the session's temporary schema


@dataclass(frozen=True, slots=True)
class Catalog:
    """`schemas` are (database, schema) of the users' databases.

    `comments` are by what they are on: ("item", id, 0) or, for its n-th column, ("item", id, n); ("schema", "d.s", 0),
    ("database", name, 0), ("role", name, 0), ("cluster", name, 0). `system` are variables by their keys, and what
    sessions begin with where it is not the default.
    """

    items: Mapping[int, Item] = field(default_factory=dict)
    names: Mapping[QualifiedName, int] = field(default_factory=dict)
    databases: frozenset[str] = frozenset({DEFAULT_DATABASE})
    schemas: frozenset[tuple[str, str]] = frozenset({(DEFAULT_DATABASE, DEFAULT_SCHEMA)})
    roles: Mapping[str, Role] = field(default_factory=initial_roles)
    clusters: frozenset[str] = frozenset({DEFAULT_CLUSTER})
    comments: Mapping[tuple[str, str, int], str] = field(default_factory=dict)
    system: Mapping[str, str] = field(default_factory=dict)
    next_id: int = FIRST_USER_ID

    @classmethod
    def initial(cls, system: Iterable[SystemRelation]) -> Self:
        """The catalog of a new database: the system relations and materialize.public."""
        items: dict[int, Item] = {item.id: item for item in system}
        return cls(items, {item.name: item.id for item in items.values()})

    def find(self, parts: Sequence[str], path: Path) -> Item | None:
        """The item that a name means: `item`, `schema.item` or `database.schema.item`."""
        for name in self._candidates(parts, path):
            found = self.names.get(name)
            if found is not None:
                return self.items[found]
        return None

    def resolve(self, parts: Sequence[str], path: Path, position: int | None = None) -> Item:
        """As `find`; raises UndefinedTable with the nearest name as a hint."""
        item = self.find(parts, path)
        if item is not None:
            return item
        if len(parts) > 3:
            raise UndefinedTable(
                f"improper qualified name (too many dotted names): {'.'.join(parts)}", position=position
            )
        near = self._nearest(parts, path)
        hint = None if near is None else f'Perhaps you meant "{near}".'
        raise UndefinedTable(f'relation "{".".join(parts)}" does not exist', hint=hint, position=position)

    def new_name(self, parts: Sequence[str], path: Path, position: int | None = None) -> QualifiedName:
        """The full name that CREATE gives an item: in the first schema of the search path unless it says another."""
        match list(parts):
            case [item]:
                schema = next((s for s in path.schemas if (path.database, s) in self.schemas), None)
                if schema is None:
                    raise UndefinedSchema("no schema has been selected to create in", position=position)
                return QualifiedName(path.database, schema, item)
            case [schema, item]:
                name = QualifiedName(path.database, schema, item)
            case [database, schema, item]:
                name = QualifiedName(database, schema, item)
            case _:
                raise UndefinedSchema(f"improper qualified name: {'.'.join(parts)}", position=position)
        if name.schema in SYSTEM_SCHEMAS:
            raise UndefinedSchema(f'system schema "{name.schema}" cannot be modified', position=position)
        if name.database not in self.databases:
            raise UndefinedDatabase(f'database "{name.database}" does not exist', position=position)
        if (name.database, name.schema) not in self.schemas:
            raise UndefinedSchema(f'schema "{name.schema}" does not exist', position=position)
        return name

    def new_temporary_name(self, parts: Sequence[str], path: Path, position: int | None = None) -> QualifiedName:
        """The full name that CREATE TEMPORARY gives an item."""
        *schema, item = parts
        if schema and tuple(schema) not in [(name,) for name in TEMPORARY_NAMES]:
            raise InvalidTableDefinition("cannot create temporary relation in non-temporary schema", position=position)
        return QualifiedName(SYSTEM_DATABASE, path.temporary, item)

    def named(self, name: QualifiedName) -> Item | None:
        """The item of that full name."""
        found = self.names.get(name)
        return None if found is None else self.items[found]

    def create(self, item: Item) -> Self:
        """With `item`, whose id is `next_id` (or, in a replay of the log, what it was)."""
        if item.name in self.names:
            raise DuplicateRelation(f'relation "{item.name.item}" already exists')
        if (item.name.database, item.name.schema) not in self.schemas and not is_temporary(item.name):
            raise UndefinedSchema(f'schema "{item.name.schema}" does not exist')
        assert item.id not in self.items
        assert all(dependency in self.items for dependency in item.depends_on)
        for used in (self.items[id] for id in sorted(item.depends_on)):
            if isinstance(used, MaterializedView) and used.replaces is not None:
                target = self.items[used.replaces].name.item
                raise WrongObjectType(
                    f'{kind(item)} "{item.name.item}" cannot read "{used.name.item}", a replacement for "{target}"',
                    hint=f"ALTER MATERIALIZED VIEW {target} APPLY REPLACEMENT {used.name.item} first.",
                )
        return replace(
            self,
            items={**self.items, item.id: item},
            names={**self.names, item.name: item.id},
            next_id=max(self.next_id, item.id + 1),
        )

    def drop(self, ids: Iterable[int]) -> Self:
        """Without these items, on which nothing else may depend: see `drop_order`."""
        gone = set(ids)
        items = {id_: item for id_, item in self.items.items() if id_ not in gone}
        assert not any(gone & item.depends_on for item in items.values())
        comments = {on: text for on, text in self.comments.items() if on[0] != "item" or int(on[1]) not in gone}
        return replace(self, items=items, names={item.name: id_ for id_, item in items.items()}, comments=comments)

    def redefined(self, changed: Iterable[Item]) -> Self:
        """With these items in the place of those of their ids."""
        items = {**self.items, **{item.id: item for item in changed}}
        return replace(self, items=items, names={item.name: id_ for id_, item in items.items()})

    def above(self, ids: Iterable[int]) -> list[int]:
        """These and all that depends on them, by id; last the sinks, which may be from what is younger."""
        found = set(ids)
        order = sorted(self.order(), key=lambda id_: isinstance(self.items[id_], Sink))
        for id_ in order:
            if self.items[id_].depends_on & found:
                found.add(id_)
        return [id_ for id_ in order if id_ in found]

    def order(self) -> tuple[int, ...]:
        """Ids, each behind those of all that it depends on, else by age. O(items)."""
        placed: dict[int, None] = {}
        for id in sorted(self.items):
            waiting = [id]
            while waiting:
                below = sorted(self.items[waiting[-1]].depends_on - placed.keys(), reverse=True)
                if below:
                    waiting += below
                else:
                    placed[waiting.pop()] = None
        return tuple(placed)

    def commented(self, subject: tuple[str, str, int], text: str | None) -> Self:
        """With that comment, or without one."""
        rest = {on: known for on, known in self.comments.items() if on != subject}
        return replace(self, comments=rest if text is None else {**rest, subject: text})

    def cluster(self, name: str, position: int | None = None) -> str:
        """`name`, which must be a cluster. "default" is what it was called before."""
        if name not in self.clusters and name != "default":
            raise UndefinedObject(f'unknown cluster "{name}"', hint="CREATE CLUSTER it.", position=position)
        return name

    def column(self, item: Item, name: str, position: int | None = None) -> int:
        """The number of a relation's column, from 0."""
        for index, column in enumerate(item.columns):
            if column.name == name:
                return index
        near = difflib.get_close_matches(name, [column.name for column in item.columns], 1)
        hint = f'Perhaps you meant "{near[0]}".' if near else None
        raise UndefinedColumn(
            f'column "{name}" of relation "{item.name.item}" does not exist', hint=hint, position=position
        )

    def create_database(self, name: str) -> Self:
        """With a database and its schema public."""
        if name in self.databases:
            raise DuplicateObject(f'database "{name}" already exists')
        return replace(self, databases=self.databases | {name}, schemas=self.schemas | {(name, DEFAULT_SCHEMA)})

    def create_schema(self, database: str, name: str) -> Self:
        if (database, name) in self.schemas or name in SYSTEM_SCHEMAS:
            raise DuplicateObject(f'schema "{name}" already exists')
        return replace(self, schemas=self.schemas | {(database, name)})

    def drop_schema(self, database: str, name: str) -> Self:
        """Without a schema, which is empty by then."""
        assert not self.in_schema(database, name)
        return replace(self, schemas=self.schemas - {(database, name)})

    def drop_database(self, name: str) -> Self:
        """Without a database and its schemas, which are empty by then."""
        kept = frozenset(pair for pair in self.schemas if pair[0] != name)
        assert all(not self.in_schema(*pair) for pair in self.schemas - kept)
        return replace(self, databases=self.databases - {name}, schemas=kept)

    def with_role(self, role: Role) -> Self:
        """With this role, new or changed."""
        return replace(self, roles={**self.roles, role.name: role})

    def without_role(self, name: str) -> Self:
        return replace(self, roles={key: role for key, role in self.roles.items() if key != name})

    def role(self, name: str, position: int | None = None) -> Role:
        """The role of that name."""
        found = self.roles.get(name)
        if found is None:
            near = difflib.get_close_matches(name, list(self.roles), 1)
            hint = f'Perhaps you meant "{near[0]}".' if near else None
            raise UndefinedObject(f'role "{name}" does not exist', hint=hint, position=position)
        return found

    def in_schema(self, database: str, name: str) -> tuple[Item, ...]:
        """The items of a schema."""
        return tuple(i for i in self.items.values() if (i.name.database, i.name.schema) == (database, name))

    def dependents(self, id_: int) -> tuple[Item, ...]:
        """The items that use this one directly, by id."""
        return tuple(item for item in self.items.values() if id_ in item.depends_on)

    def indexes(self, id_: int) -> tuple[Index, ...]:
        """The indexes of a relation."""
        return tuple(item for item in self.dependents(id_) if isinstance(item, Index))

    def drop_order(self, roots: Sequence[Item], cascade: bool) -> tuple[int, ...]:
        """Everything that goes when `roots` go, dependents first.

        Indexes go with their relation and a source's relations with their source; whatever else depends on an item that
        goes needs `cascade`, or DependentObjects names it.
        """
        order: list[int] = []
        named = {item.id for item in roots}

        def go(item: Item) -> None:
            if item.id in order:
                return
            for dependent in self.dependents(item.id):
                owned = isinstance(dependent, Index | SourceRelation) and kind(dependent) != "table"
                if not (owned or cascade or dependent.id in named):
                    raise DependentObjects(
                        f'cannot drop {kind(item)} "{item.name.item}" because other objects depend on it',
                        detail=f'{kind(dependent)} "{dependent.name.item}" depends on {kind(item)} "{item.name.item}"',
                        hint="Use DROP ... CASCADE to drop the dependent objects too.",
                    )
                go(dependent)
            order.append(item.id)

        for item in roots:
            go(item)
        return tuple(order)

    def statements(self) -> tuple[tuple[int, str], ...]:
        """(id, CREATE statement) of each item that has one, in an order in which they can be run again."""
        return tuple((id_, self.items[id_].create_sql) for id_ in self.order() if self.items[id_].create_sql)

    def schema(self, parts: Sequence[str], path: Path, position: int | None = None) -> tuple[str, str]:
        """The (database, schema) that a name means."""
        match list(parts):
            case [name]:
                pair = (path.database, name)
            case [database, name]:
                pair = (database, name)
            case _:
                raise UndefinedSchema(f"improper schema name: {'.'.join(parts)}", position=position)
        if pair[1] in SYSTEM_SCHEMAS:
            return (SYSTEM_DATABASE, pair[1])
        if pair not in self.schemas:
            near = difflib.get_close_matches(pair[1], [s for d, s in self.schemas if d == pair[0]], 1)
            hint = f'Perhaps you meant "{near[0]}".' if near else None
            raise UndefinedSchema(f'schema "{pair[1]}" does not exist', hint=hint, position=position)
        return pair

    def database(self, name: str, position: int | None = None) -> str:
        """`name`, which must be a database."""
        if name not in self.databases:
            raise UndefinedDatabase(f'database "{name}" does not exist', position=position)
        return name

    def index(self, parts: Sequence[str], path: Path, position: int | None = None) -> Index:
        """The index of that name."""
        item = self.find(parts, path)
        if not isinstance(item, Index):
            raise UndefinedObject(f'index "{".".join(parts)}" does not exist', position=position)
        return item

    def _candidates(self, parts: Sequence[str], path: Path) -> Iterable[QualifiedName]:
        match list(parts):
            case [item]:
                for schema in IMPLICIT_SCHEMAS:
                    yield QualifiedName(SYSTEM_DATABASE, schema, item)
                yield QualifiedName(SYSTEM_DATABASE, path.temporary, item)
                for schema in path.schemas:
                    yield QualifiedName(SYSTEM_DATABASE if schema in SYSTEM_SCHEMAS else path.database, schema, item)
            case [schema, item] if schema in TEMPORARY_NAMES:
                yield QualifiedName(SYSTEM_DATABASE, path.temporary, item)
            case [schema, item]:
                yield QualifiedName(SYSTEM_DATABASE if schema in SYSTEM_SCHEMAS else path.database, schema, item)
            case [database, schema, item]:
                yield QualifiedName(SYSTEM_DATABASE if schema in SYSTEM_SCHEMAS else database, schema, item)
            case _:
                return

    def _nearest(self, parts: Sequence[str], path: Path) -> str | None:
        """The relation whose name is nearest to what was written, of those that could have been meant."""
        if len(parts) == 1:
            near = (*((path.database, s) for s in path.schemas), *((SYSTEM_DATABASE, s) for s in IMPLICIT_SCHEMAS))
        else:
            schema = parts[-2]
            near = ((SYSTEM_DATABASE if schema in SYSTEM_SCHEMAS else path.database, schema),)
        names = [i.name.item for i in self.items.values() if (i.name.database, i.name.schema) in near]
        found = difflib.get_close_matches(parts[-1], names, 1)
        return ".".join([*parts[:-1], found[0]]) if found else None
