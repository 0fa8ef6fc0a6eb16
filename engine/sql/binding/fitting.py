"""What may take a materialized view's place.

Law  a replacement has the columns of its target, and all that is known of the target's rows (a column that is never
     NULL, a key) is known of its rows: plans that were made of the target rely on that, and go on.
Law  it reads nothing that is made from its target.
"""

from engine.catalog.catalog import Catalog
from engine.catalog.items import MaterializedView, kind
from engine.errors import InvalidTableDefinition, WrongObjectType
from engine.plan.facts import Facts
from engine.plan.relation import Relation
from engine.types import Column


def check_replacement(
    target: MaterializedView, columns: tuple[Column, ...], relation: Relation, reads: frozenset[int], catalog: Catalog,
    at: int,
) -> None:  # fmt: skip
    """Whether what has these columns, is computed so and reads these may take the target's place."""
    name = target.name.item
    if target.replaces is not None:
        raise WrongObjectType(f'"{name}" is a replacement itself', position=at)
    for place, old in enumerate(target.columns):
        new = columns[place] if place < len(columns) else None
        if new is None or (new.name, new.type) != (old.name, old.type):
            found = "nothing" if new is None else f'"{new.name}" {new.type}'
            raise InvalidTableDefinition(
                f'a replacement for "{name}" must have its columns', position=at,
                detail=f'Column {place + 1} of "{name}" is "{old.name}" {old.type}; of the replacement it is {found}.',
            )  # fmt: skip
        if new.nullable and not old.nullable:
            raise InvalidTableDefinition(
                f'column "{old.name}" of "{name}" is never NULL, that of the replacement may be', position=at,
                hint=f"What reads it may rely on that: WITH (ASSERT NOT NULL {old.name}), or coalesce() it.",
            )  # fmt: skip
    if len(columns) > len(target.columns):
        raise InvalidTableDefinition(
            f'a replacement for "{name}" must have its columns', position=at,
            detail=f'"{name}" has {len(target.columns)} columns, the replacement {len(columns)}.',
        )  # fmt: skip
    known = [set(key) for key in Facts().keys(relation)]
    for key in Facts().keys(target.relation):
        if not any(other <= set(key) for other in known):
            which = ", ".join(target.columns[place].name for place in sorted(key))
            which = f"agree in ({which})" if key else "exist"
            raise InvalidTableDefinition(
                f'no two rows of "{name}" {which}, but those of the replacement may', position=at,
                hint="What reads it may rely on that: SELECT DISTINCT ON, or GROUP BY, makes it known.",
            )  # fmt: skip
    circle = set(catalog.above([target.id])) & reads
    if circle:
        used = catalog.items[min(circle)]
        what = "itself" if used.id == target.id else f'{kind(used)} "{used.name.item}", which is made from it'
        raise WrongObjectType(f'a replacement for "{name}" cannot read {what}', position=at)
