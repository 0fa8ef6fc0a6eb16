-- The shape of what pgAdmin asks for its tree of databases, schemas and tables; written down, not captured from it.
SELECT version();

SELECT db.oid as did, db.datname, db.datallowconn, pg_encoding_to_char(db.encoding) AS serverencoding,
  has_database_privilege(db.oid, 'CREATE') as cancreate, datistemplate
FROM pg_catalog.pg_database db
WHERE db.datname = current_database();
-- finds: materialize, UTF8

SELECT roles.oid as id, roles.rolname as name, roles.rolsuper as is_superuser,
  CASE WHEN roles.rolsuper THEN true ELSE roles.rolcreaterole END as can_create_role,
  CASE WHEN roles.rolsuper THEN true ELSE roles.rolcreatedb END as can_create_db
FROM pg_catalog.pg_roles as roles
WHERE rolname = current_user;
-- finds: materialize

SELECT nsp.oid, nsp.nspname as name, has_schema_privilege(nsp.oid, 'CREATE') as can_create, has_schema_privilege(nsp.oid, 'USAGE') as has_usage
FROM pg_catalog.pg_namespace nsp
WHERE nspname NOT LIKE E'pg\\_%' AND nspname <> 'information_schema'
ORDER BY nspname;
-- finds: public, other

SELECT rel.oid, rel.relname AS name,
  (SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid=rel.oid AND tgisinternal = FALSE) AS triggercount,
  rel.relkind IN ('p') AS is_partitioned, rel.relnamespace AS schema, d.description
FROM pg_catalog.pg_class rel
LEFT OUTER JOIN pg_catalog.pg_description d ON (d.objoid=rel.oid AND d.objsubid=0 AND d.classoid='pg_class'::regclass)
WHERE rel.relkind IN ('r','t','p') AND rel.relnamespace = 'public'::regnamespace AND NOT rel.relispartition
ORDER BY rel.relname;
-- finds: sales, what was sold

SELECT c.oid, c.relname AS name FROM pg_catalog.pg_class c
WHERE c.relkind = 'm' AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname;
-- finds: totals

SELECT DISTINCT ON(cls.relname) cls.oid, cls.relname as name, indrelid, indkey, indisclustered, indisvalid, indisunique, indisprimary, n.nspname, indnatts, am.amname
FROM pg_catalog.pg_index idx
JOIN pg_catalog.pg_class cls ON cls.oid=indexrelid
JOIN pg_catalog.pg_class tab ON tab.oid=indrelid
JOIN pg_catalog.pg_namespace n ON n.oid=tab.relnamespace
JOIN pg_catalog.pg_am am ON am.oid=cls.relam
LEFT JOIN pg_catalog.pg_depend dep ON (dep.classid = cls.tableoid AND dep.objid = cls.oid AND dep.refobjsubid = '0' AND dep.refclassid=(SELECT oid FROM pg_catalog.pg_class WHERE relname='pg_constraint') AND dep.deptype='i')
LEFT OUTER JOIN pg_catalog.pg_constraint con ON (con.tableoid = dep.refclassid AND con.oid = dep.refobjid)
WHERE indrelid = 'totals'::regclass
ORDER BY cls.relname;
-- finds: totals_shop

SELECT 'session_stats' AS chart_name, row_to_json(t) AS chart_data
FROM (SELECT
   (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = current_database()) AS "Total",
   (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE state = 'active' AND datname = current_database()) AS "Active",
   (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE state = 'idle' AND datname = current_database()) AS "Idle"
) t;
-- finds: session_stats
