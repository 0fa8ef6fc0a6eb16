-- Metabase 0.57 over pgjdbc: a sync of tables, privileges, fields and keys, and its fingerprints: the same of the catalog, in our words.
show timezone;
-- finds: UTC

SET SESSION TIMEZONE TO 'UTC';
SET ROLE NONE;

select nspname, typname from pg_type kind join pg_namespace place on place.oid = kind.typnamespace
where kind.oid in (select distinct enumtypid from pg_enum each);
-- finds nothing

select "place"."nspname" as "schema", "class"."relname" as "name",
  case "class"."relkind" when 'r' then 'TABLE' when 'p' then 'PARTITIONED TABLE' when 'v' then 'VIEW' when 'f' then 'FOREIGN TABLE'
    when 'm' then 'MATERIALIZED VIEW' else null end as "type",
  "said"."description" as "description", "counted"."n_live_tup" as "rows"
from "pg_catalog"."pg_class" as "class"
inner join "pg_catalog"."pg_namespace" as "place" on "class"."relnamespace" = "place"."oid"
left join "pg_catalog"."pg_description" as "said" on ("class"."oid" = "said"."objoid") and ("said"."objsubid" = 0) and ("said"."classoid" = 'pg_class'::regclass)
left join "pg_stat_user_tables" as "counted" on ("place"."nspname" = "counted"."schemaname") and ("class"."relname" = "counted"."relname")
where ("place"."nspname" !~ '^pg_') and ("place"."nspname" <> 'information_schema') and (class.relkind in ('r', 'p', 'v', 'f', 'm')) and ("place"."nspname" in ('public'))
order by "type", "schema", "name";
-- finds: sales, what was sold, big, VIEW, totals, MATERIALIZED VIEW

with granted as (
  select null as role, named.schemaname as schema, named.objectname as table,
    pg_catalog.has_any_column_privilege(current_user, '"' || replace(named.schemaname, '"', '""') || '"' || '.' || '"' || replace(named.objectname, '"', '""') || '"', 'update') as update,
    pg_catalog.has_any_column_privilege(current_user, '"' || replace(named.schemaname, '"', '""') || '"' || '.' || '"' || replace(named.objectname, '"', '""') || '"', 'select') as select,
    pg_catalog.has_table_privilege(current_user, '"' || replace(named.schemaname, '"', '""') || '"' || '.' || '"' || replace(named.objectname, '"', '""') || '"', 'delete') as delete
  from (
    select schemaname, tablename as objectname from pg_catalog.pg_tables union
    select schemaname, viewname as objectname from pg_catalog.pg_views union
    select schemaname, matviewname as objectname from pg_catalog.pg_matviews
  ) named
  where named.schemaname !~ '^pg_' and named.schemaname <> 'information_schema' and pg_catalog.has_schema_privilege(current_user, named.schemaname, 'usage')
)
select each.* from granted each;
-- finds: sales, big, totals, Odd name, True

