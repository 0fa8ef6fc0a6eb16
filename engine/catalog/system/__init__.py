"""System relations and functions: the catalog and the runtime, as SQL sees them.

definition.py          what a system relation is: columns, and a function from (catalog, runtime) to rows
oids.py                the numbers of what has a name but no id: databases, schemas, roles, functions
mz_catalog.py          the objects as this system has them
mz_internal.py         what the workers and sessions are doing: sizes, frontiers, hydration, sources, sessions
mz_introspection.py    what of these two later versions of Materialize have in a schema of that name
mz_dataflow.py         the same by dataflow and operator; what statements have run
pg_relations.py        pg_class, pg_attribute, pg_index, pg_constraint ... as PostgreSQL's clients read them
pg_types.py            pg_type, pg_proc, pg_cast ...
pg_operators.py        pg_operator, pg_aggregate, pg_opclass ...
operators.py           every operator, as pg_operator lists it
routines.py            every function, as pg_proc lists it
type_io.py             PostgreSQL's functions that read and write the values of each type
pg_state.py            pg_database, pg_roles, pg_settings, pg_stat_activity ...
pg_absent.py           catalogs of what there is none of here: triggers, extensions, policies ...
information_schema.py  the SQL standard's views of the same
describe.py            objects as text: format_type, pg_get_viewdef, pg_get_indexdef ...
answers/               the functions that read the catalog of the moment, by family
functions.py           the same by name
registry.py            all of the relations, as items of a catalog
"""
