"""The functions that read the catalog of the moment, and the casts between OIDs and names.

Each answer is made for one statement from what the statement stands in, and then called with the raw values of each
distinct row of arguments. Names are resolved by the session's search path; of what does not exist most functions say
NULL, as in PostgreSQL, and those that take a name say that it does not exist.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from engine import types
from engine.catalog.catalog import IMPLICIT_SCHEMAS, SYSTEM_DATABASE
from engine.catalog.items import Index, Item, MaterializedView, SystemRelation, Table, Type, View
from engine.catalog.roles import Role
from engine.catalog.system import describe
from engine.catalog.system.definition import Surroundings
from engine.catalog.system.mz_catalog import schemas
from engine.catalog.system.pg_relations import CLASS
from engine.catalog.system.pg_state import roles
from engine.catalog.system.pg_types import CUSTOM, PSEUDO
from engine.catalog.system.routines import BY_OID as ROUTINES
from engine.catalog.system.routines import Routine
from engine.collection.words import raw_of
from engine.errors import (
    AmbiguousName,
    DataError,
    UnknownDatabase,
    UnknownFunction,
    UnknownName,
    UnknownRelation,
    UnknownSchema,
)
from engine.expr.text_forms import RawValue
from engine.types import SqlType

ENCODINGS: Final[Mapping[int, str]] = {0: "SQL_ASCII", 6: "UTF8", 8: "LATIN1"}
TYPES: Final[Mapping[int, SqlType]] = types.BY_OID
MICROSECONDS: Final = 1_000_000
UPDATABLE: Final = 28
"""INSERT, UPDATE and DELETE, as the bits of pg_relation_is_updatable."""


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


@dataclass(frozen=True)
class Names:
    """What names and numbers mean where a statement stands."""

    around: Surroundings

    @cached_property
    def schemas(self) -> dict[int, tuple[str, str]]:
        oids = self.around.runtime.oids
        return {oids.schema(*pair): pair for pair in schemas(self.around.catalog)}

    @cached_property
    def roles(self) -> dict[int, Role]:
        found = roles(self.around.catalog, self.around.runtime)
        if self.around.user not in found:
            found[self.around.user] = Role(self.around.user, True, True, True, True)
        return {self.around.runtime.oids.role(name): role for name, role in found.items()}

    def relation(self, name: str) -> Item:
        parts = split(name.strip())
        item = self.around.catalog.find(parts, self.around.path)
        if item is None:
            raise UnknownRelation(f'relation "{name}" does not exist')
        return item

    def item(self, on: int | str) -> Item | None:
        """A relation by its number or its name."""
        return self.relation(on) if isinstance(on, str) else self.around.catalog.items.get(on)

    def visible(self, item: Item) -> bool:
        """Whether the bare name finds it. Our own system relations are found, but say no: clients list what is visible
        and not in pg_catalog as the user's."""
        return item.name.schema not in OWN and self.around.catalog.find([item.name.item], self.around.path) is item

    def shown(self, item: Item) -> str:
        return describe.quote(item.name.item) if self.visible(item) else describe.qualified(item.name)

    def schema(self, name: str) -> tuple[str, str]:
        for pair in ((SYSTEM_DATABASE, name), (self.around.path.database, name)):
            if pair in self.schemas.values():
                return pair
        raise UnknownSchema(f'schema "{name}" does not exist')

    def type(self, name: str) -> SqlType | None:
        """A type by its name in SQL or in pg_type, perhaps with a schema, a modifier, and [] behind it."""
        text = name.strip().lower().replace('"', "").removeprefix("pg_catalog.")
        element = text.removesuffix("[]").removeprefix("_")
        bare = element.partition("(")[0].strip() + element.partition(")")[2]
        found = types.INTERNAL_CHAR if name.strip() == '"char"' else types.ALIASES.get(bare)
        if found is None:
            item = self.around.catalog.find(split(name.strip()), self.around.path)
            return item.type if isinstance(item, Type) else None
        return types.array_of(found) if text != element else found

    def functions(self, name: str) -> list[Routine]:
        bare = split(name.strip())[-1]
        return [row for row in ROUTINES.values() if row.name == bare]


OWN: Final = ("mz_catalog", "mz_internal")
Answer = Callable[..., RawValue]
Make = Callable[[Names], Answer]


def constant(value: RawValue) -> Make:
    return lambda names: lambda *arguments: value


def _viewdef(names: Names) -> Answer:
    def answer(on: int | str, *_: RawValue) -> RawValue:
        item = names.item(on)
        return describe.view_definition(item) if isinstance(item, View | MaterializedView) else None

    return answer


