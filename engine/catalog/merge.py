"""Two changes of one catalog put together: that of a transaction, and what others have committed since it began.

Law  Where it succeeds, the changes are independent: either order of them gives this catalog. They are when neither
     changed what the other changed or depends on, and names do not collide; else 40001, and the client begins anew.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from engine.catalog.catalog import Catalog, is_temporary
from engine.errors import SerializationFailure

K = TypeVar("K")
V = TypeVar("V")


def merged(base: Catalog, mine: Catalog, theirs: Catalog) -> Catalog:
    """`theirs` with the change from `base` to `mine`. Raises SerializationFailure."""
    if theirs is base:
        return mine
    if mine is base:
        return theirs
    gone = base.items.keys() - mine.items.keys()
    made = mine.items.keys() - base.items.keys()
    changed = {id for id in base.items.keys() & mine.items.keys() if mine.items[id] is not base.items[id]}
    used = {use for id in made | changed for use in mine.items[id].depends_on if use not in made}
    for id in gone | changed | used:
        if theirs.items.get(id) is not base.items.get(id):
            _refuse(f'"{base.items[id].name.item}" was changed')
    for id, item in theirs.items.items():
        if id not in gone and item.depends_on & gone:
            _refuse(f'"{item.name.item}" depends on what the transaction drops')
    items = {id: item for id, item in theirs.items.items() if id not in gone}
    items |= {id: mine.items[id] for id in changed | made}
    names = {item.name: id for id, item in items.items()}
    if len(names) < len(items):
        twice = next(item.name for id, item in items.items() if names[item.name] != id)
        _refuse(f'there is another "{twice.item}"')
    databases = _united(base.databases, mine.databases, theirs.databases)
    schemas = _united(base.schemas, mine.schemas, theirs.schemas)
    for item in items.values():
        place = (item.name.database, item.name.schema)
        if item.name.database and place not in schemas and not is_temporary(item.name):
            _refuse(f'schema "{item.name.schema}" was dropped')
    return replace(
        theirs,
        items=dict(sorted(items.items())),
        names=names,
        databases=databases,
        schemas=schemas,
        roles=_overlaid("role", base.roles, mine.roles, theirs.roles),
        clusters=_united(base.clusters, mine.clusters, theirs.clusters),
        system=_overlaid("variable", base.system, mine.system, theirs.system),
        comments=_overlaid("comment", base.comments, mine.comments, theirs.comments),
        next_id=max(mine.next_id, theirs.next_id),
    )


def _united(base: frozenset[K], mine: frozenset[K], theirs: frozenset[K]) -> frozenset[K]:
    return (theirs | (mine - base)) - (base - mine)


def _overlaid(what: str, base: Mapping[K, V], mine: Mapping[K, V], theirs: Mapping[K, V]) -> Mapping[K, V]:
    """Their map with my changes, none of which they have changed otherwise."""
    found = dict(theirs)
    for key in base.keys() | mine.keys():
        before, after = base.get(key), mine.get(key)
        if before == after:
            continue
        if theirs.get(key) not in (before, after):
            _refuse(f"the {what} {key} was changed")
        if after is None:
            found.pop(key, None)
        else:
            found[key] = after
    return found


def _refuse(detail: str) -> None:
    raise SerializationFailure(
        "could not serialize access due to a concurrent change of the catalog",
        detail=f"Since the transaction began to change it, {detail}.",
        hint="Run the transaction again.",
    )
