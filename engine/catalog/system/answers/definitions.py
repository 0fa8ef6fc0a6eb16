"""Objects as the statements that would make them: pg_get_viewdef, pg_get_indexdef, pg_get_functiondef ..."""

from collections.abc import Callable, Mapping
from typing import Final

from engine.catalog.items import Index, MaterializedView, Table, View
from engine.catalog.system import describe
from engine.catalog.system.answers.names import Answer, Make, Names, constant
from engine.catalog.system.routines import BY_OID as ROUTINES
from engine.catalog.system.routines import Routine
from engine.expr.text_forms import RawValue


def _viewdef(names: Names) -> Answer:
    def answer(on: int | str, *_: RawValue) -> RawValue:
        item = names.item(on)
        return describe.view_definition(item) if isinstance(item, View | MaterializedView) else None

    return answer


def _indexdef(names: Names) -> Answer:
    def answer(oid: int, column: int = 0, _: bool = False) -> RawValue:
        catalog = names.catalog
        item = catalog.items.get(oid)
        if not isinstance(item, Index):
            return None
        return describe.index_column(item, column, catalog) if column else describe.index_definition(item, catalog)

    return answer


def _constraintdef(names: Names) -> Answer:
    def answer(oid: int, *_: RawValue) -> RawValue:
        catalog = names.catalog
        index = catalog.items.get(oid)
        key = describe.key_of(index, catalog) if isinstance(index, Index) else None
        if key is None or not isinstance(index, Index):
            return None
        table = catalog.items[index.on]
        assert isinstance(table, Table)
        return describe.key_definition(key, table)

    return answer


def _function_text(make: Callable[[Routine], str]) -> Make:
    def of(names: Names) -> Answer:
        def answer(oid: int, *_: RawValue) -> RawValue:
            routine = ROUTINES.get(oid)
            return None if routine is None else make(routine)

        return answer

    return of


def signature(routine: Routine) -> str:
    parts = [describe.format_type(kind) for kind in routine.arguments]
    if routine.variadic:
        parts[-1] = f"VARIADIC {parts[-1]}"
    return ", ".join(parts)


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
        item = names.catalog.items.get(oid)
        if not isinstance(item, View | MaterializedView):
            return None
        return (
            f'CREATE RULE "_RETURN" AS\n    ON SELECT TO {describe.qualified(item.name)} DO INSTEAD '
            f"{describe.view_definition(item)}"
        )

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
            "pg_get_function_arg_default", "pg_get_function_sqlbody", "pg_get_triggerdef", "pg_get_partkeydef",
            "pg_get_partition_constraintdef", "pg_get_statisticsobjdef", "pg_get_statisticsobjdef_columns",
            "pg_get_serial_sequence",
        )
    },
}  # fmt: skip