select name, count(*) as rows from (
  select distinct * from (
    select "field"."column_name" as "name",
      case when "field"."udt_schema" in ('public', 'pg_catalog') then format('%s', "field"."udt_name") else format('"%s"."%s"', "field"."udt_schema", "field"."udt_name") end as "kind",
      "field"."ordinal_position" - 1 as "position", "field"."table_schema" as "schema", "field"."table_name" as "table",
      "key"."column_name" is not null as "pk?",
      col_description(cast(cast(format('%I.%I', cast("field"."table_schema" as text), cast("field"."table_name" as text)) as regclass) as oid), "field"."ordinal_position") as "comment",
      (("column_default" is null) or (lower("column_default") = 'null')) and ("is_nullable" = 'NO')
        and not ((("column_default" is not null) and ("column_default" like '%nextval(%')) or ("is_identity" <> 'NO')) as "required",
      (("column_default" is not null) and ("column_default" like '%nextval(%')) or ("is_identity" <> 'NO') as "counted"
    from "information_schema"."columns" as "field"
    left join (
      select "said"."table_schema", "said"."table_name", "part"."column_name" from "information_schema"."table_constraints" as "said"
      inner join "information_schema"."key_column_usage" as "part" on ("said"."constraint_name" = "part"."constraint_name")
        and ("said"."table_schema" = "part"."table_schema") and ("said"."table_name" = "part"."table_name")
      where "said"."constraint_type" = 'PRIMARY KEY'
    ) as "key" on ("field"."table_schema" = "key"."table_schema") and ("field"."table_name" = "key"."table_name") and ("field"."column_name" = "key"."column_name")
    where (field.table_schema !~ '^information_schema|catalog_history|pg_') and ("field"."table_schema" in ('public'))
    union all
    select "part"."attname", case when "home"."nspname" in ('public', 'pg_catalog') then format('%s', "kind"."typname") else format('"%s"."%s"', "home"."nspname", "kind"."typname") end,
      "part"."attnum" - 1, "place"."nspname", "class"."relname", false, null, false, false
    from "pg_catalog"."pg_class" as "class"
    inner join "pg_catalog"."pg_namespace" as "place" on "place"."oid" = "class"."relnamespace"
    inner join "pg_catalog"."pg_attribute" as "part" on "part"."attrelid" = "class"."oid"
    inner join "pg_catalog"."pg_type" as "kind" on "kind"."oid" = "part"."atttypid"
    inner join "pg_catalog"."pg_namespace" as "home" on "home"."oid" = "kind"."typnamespace"
    where ("class"."relkind" = 'm') and ("part"."attnum" >= 1) and ("place"."nspname" in ('public'))
  ) both_ways
  where "table" in ('sales', 'totals')
) a_set group by "table", name having count(*) > 1;
-- finds nothing

select "from_place"."nspname", "from_table"."relname", "from_field"."attname", "to_place"."nspname", "to_table"."relname", "to_field"."attname"
from "pg_constraint" as "said"
inner join "pg_class" as "from_table" on "said"."conrelid" = "from_table"."oid"
inner join "pg_namespace" as "from_place" on "said"."connamespace" = "from_place"."oid"
inner join "pg_attribute" as "from_field" on "said"."conrelid" = "from_field"."attrelid"
inner join "pg_class" as "to_table" on "said"."confrelid" = "to_table"."oid"
inner join "pg_namespace" as "to_place" on "to_table"."relnamespace" = "to_place"."oid"
inner join "pg_attribute" as "to_field" on "said"."confrelid" = "to_field"."attrelid"
where ("said"."contype" = 'f'::char) and ("from_field"."attnum" = any (said.conkey)) and ("to_field"."attnum" = any (said.confkey))
order by 1, 2;
-- finds nothing

select "listed"."schema", "listed"."table", trim(both '"' from "pg_catalog"."pg_get_indexdef"("listed"."oid", "listed"."position", false)) as "field"
from (
  select "place"."nspname" as "schema", "of"."relname" as "table", "class"."oid" as "oid", ("information_schema"."_pg_expandarray"("entry"."indkey"))."n" as "position"
  from "pg_catalog"."pg_class" as "of"
  inner join "pg_catalog"."pg_namespace" as "place" on "of"."relnamespace" = "place"."oid"
  inner join "pg_catalog"."pg_index" as "entry" on "of"."oid" = "entry"."indrelid"
  inner join "pg_catalog"."pg_class" as "class" on "class"."oid" = "entry"."indexrelid"
  where ("pg_catalog"."pg_get_expr"("entry"."indpred", "entry"."indrelid") is null) and ("place"."nspname" in ('public'))
) as "listed" where "listed"."position" = 1;
-- finds: sales, id, totals, shop

select true as "_" from "public"."totals" where 1 <> 1 limit 0;
-- finds nothing

select "source"."at" as "at", count(*) as "count" from (select date_trunc('month', "public"."sales"."at") as "at" from "public"."sales") as "source" group by "source"."at" order by "source"."at" asc;

select cast(extract(dow from cast("public"."sales"."at" as timestamp)) as integer) + 1, sum("public"."sales"."amount") from "public"."sales" group by 1 order by 1;
