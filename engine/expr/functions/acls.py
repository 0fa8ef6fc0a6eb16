"""Access lists taken apart and put together: what of it needs no catalog. Materialize writes roles by their ids.

What needs the roles of the moment (PostgreSQL writes them by name and asks for their numbers) is in catalog.py.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from engine import types
from engine.collection.nested import Array
from engine.collection.vector import Vector
from engine.errors import InvalidArgument
from engine.expr import acl
from engine.expr.acl import AclItem
from engine.expr.columns import each
from engine.expr.functions.array import items_of
from engine.expr.functions.table import expand
from engine.expr.registry import Function
from engine.expr.table import Expanded, TableFunction
from engine.types import Column, SqlType

if TYPE_CHECKING:
    from engine.expr.evaluate import Context

T, B, MZ = types.TEXT, types.BOOLEAN, types.MZ_ACLITEM
NUMBERED: Final = types.array_of(T)
"""An access list whose roles are written by their numbers."""
OIDS: Final = (
    Column("grantor", types.OID, False), Column("grantee", types.OID, False), Column("privilege_type", T, False),
    Column("is_grantable", B, False),
)  # fmt: skip
IDS: Final = (
    Column("grantor", T, False), Column("grantee", T, False), Column("privilege_type", T, False),
    Column("is_grantable", B, False),
)  # fmt: skip
EVERYBODY: Final = "p"
"""The role id that is PUBLIC's."""
ROLE_PRIVILEGES: Final = frozenset({"MEMBER", "USAGE", "SET"})


def _made(grantee: str, grantor: str, privileges: str) -> str:
    item = AclItem.of("" if grantee == EVERYBODY else grantee, grantor, acl.privileges_of(privileges))
    return acl.canonical_by_id(str(item))


def _validated(privileges: str) -> bool:
    acl.privileges_of(privileges)
    return True


def _validated_role(privilege: str) -> bool:
    if privilege.strip().upper() not in ROLE_PRIVILEGES:
        raise InvalidArgument(f'unrecognized privilege type: "{privilege}"')
    return True


def _formatted(letters: str) -> Array:
    strange = [letter for letter in letters if letter not in acl.NAMES]
    if strange:
        raise InvalidArgument(f'unrecognized privilege letter: "{strange[0]}"')
    return Array.of([acl.NAMES[letter] for letter in letters])


def _contains(item: str, privilege: str) -> bool:
    return bool(set(acl.privileges_of(privilege)) & set(acl.parsed(item, by_id=True).privileges))


def _part(of: Callable[[AclItem], str]) -> Callable[[str], str]:
    return lambda item: of(acl.parsed(item, by_id=True))


def _has(items: Array, item: str) -> bool:
    """Whether the list lets the item's grantee do all that the item says, by the same grantor."""
    one = acl.parsed(item)
    for text in items_of(items):
        found = None if text is None else acl.parsed(text)
        if found is not None and (found.grantee, found.grantor) == (one.grantee, one.grantor):
            return set(one.letters) <= set(found.letters) and set(one.grantable) <= set(found.grantable)
    return False


def _exploded(items: Array) -> Sequence[tuple[str, str, str, bool]]:
    rows = acl.exploded(items_of(items), by_id=True)
    return [(grantor, grantee or EVERYBODY, privilege, on) for grantor, grantee, privilege, on in rows]


def _exploded_numbers(items: Array) -> Sequence[tuple[int, int, str, bool]]:
    rows = acl.exploded(items_of(items))
    return [(int(grantor), int(grantee or 0), privilege, on) for grantor, grantee, privilege, on in rows]


def _table(
    name: str, parameter: SqlType, given: SqlType, columns: tuple[Column, ...],
    apply: Callable[[Array], Sequence[object]], through: str | None = None,
) -> TableFunction:  # fmt: skip
    def kernel(context: "Context", vectors: Sequence[Vector]) -> Expanded:
        return expand(apply, vectors, (given,), [column.type for column in columns], context)

    doc = "who granted whom what, one row a privilege"
    return TableFunction(name, (parameter,), columns, kernel, can_fail=True, doc=doc, through=through)


def _rows() -> Iterator[Function]:
    yield each("make_mz_aclitem", (T, T, T), MZ, _made,
               "an item of an access list: grantee and grantor by their role ids (p: everybody), and what is granted",
               can_fail=True)  # fmt: skip
    yield each("mz_aclitem_grantor", (MZ,), T, _part(lambda item: item.grantor), "the role id of who granted")
    yield each("mz_aclitem_grantee", (MZ,), T, _part(lambda item: item.grantee or EVERYBODY),
               "the role id of whom it was granted; p for everybody")  # fmt: skip
    yield each("mz_aclitem_privileges", (MZ,), T, _part(lambda item: item.letters), "the letters of what is granted")
    yield each("mz_acl_item_contains_privilege", (MZ, T), B, _contains, "whether any of the privileges is granted",
               can_fail=True)  # fmt: skip
    yield each("mz_format_privileges", (T,), NUMBERED, _formatted, "the privileges that letters stand for",
               can_fail=True)  # fmt: skip
    yield each("mz_validate_privileges", (T,), B, _validated, "true; an error for what is no list of privileges",
               can_fail=True)  # fmt: skip
    yield each("mz_validate_role_privilege", (T,), B, _validated_role, "true; an error for what pg_has_role() refuses",
               can_fail=True)  # fmt: skip
    yield each("aclcontains", (types.array_of(types.ACLITEM), types.ACLITEM), B, _has,
               "whether an access list has all that an item says")  # fmt: skip


FUNCTIONS: Final = tuple(_rows())
TABLE_FUNCTIONS: Final = (
    _table("aclexplode", types.array_of(types.ACLITEM), NUMBERED, OIDS, _exploded_numbers, through="acl_numbers"),
    _table("mz_aclexplode", types.array_of(MZ), types.array_of(MZ), IDS, _exploded),
)