def _indexdef(names: Names) -> Answer:
    def answer(oid: int, column: int = 0, _: bool = False) -> RawValue:
        catalog = names.around.catalog
        item = catalog.items.get(oid)
        if not isinstance(item, Index):
            return None
        return describe.index_column(item, column, catalog) if column else describe.index_definition(item, catalog)

    return answer


def _constraintdef(names: Names) -> Answer:
    def answer(oid: int, *_: RawValue) -> RawValue:
        catalog = names.around.catalog
        index = catalog.items.get(oid)
        key = describe.key_of(index, catalog) if isinstance(index, Index) else None
        if key is None or not isinstance(index, Index):
            return None
        table = catalog.items[index.on]
        assert isinstance(table, Table)
        return describe.key_definition(key, table)

    return answer


def signature(routine: Routine) -> str:
    parts = [describe.format_type(kind) for kind in routine.arguments]
    if routine.variadic:
        parts[-1] = f"VARIADIC {parts[-1]}"
    return ", ".join(parts)


def _function_text(make: Callable[[Routine], str]) -> Make:
    def of(names: Names) -> Answer:
        def answer(oid: int, *_: RawValue) -> RawValue:
            routine = ROUTINES.get(oid)
            return None if routine is None else make(routine)

        return answer

    return of


def _result(routine: Routine) -> str:
    return ("SETOF " if routine.returns_set else "") + describe.format_type(routine.result)


def _definition(routine: Routine) -> str:
    strict = " STRICT" if routine.strict else ""
    return (
        f"CREATE OR REPLACE FUNCTION pg_catalog.{describe.quote(routine.name)}({signature(routine)})\n"
        f" RETURNS {_result(routine)}\n LANGUAGE internal\n{'' if routine.volatile else ' IMMUTABLE'}{strict}\n"
        f"AS $function${routine.name}$function$\n"
    )


def _ruledef(names: Names) -> Answer:
    def answer(oid: int, *_: RawValue) -> RawValue:
        item = names.around.catalog.items.get(oid)
        if not isinstance(item, View | MaterializedView):
            return None
        return (
            f'CREATE RULE "_RETURN" AS\n    ON SELECT TO {describe.qualified(item.name)} DO INSTEAD '
            f"{describe.view_definition(item)}"
        )

    return answer


def _user(names: Names) -> Answer:
    def answer(oid: int) -> RawValue:
        role = names.roles.get(oid)
        return f"unknown (OID={oid})" if role is None else role.name

    return answer


def _description(names: Names) -> Answer:
    def answer(oid: int, catalog: str = "pg_class") -> RawValue:
        comments = names.around.catalog.comments
        if catalog in ("pg_class", "pg_type"):
            item = names.around.catalog.items.get(oid)
            return comments.get(("item", str(oid), 0), item.doc if isinstance(item, SystemRelation) else None)
        if catalog == "pg_namespace" and oid in names.schemas:
            return comments.get(("schema", ".".join(names.schemas[oid]), 0))
        if catalog == "pg_proc":
            routine = ROUTINES.get(oid)
            return None if routine is None else routine.doc
        return None

    return answer


def _column_description(names: Names) -> Answer:
    return lambda oid, column: names.around.catalog.comments.get(("item", str(oid), column)) if column else None


def _shared_description(names: Names) -> Answer:
    def answer(oid: int, catalog: str) -> RawValue:
        comments, oids = names.around.catalog.comments, names.around.runtime.oids
        if catalog == "pg_database":
            found = [name for name in names.around.catalog.databases if oids.database(name) == oid]
            return comments.get(("database", found[0], 0)) if found else None
        role = names.roles.get(oid) if catalog == "pg_authid" else None
        return None if role is None else comments.get(("role", role.name, 0))

    return answer


def _encoding(names: Names) -> Answer:
    return lambda number: ENCODINGS.get(number, "")


def _encoding_number(names: Names) -> Answer:
    numbers = {name.lower().replace("_", ""): number for number, name in ENCODINGS.items()}
    return lambda name: numbers.get(name.lower().replace("-", "").replace("_", ""), -1)


def _sizes(names: Names, ids: Sequence[int]) -> int:
    return sum(names.around.runtime.bytes.get(id_, 0) for id_ in ids)


def _relation_size(names: Names) -> Answer:
    def answer(oid: int, fork: str = "main") -> RawValue:
        if oid not in names.around.catalog.items:
            return None
        return _sizes(names, [oid]) if fork == "main" else 0

    return answer


def _with_indexes(own: bool) -> Make:
    def make(names: Names) -> Answer:
        def answer(oid: int) -> RawValue:
            if oid not in names.around.catalog.items:
                return None
            indexes = [index.id for index in names.around.catalog.indexes(oid)]
            return _sizes(names, [*indexes, oid] if own else indexes)

        return answer

    return make


