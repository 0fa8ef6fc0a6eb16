"""What is visible, and what the session may do: everything, to whatever there is."""

from collections.abc import Mapping
from typing import Final

from engine.catalog.items import Table
from engine.catalog.system import describe
from engine.catalog.system.answers.names import Answer, Make, MakeNow, Moment, Names, constant
from engine.expr.text_forms import RawValue

UPDATABLE: Final = 28
"""INSERT, UPDATE and DELETE, as the bits of pg_relation_is_updatable."""


def _table_visible(names: Names) -> Answer:
    def answer(oid: int) -> RawValue:
        item = names.catalog.items.get(oid)
        return None if item is None else names.visible(item)

    return answer


def _schemas_visible(names: Names) -> Answer:
    """Of what is in pg_catalog only, which is always searched: types, functions, collations ..."""
    return lambda oid: True


def _privilege(what: str) -> MakeNow:
    """Privileges are not enforced: who exists may do everything with what exists."""

    def make(names: Moment) -> Answer:
        def answer(*arguments: int | str) -> RawValue:
            users = arguments[: len(arguments) - (3 if what == "column" else 2)]
            for user in users:
                _checked_role(names, user)
            on = arguments[len(users)]
            return _exists(names, what, on)

        return answer

    return make


def _system_privilege(names: Moment) -> Answer:
    def answer(*arguments: int | str) -> RawValue:
        for user in arguments[:-1]:
            _checked_role(names, user)
        return True

    return answer


def _checked_role(names: Moment, user: int | str) -> None:
    if isinstance(user, str) and user != "public":
        names.role(describe.quote(user))


def _exists(names: Names, what: str, on: int | str) -> bool | None:
    if what in ("table", "any_column", "column", "sequence"):
        return True if names.item(on) is not None else None
    if what == "schema":
        return names.schema(on) is not None if isinstance(on, str) else True if on in names.schemas else None
    if what == "database" and isinstance(on, str):
        return bool(names.database(on))
    return True


def _has_role(names: Moment) -> Answer:
    def answer(*arguments: int | str) -> RawValue:
        user, role = (names.around.user, arguments[0]) if len(arguments) == 2 else arguments[:2]
        oid = [names.role(describe.quote(name)) if isinstance(name, str) else name for name in (user, role)]
        holder = names.roles.get(oid[0])
        return oid[0] == oid[1] or (holder is not None and holder.superuser)

    return answer


def _updatable(names: Names) -> Answer:
    return lambda oid, *_: UPDATABLE if isinstance(names.catalog.items.get(oid), Table) else 0


def _column_updatable(names: Names) -> Answer:
    return lambda oid, *_: isinstance(names.catalog.items.get(oid), Table)


def _superuser(names: Moment) -> Answer:
    def answer() -> RawValue:
        found = names.catalog.roles.get(names.around.user)
        return names.around.guest if found is None else found.superuser

    return answer


ANSWERS: Final[Mapping[str, Make]] = {
    "pg_table_is_visible": _table_visible,
    **{
        f"pg_{what}_is_visible": _schemas_visible
        for what in ("type", "function", "operator", "opclass", "opfamily", "collation", "conversion",
                     "statistics_obj", "ts_config", "ts_dict", "ts_parser", "ts_template")
    },
    "pg_relation_is_publishable": constant(False),
    "pg_relation_is_updatable": _updatable,
    "pg_column_is_updatable": _column_updatable,
    "row_security_active": constant(False),
}  # fmt: skip

NOW: Final[Mapping[str, MakeNow]] = {
    **{
        f"has_{what}_privilege": _privilege(what)
        for what in ("table", "schema", "database", "function", "sequence", "type", "tablespace", "language",
                     "foreign_data_wrapper", "server", "any_column", "column", "cluster", "connection", "secret",
                     "parameter")
    },
    "has_system_privilege": _system_privilege,
    "pg_has_role": _has_role,
    "has_role": _has_role,
    "mz_is_superuser": _superuser,
}  # fmt: skip
