"""What names and numbers mean where a statement stands: what the answers of all families look up."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from engine import types
from engine.catalog.catalog import SYSTEM_DATABASE, Catalog, Path
from engine.catalog.items import Item, Type
from engine.catalog.roles import Role
from engine.catalog.system import describe
from engine.catalog.system.definition import Surroundings
from engine.catalog.system.mz_catalog import schemas
from engine.catalog.system.oids import Oids
from engine.catalog.system.pg_state import roles
from engine.catalog.system.routines import BY_OID as ROUTINES
from engine.catalog.system.routines import Routine
from engine.errors import UnknownDatabase, UnknownName, UnknownRelation, UnknownSchema
from engine.expr.text_forms import RawValue
from engine.types import SqlType

OWN: Final = ("mz_catalog", "mz_internal", "mz_introspection")


def split(name: str) -> list[str]:
    """The parts of a dotted name: quoted ones as they are, others in lower case."""
    parts, part, quoted, at = [], "", False, 0
    while at < len(name):
        character = name[at]
        if character == '"':
            if quoted and name[at + 1 : at + 2] == '"':
                part += '"'
                at += 1
            else:
                quoted = not quoted
        elif character == "." and not quoted:
            parts.append(part)
            part = ""
        else:
            part += character if quoted else character.lower()
        at += 1
    return [*parts, part]


@dataclass(frozen=True, eq=False)
class Names:
    """What names and numbers mean in a catalog, looked up along a path. Two of the same catalog and path are equal, and
    so is what is answered by them alone: it holds nothing of the moment."""

    catalog: Catalog
    path: Path
    oids: Oids

    def __eq__(self, other: object) -> bool:
        if type(other) is not Names:
            return False
        return self.catalog is other.catalog and self.oids is other.oids and self.path == other.path

    def __hash__(self) -> int:
        return hash((id(self.catalog), self.path))

    @cached_property
    def schemas(self) -> dict[int, tuple[str, str]]:
        return {self.oids.schema(*pair): pair for pair in schemas(self.catalog)}

    def relation(self, name: str) -> Item:
        parts = split(name.strip())
        item = self.catalog.find(parts, self.path)
        if item is None:
            raise UnknownRelation(f'relation "{name}" does not exist')
        return item

    def item(self, on: int | str) -> Item | None:
        """A relation by its number or its name."""
        return self.relation(on) if isinstance(on, str) else self.catalog.items.get(on)

    def visible(self, item: Item) -> bool:
        """Whether the bare name finds it. Our own system relations are found, but say no: clients list what is visible
        and not in pg_catalog as the user's."""
        return item.name.schema not in OWN and self.catalog.find([item.name.item], self.path) is item

    def shown(self, item: Item) -> str:
        return describe.quote(item.name.item) if self.visible(item) else describe.qualified(item.name)

    def schema(self, name: str) -> tuple[str, str]:
        for pair in ((SYSTEM_DATABASE, name), (self.path.database, name)):
            if pair in self.schemas.values():
                return pair
        raise UnknownSchema(f'schema "{name}" does not exist')

    def database(self, on: int | str) -> str:
        """A database by its number or its name."""
        for name in self.catalog.databases:
            if on in (name, self.oids.database(name)):
                return name
        raise UnknownDatabase(f'database "{on}" does not exist')

    def type(self, name: str) -> SqlType | None:
        """A type by its name in SQL or in pg_type, perhaps with a schema, a modifier, and [] behind it."""
        text = name.strip().lower().replace('"', "").removeprefix("pg_catalog.")
        element = text.removesuffix("[]").removeprefix("_")
        bare = element.partition("(")[0].strip() + element.partition(")")[2]
        found = types.INTERNAL_CHAR if name.strip() == '"char"' else types.ALIASES.get(bare)
        if found is None:
            item = self.catalog.find(split(name.strip()), self.path)
            return item.type if isinstance(item, Type) else None
        return types.array_of(found) if text != element else found

    def functions(self, name: str) -> list[Routine]:
        bare = split(name.strip())[-1]
        return [row for row in ROUTINES.values() if row.name == bare]


@dataclass(frozen=True, eq=False)
class Moment(Names):
    """And all else that a statement stands in: its session, who is connected, what the workers have. Equal to none."""

    around: Surroundings

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    @cached_property
    def roles(self) -> dict[int, Role]:
        found = roles(self.catalog, self.around.runtime)
        if self.around.user not in found:
            every = self.around.guest
            found[self.around.user] = Role(self.around.user, True, every, every, every)
        return {self.oids.role(name): role for name, role in found.items()}

    def role(self, name: str) -> int:
        """The number of a role; its name as SQL writes it."""
        wanted = split(name)[-1]
        for oid, role in self.roles.items():
            if role.name == wanted:
                return oid
        raise UnknownName(f'role "{name}" does not exist')


Answer = Callable[..., RawValue]
Make = Callable[[Names], Answer]
MakeNow = Callable[[Moment], Answer]


def constant(value: RawValue) -> Make:
    return lambda names: lambda *arguments: value