def _database_size(names: Names) -> Answer:
    def answer(on: int | str) -> RawValue:
        name = _database(names, on)
        items = names.around.catalog.items.values()
        return _sizes(names, [item.id for item in items if item.name.database == name])

    return answer


def _database(names: Names, on: int | str) -> str:
    for name in names.around.catalog.databases:
        if on in (name, names.around.runtime.oids.database(name)):
            return name
    raise UnknownDatabase(f'database "{on}" does not exist')


def _all_sizes(names: Names) -> Answer:
    return lambda on: _sizes(names, list(names.around.catalog.items))


def _filenode(names: Names) -> Answer:
    return lambda oid: oid if oid in names.around.catalog.items else None


def _replica_identity(names: Names) -> Answer:
    def answer(oid: int) -> RawValue:
        catalog = names.around.catalog
        for index in catalog.indexes(oid):
            key = describe.key_of(index, catalog)
            if key is not None and key.primary:
                return index.id
        return None

    return answer


def _temporary(names: Names) -> Answer:
    def answer() -> RawValue:
        pair = (SYSTEM_DATABASE, names.around.path.temporary)
        return names.around.runtime.oids.schema(*pair) if pair in names.schemas.values() else 0

    return answer


def _other_temporary(names: Names) -> Answer:
    def answer(oid: int) -> RawValue:
        _, name = names.schemas.get(oid, ("", ""))
        return name.startswith("mz_temp") and name != names.around.path.temporary

    return answer


def _or_null(find: Callable[[Names], Answer]) -> Make:
    """The same, NULL for a name that there is not."""

    def make(names: Names) -> Answer:
        look = find(names)

        def answer(name: str) -> RawValue:
            try:
                return look(name)
            except DataError:
                return None

        return answer

    return make


def _number_or(find: Callable[[Names, str], int]) -> Callable[[Names], Answer]:
    """What reads a name: a number is itself, and - none."""

    def make(names: Names) -> Answer:
        def answer(text: str) -> RawValue:
            bare = text.strip()
            if bare.isdigit():
                return int(bare)
            return 0 if bare == "-" else find(names, bare)

        return answer

    return make


def _class_of(names: Names, name: str) -> int:
    return names.relation(name).id


def _type_of(names: Names, name: str) -> int:
    item = names.around.catalog.find(split(name.strip()), names.around.path)
    if isinstance(item, Type):
        return item.id
    found = names.type(name)
    if found is not None:
        return found.oid
    for oid, custom in (*PSEUDO, *CUSTOM):
        if custom == name.strip('"').removeprefix("pg_catalog."):
            return oid
    raise UnknownName(f'type "{name}" does not exist')


def _function_of(names: Names, name: str) -> int:
    found = names.functions(name)
    if not found:
        raise UnknownFunction(f'function "{name}" does not exist')
    if len(found) > 1:
        raise AmbiguousName(f'more than one function named "{name}"')
    return found[0].oid


def _procedure_of(names: Names, text: str) -> int:
    name, _, rest = text.partition("(")
    wanted = [names.type(part) for part in rest.rstrip(")").split(",") if part.strip()]
    for routine in names.functions(name):
        if list(routine.arguments) == wanted:
            return routine.oid
    raise UnknownFunction(f'function "{text}" does not exist')


def _schema_of(names: Names, name: str) -> int:
    return names.around.runtime.oids.schema(*names.schema(split(name)[-1]))


def _role_of(names: Names, name: str) -> int:
    wanted = split(name)[-1]
    for oid, role in names.roles.items():
        if role.name == wanted:
            return oid
    raise UnknownName(f'role "{name}" does not exist')


READ: Final[Mapping[SqlType, Callable[[Names], Answer]]] = {
    types.REGCLASS: _number_or(_class_of),
    types.REGTYPE: _number_or(_type_of),
    types.REGPROC: _number_or(_function_of),
    types.REGPROCEDURE: _number_or(_procedure_of),
    types.REGNAMESPACE: _number_or(_schema_of),
    types.REGROLE: _number_or(_role_of),
}
"""A name as the number that it means."""


def _class_name(names: Names, oid: int) -> str | None:
    item = names.around.catalog.items.get(oid)
    return None if item is None else names.shown(item)


def _type_name(names: Names, oid: int) -> str | None:
    found = TYPES.get(oid)
    item = names.around.catalog.items.get(oid)
    if isinstance(item, Type):
        return names.shown(item)
    return describe.format_type(found) if found is not None else dict((*PSEUDO, *CUSTOM)).get(oid)


