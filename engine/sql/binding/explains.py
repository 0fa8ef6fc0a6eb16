"""EXPLAIN: what is to be shown of which query."""

from typing import Final

from engine.catalog.items import Index, MaterializedView, View, kind
from engine.catalog.system.ids import object_id
from engine.errors import InvalidParameter, WrongObjectType
from engine.plan.explaining.options import OF_RELATIONS, OPTIONS, VERBOSE, Shown
from engine.plan.relation import Query
from engine.sql import bound, dialect, statements, syntax
from engine.sql.binding.clock import ticking
from engine.sql.binding.context import Context
from engine.sql.binding.options import schedule
from engine.sql.binding.queries import Queries
from engine.sql.binding.reads import query, time_of
from engine.sql.binding.session import settle
from engine.sql.binding.writing import text
from engine.sql.statement.parts import ObjectKind
from engine.sql.statement.session import Form, Stage


def explain(statement: statements.Explain, context: Context) -> bound.BoundExplain:
    runs, kept, refreshed = None, False, None
    if isinstance(statement.target, syntax.Name):
        name = statement.target
        item = context.catalog.resolve(name.parts, context.path, name.at)
        if isinstance(item, Index):
            item, kept = context.catalog.items[item.on], True
        kept = kept or isinstance(item, MaterializedView)
        own = isinstance(item, View | MaterializedView)
        relation = item.relation if own else Queries(context).read(item, name.at)
        found = Query(relation, tuple(column.name for column in item.columns))
        runs = item.id if own and not statement.replan else None
        refreshed = item.schedule if isinstance(item, MaterializedView) else None
    elif isinstance(statement.target, statements.CreateView):
        found, _ = Queries(context).top(statement.target.query)
        refreshed = schedule(statement.target.options, context.now) if statement.target.materialized else None
    else:
        found, _ = Queries(context).top(statement.target)
    relation = ticking(found.relation) if kept else found.relation
    whole = Query(settle(relation, context, goes_on=kept), found.names, found.finishing)
    return bound.BoundExplain(statement.stage, whole, _shown(statement), statement.form is Form.JSON, runs, refreshed)


def _shown(statement: statements.Explain) -> Shown:
    base = VERBOSE if statement.form is Form.VERBOSE_TEXT else Shown()
    asked = {name: getattr(base, name) for name in OPTIONS}
    physical = statement.stage is Stage.PHYSICAL
    for option in statement.options:
        name = option.name.replace(" ", "_")
        if option.value not in (None, True, False):
            raise InvalidParameter(f"{option.name.upper()} is either true or false", position=option.at)
        if name in OPTIONS:
            if physical and name in OF_RELATIONS:
                hint = "Ask for them with OPTIMIZED PLAN."
                raise InvalidParameter(f"a PHYSICAL PLAN does not know {option.name}", hint=hint, position=option.at)
            asked[name] = option.value is not False
        else:
            known = ", ".join(known.replace("_", " ") for known in OPTIONS)
            hint = f"There are {known}."
            raise InvalidParameter(f'unrecognized EXPLAIN option "{option.name}"', hint=hint, position=option.at)
    return Shown(**{name: given and not (physical and name in OF_RELATIONS) for name, given in asked.items()})


def explain_timestamp(statement: statements.ExplainTimestamp, context: Context) -> bound.BoundExplainTimestamp:
    binder = Queries(context)
    found, _ = binder.top(statement.query)
    at = time_of(statement.as_of, context)
    relation = settle(found.relation, context)
    return bound.BoundExplainTimestamp(relation, frozenset(binder.reads), at, statement.form is Form.JSON)


OPERATORS: Final = """
WITH RECURSIVE part (id) AS (
    SELECT operator_id FROM mz_internal.mz_dataflow_exports WHERE object_id = {id}
    UNION
    SELECT c.from_operator_id FROM mz_internal.mz_dataflow_channels AS c JOIN part ON c.to_operator_id = part.id
)
SELECT {columns}
FROM mz_internal.mz_dataflow_operators AS o JOIN part ON o.id = part.id
ORDER BY o.id DESC
"""
"""What an object's operators took: the one that gives it first. An operator that others share counts whole."""

MEASURES: Final = {
    "cpu": ("o.elapsed AS total_elapsed",),
    "memory": ("pg_size_pretty(o.bytes) AS total_memory", "o.records AS total_records"),
    "hints": ("NULL::integer AS levels", "NULL::text AS to_cut", "NULL::text AS savings", "NULL::numeric AS hint"),
}
"""The columns of EXPLAIN ANALYZE. No operator takes a hint: there is none to be given."""

SKEW: Final = ("0 AS worker_id", "1.0 AS worker_ratio")
"""There is one worker, and it does all."""


def explain_analyze(statement: statements.ExplainAnalyze, context: Context) -> bound.BoundSelect:
    """A query over the running operators, or (AS SQL) its text."""
    name = statement.name
    item = context.catalog.resolve(name.parts, context.path, name.at)
    wanted = Index if statement.kind is ObjectKind.INDEX else MaterializedView
    if not isinstance(item, wanted):
        raise WrongObjectType(f'"{name}" is not a {statement.kind}', hint=f"It is a {kind(item)}.", position=name.at)
    exported = item.on if isinstance(item, Index) else item.id
    columns = ["o.plan AS operator", *(SKEW if statement.skew else ())]
    columns += [column for what in statement.what for column in MEASURES[what]]
    sql = OPERATORS.format(id=text(object_id(exported)), columns=", ".join(columns)).strip()
    if "hints" in statement.what:
        sql = sql.replace("ORDER BY", "WHERE false ORDER BY")
    if statement.as_sql:
        return query(dialect.parse_query(f"SELECT {text(sql)} AS sql"), context)
    return query(dialect.parse_query(sql), context)
