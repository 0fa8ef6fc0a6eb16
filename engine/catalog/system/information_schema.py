"""information_schema: the SQL standard's views of the catalog, for the database of the session.

What is in no database (the system's relations, temporary ones) is in each of them, so it has a row for each.
"""

from collections.abc import Iterator
from typing import Final

from engine import types
from engine.catalog.catalog import SYSTEM_DATABASE, Catalog
from engine.catalog.items import Item, MaterializedView, Source, SourceRelation, Table, Type, View
from engine.catalog.items import kind as kind_of
from engine.catalog.roles import SUPERUSER
from engine.catalog.system import describe
from engine.catalog.system.definition import Changes, Definition, Row, Rows, Runtime, Surroundings, define, shape
from engine.catalog.system.mz_catalog import items, none, relations, schemas
from engine.catalog.system.pg_relations import defaults, is_composite
from engine.catalog.system.routines import ROUTINES
from engine.types import Column, Nesting, SqlType

PRECISIONS: Final = {
    types.SMALLINT: (16, 2, 0), types.INTEGER: (32, 2, 0), types.BIGINT: (64, 2, 0), types.REAL: (24, 2, None),
    types.DOUBLE: (53, 2, None),
}  # fmt: skip
"""numeric_precision, its radix, numeric_scale."""
MICROSECONDS: Final = (types.TIME, types.TIMESTAMP, types.TIMESTAMPTZ, types.INTERVAL)
OCTETS_MAX: Final = 1 << 30
"""character_octet_length of what has no length."""
PRIVILEGES: Final = ("INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


def homes(item: Item, catalog: Catalog) -> list[str]:
    """The databases that an item is seen in."""
    return sorted(catalog.databases) if item.name.database == SYSTEM_DATABASE else [item.name.database]


def _catalog_name(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for name in sorted(catalog.databases):
        yield name, name


def _schemata(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for database, name in schemas(catalog):
        for home in [database] if database != SYSTEM_DATABASE else sorted(catalog.databases):
            yield home, name, home


def _word(item: Item) -> str:
    match item:
        case View():
            return "VIEW"
        case MaterializedView():
            return "MATERIALIZED VIEW"
        case Source() | SourceRelation() if kind_of(item) == "source":
            return "SOURCE"
        case _:
            return "LOCAL TEMPORARY" if item.name.schema.startswith("mz_temp") else "BASE TABLE"


def _tables(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in relations(catalog):
        for home in homes(item, catalog):
            writable = "YES" if isinstance(item, Table) else "NO"
            yield home, item.name.schema, item.name.item, _word(item), writable, home


def data_type(kind: SqlType) -> str:
    """A type as the standard's views name it: without its modifier, and every array ARRAY."""
    if kind.nesting is Nesting.ARRAY:
        return "ARRAY"
    return "USER-DEFINED" if kind.nesting is not None else describe.format_type(kind.plain)


def _columns(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    """`is_nullable` is of constraints, as in PostgreSQL: of a view's columns it says YES, whatever is known of them."""
    for item in relations(catalog):
        derived = isinstance(item, View | MaterializedView)
        texts = dict(defaults(item))
        writable = "YES" if isinstance(item, Table) else "NO"
        for home in homes(item, catalog):
            for at, column in enumerate(item.columns):
                yield (
                    home, item.name.schema, item.name.item, column.name, at + 1, texts.get(at),
                    "YES" if column.nullable or derived else "NO", data_type(column.type), *_measures(column), home,
                    "pg_catalog", describe.type_name(column.type), str(at + 1), writable, home,
                )  # fmt: skip


def _measures(column: Column) -> Row:
    """character_maximum_length, character_octet_length, numeric_precision, its radix, numeric_scale,
    datetime_precision."""
    kind, modifier = column.type.plain, column.type.modifier
    length = octets = precision = radix = scale = fraction = None
    if kind in (types.VARCHAR, types.CHAR):
        length = modifier[0] if modifier else None
        octets = OCTETS_MAX if length is None else length * 4
    elif kind == types.TEXT:
        octets = OCTETS_MAX
    elif kind == types.NUMERIC:
        radix = 10
        if modifier:
            precision, scale = (*modifier, 0)[:2]
    elif kind in PRECISIONS:
        precision, radix, scale = PRECISIONS[kind]
    elif kind in MICROSECONDS:
        fraction = modifier[0] if modifier and modifier[0] != types.ANY_PRECISION else 6
    elif kind == types.DATE:
        fraction = 0
    return length, octets, precision, radix, scale, fraction


def _views(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item in items(catalog, View):
        assert isinstance(item, View)
        for home in homes(item, catalog):
            yield home, item.name.schema, item.name.item, describe.view_definition(item), home


def _not_nulls(catalog: Catalog) -> Iterator[tuple[Table, str, Column]]:
    """Columns that are NOT NULL are checks in these views; their names are of their numbers, as in PostgreSQL."""
    for item in items(catalog, Table):
        assert isinstance(item, Table)
        for at, column in enumerate(item.columns, 1):
            if not column.nullable:
                yield item, f"{item.id}_{at}_not_null", column


def _table_constraints(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for _index, table, key in describe.keys(catalog):
        word = "PRIMARY KEY" if key.primary else "UNIQUE"
        for home in homes(table, catalog):
            at = (home, table.name.schema)
            yield *at, key.name, *at, table.name.item, word, None if key.primary else "YES", home
    for table, name, _column in _not_nulls(catalog):
        for home in homes(table, catalog):
            at = (home, table.name.schema)
            yield *at, name, *at, table.name.item, "CHECK", None, home


def _key_columns(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for _index, table, key in describe.keys(catalog):
        for home in homes(table, catalog):
            at = (home, table.name.schema)
            for position, column in enumerate(key.columns, 1):
                yield *at, key.name, *at, table.name.item, table.columns[column].name, position, home


def _constraint_columns(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for _index, table, key in describe.keys(catalog):
        for home in homes(table, catalog):
            at = (home, table.name.schema)
            for column in key.columns:
                yield *at, table.name.item, table.columns[column].name, *at, key.name, home


def _constraint_tables(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for _index, table, key in describe.keys(catalog):
        for home in homes(table, catalog):
            at = (home, table.name.schema)
            yield *at, table.name.item, *at, key.name, home


def _checks(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for table, name, column in _not_nulls(catalog):
        for home in homes(table, catalog):
            yield home, table.name.schema, name, f"{describe.quote(column.name)} IS NOT NULL", home


def _view_tables(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for view in items(catalog, View, MaterializedView):
        for home in homes(view, catalog):
            for id_ in sorted(view.depends_on):
                used = catalog.items[id_].name
                yield home, view.name.schema, view.name.item, used.database or home, used.schema, used.item, home


def _routines(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for home in sorted(catalog.databases):
        at = (home, "pg_catalog")
        for row in ROUTINES:
            if row.kind != "a":
                yield (
                    *at, f"{row.name}_{row.oid}", *at, row.name, "FUNCTION", data_type(row.result), *at,
                    describe.type_name(row.result), home,
                )  # fmt: skip


def _routine_privileges(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for home in sorted(catalog.databases):
        at = (home, "pg_catalog")
        for row in ROUTINES:
            for grantee in (SUPERUSER, "PUBLIC"):
                yield SUPERUSER, grantee, *at, f"{row.name}_{row.oid}", *at, row.name, home


def _composites(catalog: Catalog) -> Iterator[tuple[Type, str]]:
    """The named composite types, each with a database that it is seen in."""
    for item in items(catalog, Type):
        if isinstance(item, Type) and is_composite(item):
            yield from ((item, home) for home in homes(item, catalog))


def _user_types(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item, home in _composites(catalog):
        yield home, item.name.schema, item.name.item, home


def _attributes(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for item, home in _composites(catalog):
        for at, (name, kind) in enumerate(item.type.fields, 1):
            yield (
                home, item.name.schema, item.name.item, name, at, data_type(kind), *_measures(Column(name, kind)),
                home, "pg_catalog", describe.type_name(kind), str(at), home,
            )  # fmt: skip


def _parameters(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for home in sorted(catalog.databases):
        at = (home, "pg_catalog")
        for row in ROUTINES:
            for position, kind in enumerate(row.arguments, 1):
                yield (
                    *at, f"{row.name}_{row.oid}", position, data_type(kind), *at, describe.type_name(kind),
                    str(position), home,
                )  # fmt: skip


def _privileges(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    """Privileges are not enforced: the owner grants all of them to everybody."""
    for item in relations(catalog):
        for home in homes(item, catalog):
            for privilege in PRIVILEGES if isinstance(item, Table) else ("SELECT",):
                for grantee in (SUPERUSER, "PUBLIC"):
                    yield SUPERUSER, grantee, home, item.name.schema, item.name.item, privilege, home


def _collations(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for home in sorted(catalog.databases):
        for name in ("C", "POSIX"):
            yield home, "pg_catalog", name, home


def _character_sets(catalog: Catalog, _: Runtime) -> Iterator[Row]:
    for home in sorted(catalog.databases):
        yield "UTF8", "UCS", "UTF8", home, "pg_catalog", "C", home


def _enabled_roles(around: Surroundings) -> Iterator[Row]:
    yield from ((name,) for name in sorted({*around.catalog.roles, around.user}))


_TABLE: Final[tuple[tuple[str, str, Rows, str], ...]] = (
    ("information_schema_catalog_name", "the database", _catalog_name,
     """catalog_name text!"""),
    ("schemata", "the schemas", _schemata,
     """catalog_name text!, schema_name text!, schema_owner text = 'materialize',
        default_character_set_catalog text = null, default_character_set_schema text = null,
        default_character_set_name text = null, sql_path text = null"""),
    ("tables", "relations by kind", _tables,
     """table_catalog text!, table_schema text!, table_name text!, table_type text!,
        self_referencing_column_name text = null, reference_generation text = null, user_defined_type_catalog
        text = null, user_defined_type_schema text = null, user_defined_type_name text = null,
        is_insertable_into text!, is_typed text = 'NO', commit_action text = null"""),
    ("columns", "columns with their types", _columns,
     """table_catalog text!, table_schema text!, table_name text!, column_name text!, ordinal_position int4!,
        column_default text, is_nullable text!, data_type text!, character_maximum_length int4,
        character_octet_length int4, numeric_precision int4, numeric_precision_radix int4, numeric_scale int4,
        datetime_precision int4, interval_type text = null, interval_precision int4 = null,
        character_set_catalog text = null, character_set_schema text = null, character_set_name text = null,
        collation_catalog text = null, collation_schema text = null, collation_name text = null, domain_catalog
        text = null, domain_schema text = null, domain_name text = null, udt_catalog text!, udt_schema text!,
        udt_name text!, scope_catalog text = null, scope_schema text = null, scope_name text = null,
        maximum_cardinality int4 = null, dtd_identifier text!, is_self_referencing text = 'NO', is_identity text
        = 'NO', identity_generation text = null, identity_start text = null, identity_increment text = null,
        identity_maximum text = null, identity_minimum text = null, identity_cycle text = 'NO', is_generated
        text = 'NEVER', generation_expression text = null, is_updatable text!"""),
    ("views", "views and their queries", _views,
     """table_catalog text!, table_schema text!, table_name text!, view_definition text!, check_option text =
        'NONE', is_updatable text = 'NO', is_insertable_into text = 'NO', is_trigger_updatable text = 'NO',
        is_trigger_deletable text = 'NO', is_trigger_insertable_into text = 'NO'"""),
    ("table_constraints", "primary keys, unique constraints, and columns that are NOT NULL", _table_constraints,
     """constraint_catalog text!, constraint_schema text!, constraint_name text!, table_catalog text!,
        table_schema text!, table_name text!, constraint_type text!, is_deferrable text = 'NO',
        initially_deferred text = 'NO', enforced text = 'YES', nulls_distinct text"""),
    ("key_column_usage", "the columns of keys", _key_columns,
     """constraint_catalog text!, constraint_schema text!, constraint_name text!, table_catalog text!,
        table_schema text!, table_name text!, column_name text!, ordinal_position int4!,
        position_in_unique_constraint int4 = null"""),
    ("constraint_column_usage", "the columns of keys", _constraint_columns,
     """table_catalog text!, table_schema text!, table_name text!, column_name text!, constraint_catalog
        text!, constraint_schema text!, constraint_name text!"""),
    ("constraint_table_usage", "the tables of keys", _constraint_tables,
     """table_catalog text!, table_schema text!, table_name text!, constraint_catalog text!,
        constraint_schema text!, constraint_name text!"""),
    ("check_constraints", "columns that are NOT NULL", _checks,
     """constraint_catalog text!, constraint_schema text!, constraint_name text!, check_clause text!"""),
    ("view_table_usage", "what views read", _view_tables,
     """view_catalog text!, view_schema text!, view_name text!, table_catalog text!, table_schema text!,
        table_name text!"""),
    ("routines", "every overload of every function", _routines,
     """specific_catalog text!, specific_schema text!, specific_name text!, routine_catalog text!,
        routine_schema text!, routine_name text!, routine_type text!, module_catalog text = null, module_schema
        text = null, module_name text = null, udt_catalog text = null, udt_schema text = null, udt_name text =
        null, data_type text!, character_maximum_length int4 = null, character_octet_length int4 = null,
        character_set_catalog text = null, character_set_schema text = null, character_set_name text = null,
        collation_catalog text = null, collation_schema text = null, collation_name text = null,
        numeric_precision int4 = null, numeric_precision_radix int4 = null, numeric_scale int4 = null,
        datetime_precision int4 = null, interval_type text = null, interval_precision int4 = null,
        type_udt_catalog text!, type_udt_schema text!, type_udt_name text!, scope_catalog text = null,
        scope_schema text = null, scope_name text = null, maximum_cardinality int4 = null, dtd_identifier text =
        null, routine_body text = 'EXTERNAL', routine_definition text = null, external_name text = null,
        external_language text = 'INTERNAL', parameter_style text = null, is_deterministic text = 'NO',
        sql_data_access text = 'MODIFIES', is_null_call text = null, sql_path text = null, schema_level_routine
        text = 'YES', max_dynamic_result_sets int4 = null, is_user_defined_cast text = null,
        is_implicitly_invocable text = null, security_type text = 'INVOKER', to_sql_specific_catalog text =
        null, to_sql_specific_schema text = null, to_sql_specific_name text = null, as_locator text = null,
        created timestamptz = null, last_altered timestamptz = null, new_savepoint_level text = null,
        is_udt_dependent text = null, result_cast_from_data_type text = null, result_cast_as_locator text =
        null, result_cast_char_max_length int4 = null, result_cast_char_octet_length int4 = null,
        result_cast_char_set_catalog text = null, result_cast_char_set_schema text = null,
        result_cast_char_set_name text = null, result_cast_collation_catalog text = null,
        result_cast_collation_schema text = null, result_cast_collation_name text = null,
        result_cast_numeric_precision int4 = null, result_cast_numeric_precision_radix int4 = null,
        result_cast_numeric_scale int4 = null, result_cast_datetime_precision int4 = null,
        result_cast_interval_type text = null, result_cast_interval_precision int4 = null,
        result_cast_type_udt_catalog text = null, result_cast_type_udt_schema text = null,
        result_cast_type_udt_name text = null, result_cast_scope_catalog text = null, result_cast_scope_schema
        text = null, result_cast_scope_name text = null, result_cast_maximum_cardinality int4 = null,
        result_cast_dtd_identifier text = null"""),
    ("parameters", "the arguments of functions", _parameters,
     """specific_catalog text!, specific_schema text!, specific_name text!, ordinal_position int4!,
        parameter_mode text = 'IN', is_result text = 'NO', as_locator text = 'NO', parameter_name text = null,
        data_type text!, character_maximum_length int4 = null, character_octet_length int4 = null,
        character_set_catalog text = null, character_set_schema text = null, character_set_name text = null,
        collation_catalog text = null, collation_schema text = null, collation_name text = null,
        numeric_precision int4 = null, numeric_precision_radix int4 = null, numeric_scale int4 = null,
        datetime_precision int4 = null, interval_type text = null, interval_precision int4 = null, udt_catalog
        text!, udt_schema text!, udt_name text!, scope_catalog text = null, scope_schema text = null, scope_name
        text = null, maximum_cardinality int4 = null, dtd_identifier text!, parameter_default text = null"""),
    ("table_privileges", "who may do what with relations: everybody everything", _privileges,
     """grantor text!, grantee text!, table_catalog text!, table_schema text!, table_name text!,
        privilege_type text!, is_grantable text = 'YES', with_hierarchy text = 'NO'"""),
    ("role_table_grants", "the same", _privileges,
     """grantor text!, grantee text!, table_catalog text!, table_schema text!, table_name text!,
        privilege_type text!, is_grantable text = 'YES', with_hierarchy text = 'NO'"""),
    ("routine_privileges", "who may call functions: everybody", _routine_privileges,
     """grantor text!, grantee text!, specific_catalog text!, specific_schema text!, specific_name text!,
        routine_catalog text!, routine_schema text!, routine_name text!, privilege_type text = 'EXECUTE',
        is_grantable text = 'YES'"""),
    ("role_routine_grants", "the same", _routine_privileges,
     """grantor text!, grantee text!, specific_catalog text!, specific_schema text!, specific_name text!,
        routine_catalog text!, routine_schema text!, routine_name text!, privilege_type text = 'EXECUTE',
        is_grantable text = 'YES'"""),
    ("attributes", "the fields of composite types", _attributes,
     """udt_catalog text!, udt_schema text!, udt_name text!, attribute_name text!, ordinal_position int4!,
        attribute_default text = null, is_nullable text = 'YES', data_type text!, character_maximum_length int4,
        character_octet_length int4, character_set_catalog text = null, character_set_schema text = null,
        character_set_name text = null, collation_catalog text = null, collation_schema text = null,
        collation_name text = null, numeric_precision int4, numeric_precision_radix int4, numeric_scale int4,
        datetime_precision int4, interval_type text = null, interval_precision int4 = null,
        attribute_udt_catalog text!, attribute_udt_schema text!, attribute_udt_name text!,
        scope_catalog text = null, scope_schema text = null, scope_name text = null,
        maximum_cardinality int4 = null, dtd_identifier text!, is_derived_reference_attribute text = 'NO'"""),
    ("collations", "how texts are ordered", _collations,
     """collation_catalog text!, collation_schema text!, collation_name text!, pad_attribute text = 'NO PAD'"""),
    ("character_sets", "the encoding of the database", _character_sets,
     """character_set_catalog text = null, character_set_schema text = null, character_set_name text!,
        character_repertoire text!, form_of_use text!, default_collate_catalog text!, default_collate_schema
        text!, default_collate_name text!"""),
    ("referential_constraints", "foreign keys: none", none,
     """constraint_catalog text, constraint_schema text, constraint_name text, unique_constraint_catalog
        text, unique_constraint_schema text, unique_constraint_name text, match_option text, update_rule text,
        delete_rule text"""),
    ("sequences", "sequences: none", none,
     """sequence_catalog text, sequence_schema text, sequence_name text, data_type text, numeric_precision
        int4, numeric_precision_radix int4, numeric_scale int4, start_value text, minimum_value text,
        maximum_value text, increment text, cycle_option text"""),
    ("triggers", "triggers: none", none,
     """trigger_catalog text, trigger_schema text, trigger_name text, event_manipulation text,
        event_object_catalog text, event_object_schema text, event_object_table text, action_order int4,
        action_condition text, action_statement text, action_orientation text, action_timing text,
        action_reference_old_table text, action_reference_new_table text, action_reference_old_row text,
        action_reference_new_row text, created timestamptz"""),
    ("domains", "domains: none", none,
     """domain_catalog text, domain_schema text, domain_name text, data_type text, character_maximum_length
        int4, character_octet_length int4, character_set_catalog text, character_set_schema text,
        character_set_name text, collation_catalog text, collation_schema text, collation_name text,
        numeric_precision int4, numeric_precision_radix int4, numeric_scale int4, datetime_precision int4,
        interval_type text, interval_precision int4, domain_default text, udt_catalog text, udt_schema text,
        udt_name text, scope_catalog text, scope_schema text, scope_name text, maximum_cardinality int4,
        dtd_identifier text"""),
    ("element_types", "the element types of arrays, which columns.udt_name tells: none", none,
     """object_catalog text, object_schema text, object_name text, object_type text,
        collection_type_identifier text, data_type text, character_maximum_length int4, character_octet_length
        int4, character_set_catalog text, character_set_schema text, character_set_name text, collation_catalog
        text, collation_schema text, collation_name text, numeric_precision int4, numeric_precision_radix int4,
        numeric_scale int4, datetime_precision int4, interval_type text, interval_precision int4, domain_default
        text, udt_catalog text, udt_schema text, udt_name text, scope_catalog text, scope_schema text,
        scope_name text, maximum_cardinality int4, dtd_identifier text"""),
    ("user_defined_types", "composite types", _user_types,
     """user_defined_type_catalog text!, user_defined_type_schema text!, user_defined_type_name text!,
        user_defined_type_category text = 'STRUCTURED', is_instantiable text = 'YES', is_final text = null,
        ordering_form text = null, ordering_category text = null, ordering_routine_catalog text = null,
        ordering_routine_schema text = null, ordering_routine_name text = null, reference_type text = null,
        data_type text = null, character_maximum_length int4 = null, character_octet_length int4 = null,
        character_set_catalog text = null, character_set_schema text = null, character_set_name text = null,
        collation_catalog text = null, collation_schema text = null, collation_name text = null,
        numeric_precision int4 = null, numeric_precision_radix int4 = null, numeric_scale int4 = null,
        datetime_precision int4 = null, interval_type text = null, interval_precision int4 = null,
        source_dtd_identifier text = null, ref_dtd_identifier text = null"""),
    ("column_privileges", "privileges of single columns: none", none,
     """grantor text, grantee text, table_catalog text, table_schema text, table_name text, column_name text,
        privilege_type text, is_grantable text"""),
    ("role_column_grants", "the same: none", none,
     """grantor text, grantee text, table_catalog text, table_schema text, table_name text, column_name text,
        privilege_type text, is_grantable text"""),
    ("usage_privileges", "privileges of what is no relation: none", none,
     """grantor text, grantee text, object_catalog text, object_schema text, object_name text, object_type
        text, privilege_type text, is_grantable text"""),
    ("role_usage_grants", "the same: none", none,
     """grantor text, grantee text, object_catalog text, object_schema text, object_name text, object_type
        text, privilege_type text, is_grantable text"""),
    ("udt_privileges", "privileges of types: none", none,
     """grantor text, grantee text, udt_catalog text, udt_schema text, udt_name text, privilege_type text,
        is_grantable text"""),
    ("view_column_usage", "the columns that views read, which are not kept: none", none,
     """view_catalog text, view_schema text, view_name text, table_catalog text, table_schema text,
        table_name text, column_name text"""),
    ("foreign_tables", "foreign tables: none", none,
     """foreign_table_catalog text, foreign_table_schema text, foreign_table_name text,
        foreign_server_catalog text, foreign_server_name text"""),
    ("column_domain_usage", "columns of domains: none", none,
     """domain_catalog text, domain_schema text, domain_name text, table_catalog text, table_schema text,
        table_name text, column_name text"""),
    ("administrable_role_authorizations", "roles that the session may grant: none", none,
     """grantee text, role_name text, is_grantable text"""),
    ("applicable_roles", "roles that the session's is in: none", none,
     """grantee text, role_name text, is_grantable text"""),
    ("sql_features", "what of SQL is supported: none", none,
     """feature_id text, feature_name text, sub_feature_id text, sub_feature_name text, is_supported text,
        is_verified_by text, comments text"""),
)  # fmt: skip

DEFINITIONS: Final = (
    *(
        define("information_schema", name, 13_300 + i, text, doc, rows, scoped=rows is not none)
        for i, (name, doc, rows, text) in enumerate(_TABLE)
    ),
    Definition(
        "information_schema", "enabled_roles", 13_299, shape("role_name text!")[0], "the roles that the session has",
        None, Changes.SESSION, of_session=_enabled_roles,
    ),
)  # fmt: skip