def _function_name(names: Names, oid: int) -> str | None:
    found = ROUTINES.get(oid)
    return None if found is None else describe.quote(found.name)


def _procedure_name(names: Names, oid: int) -> str | None:
    found = ROUTINES.get(oid)
    return None if found is None else f"{describe.quote(found.name)}({signature(found).replace(', ', ',')})"


def _schema_name(names: Names, oid: int) -> str | None:
    found = names.schemas.get(oid)
    return None if found is None else describe.quote(found[1])


def _role_name(names: Names, oid: int) -> str | None:
    found = names.roles.get(oid)
    return None if found is None else describe.quote(found.name)


SHOW: Final[Mapping[SqlType, Callable[[Names, int], str | None]]] = {
    types.REGCLASS: _class_name,
    types.REGTYPE: _type_name,
    types.REGPROC: _function_name,
    types.REGPROCEDURE: _procedure_name,
    types.REGNAMESPACE: _schema_name,
    types.REGROLE: _role_name,
}
"""A number as the name that it has."""


def _shown(kind: SqlType) -> Make:
    """The text of a number: the number itself where nothing has it, and - for none."""

    def make(names: Names) -> Answer:
        show = SHOW[kind]
        return lambda oid: "-" if oid == 0 else show(names, oid) or str(oid)

    return make


def _table_visible(names: Names) -> Answer:
    def answer(oid: int) -> RawValue:
        item = names.around.catalog.items.get(oid)
        return None if item is None else names.visible(item)

    return answer


def _schemas_visible(names: Names) -> Answer:
    """Of what is in pg_catalog only, which is always searched: types, functions, collations ..."""
    return lambda oid: True


def _privilege(what: str) -> Make:
    """Privileges are not enforced: who exists may do everything with what exists."""

    def make(names: Names) -> Answer:
        def answer(*arguments: int | str) -> RawValue:
            users = arguments[: len(arguments) - (3 if what == "column" else 2)]
            for user in users:
                _checked_role(names, user)
            on = arguments[len(users)]
            return _exists(names, what, on)

        return answer

    return make


def _checked_role(names: Names, user: int | str) -> None:
    if isinstance(user, str) and user != "public":
        _role_of(names, describe.quote(user))


def _exists(names: Names, what: str, on: int | str) -> bool | None:
    if what in ("table", "any_column", "column", "sequence"):
        return True if names.item(on) is not None else None
    if what == "schema":
        return names.schema(on) is not None if isinstance(on, str) else True if on in names.schemas else None
    if what == "database" and isinstance(on, str):
        return bool(_database(names, on))
    return True


def _has_role(names: Names) -> Answer:
    def answer(*arguments: int | str) -> RawValue:
        user, role = (names.around.user, arguments[0]) if len(arguments) == 2 else arguments[:2]
        oid = [_role_of(names, describe.quote(name)) if isinstance(name, str) else name for name in (user, role)]
        holder = names.roles.get(oid[0])
        return oid[0] == oid[1] or (holder is not None and holder.superuser)

    return answer


def _updatable(names: Names) -> Answer:
    return lambda oid, *_: UPDATABLE if isinstance(names.around.catalog.items.get(oid), Table) else 0


def _column_updatable(names: Names) -> Answer:
    return lambda oid, *_: isinstance(names.around.catalog.items.get(oid), Table)


def _superuser(names: Names) -> Answer:
    def answer() -> RawValue:
        found = names.around.catalog.roles.get(names.around.user)
        return True if found is None else found.superuser

    return answer


def _current_schemas(names: Names) -> Answer:
    def answer(implicit: bool) -> RawValue:
        known = set(names.schemas.values())
        path = names.around.path
        found = [name for name in path.schemas if {(path.database, name), (SYSTEM_DATABASE, name)} & known]
        before = [name for name in IMPLICIT_SCHEMAS if name not in found] if implicit else []
        return raw_of([*before, *found], types.array_of(types.TEXT))

    return answer


def _setting(names: Names) -> Answer:
    values = {name.lower(): value for name, value in names.around.variables.items()}

    def answer(name: str, missing_ok: bool = False) -> RawValue:
        found = values.get(name.lower())
        if found is None and not missing_ok:
            raise UnknownName(f'unrecognized configuration parameter "{name}"')
        return found

    return answer


def _assignment(names: Names) -> Answer:
    """The variable is assigned by the statement that runs: see Context.assigned."""

    def answer(name: str, value: str, _: bool) -> RawValue:
        names.around.assigned.append((name, value))
        return value

    return answer


def _began(names: Names) -> Answer:
    began = names.around.runtime.began
    return lambda: round(began.timestamp() * MICROSECONDS)


def _format_type(names: Names) -> Answer:
    def answer(oid: int | None, typmod: int | None) -> RawValue:
        if oid is None:
            return None
        found = TYPES.get(oid)
        if found is not None:
            return describe.with_typmod(found, typmod)
        return "-" if oid == 0 else _type_name(names, oid) or "???"

    return answer


def _described(names: Names) -> Answer:
    def answer(catalog: int, oid: int, column: int) -> RawValue:
        item = names.around.catalog.items.get(oid) if catalog == CLASS else None
        if item is None:
            return None
        at = f"column {item.columns[column - 1].name} of " if 0 < column <= len(item.columns) else ""
        return f"{at}{'index' if isinstance(item, Index) else 'table'} {names.shown(item)}"

    return answer


ANSWERS: Final[Mapping[str, Make]] = {
    "pg_get_viewdef": _viewdef,
    "pg_get_indexdef": _indexdef,
    "pg_get_constraintdef": _constraintdef,
    "pg_get_expr": lambda names: lambda text, *_: text,
    "pg_get_functiondef": _function_text(_definition),
    "pg_get_function_arguments": _function_text(signature),
    "pg_get_function_identity_arguments": _function_text(signature),
    "pg_get_function_result": _function_text(_result),
    "pg_get_ruledef": _ruledef,
    **{
        name: constant(None)
        for name in (
            "pg_get_function_arg_default", "pg_get_function_sqlbody",
            "pg_get_triggerdef", "pg_advisory_unlock_all", "pg_get_partkeydef", "pg_get_partition_constraintdef",
            "pg_get_statisticsobjdef", "pg_get_statisticsobjdef_columns", "pg_get_serial_sequence",
            "inet_server_addr", "inet_server_port", "inet_client_addr",
            "inet_client_port",
        )
    },
    "pg_get_userbyid": _user,
    "obj_description": _description,
    "shobj_description": _shared_description,
    "col_description": _column_description,
    "pg_encoding_to_char": _encoding,
    "pg_char_to_encoding": _encoding_number,
    "pg_client_encoding": constant("UTF8"),
    "getdatabaseencoding": constant("UTF8"),
    "pg_tablespace_location": constant(""),
    "pg_describe_object": _described,
    "pg_relation_size": _relation_size,
    "pg_stat_get_numscans": constant(0),
    "pg_table_size": _relation_size,
    "pg_indexes_size": _with_indexes(False),
    "pg_total_relation_size": _with_indexes(True),
    "pg_database_size": _database_size,
    "pg_tablespace_size": _all_sizes,
    "pg_relation_filenode": _filenode,
    "pg_my_temp_schema": _temporary,
    "pg_is_other_temp_schema": _other_temporary,
    "pg_get_replica_identity_index": _replica_identity,
    **{
        f"to_{kind.name}": _or_null(read)
        for kind, read in READ.items()
    },
    "pg_table_is_visible": _table_visible,
    **{
        f"pg_{what}_is_visible": _schemas_visible
        for what in ("type", "function", "operator", "opclass", "opfamily", "collation", "conversion",
                     "statistics_obj", "ts_config", "ts_dict", "ts_parser", "ts_template")
    },
    **{
        f"has_{what}_privilege": _privilege(what)
        for what in ("table", "schema", "database", "function", "sequence", "type", "tablespace", "language",
                     "foreign_data_wrapper", "server", "any_column", "column")
    },
    "pg_has_role": _has_role,
    "pg_is_in_recovery": constant(False),
    "pg_relation_is_publishable": constant(False),
    "pg_relation_is_updatable": _updatable,
    "pg_column_is_updatable": _column_updatable,
    "row_security_active": constant(False),
    "mz_is_superuser": _superuser,
    "current_schemas": _current_schemas,
    "current_setting": _setting,
    "set_config": _assignment,
    "pg_postmaster_start_time": _began,
    "pg_conf_load_time": _began,
    "pg_backend_pid": lambda names: lambda: names.around.session,
    "format_type": _format_type,
}  # fmt: skip
"""What makes a function's answer, by its name."""


def answer(name: str, parameters: Sequence[SqlType], result: SqlType, around: Surroundings) -> Answer | None:
    """What a function of the catalog answers in a statement; None: it is none of these."""
    if name == "cast":
        if parameters[0] in types.REGISTERED:
            return _shown(parameters[0])(Names(around))
        if result.plain in types.REGISTERED:
            return READ[result.plain](Names(around))
        return None
    make = ANSWERS.get(name)
    return None if make is None else make(Names(around))
