-- Power BI over Npgsql 4: its navigator, a table with its keys, a preview, a folded query; after logs that its users have shown, in our words.
select character_set_name from INFORMATION_SCHEMA.character_sets;
-- finds: UTF8

/*** Load all supported types ***/
select place.nspname, kind.typname, kind.oid, kind.typrelid, kind.typbasetype,
  case when pg_proc.proname = 'array_recv' then 'a' else kind.typtype end as type,
  case when pg_proc.proname = 'array_recv' then kind.typelem when kind.typtype = 'r' then rngsubtype else 0 end as within,
  case when pg_proc.proname in ('array_recv', 'oidvectorrecv') then 3 when kind.typtype = 'r' then 2 when kind.typtype = 'd' then 1 else 0 end as rank
from pg_type as kind
join pg_namespace as place on place.oid = kind.typnamespace
join pg_proc on pg_proc.oid = kind.typreceive
left outer join pg_class as class on class.oid = kind.typrelid
left outer join pg_type as element on element.oid = kind.typelem
left outer join pg_class as element_class on element_class.oid = element.typrelid
left outer join pg_range on pg_range.rngtypid = kind.oid
where kind.typtype in ('b', 'r', 'e', 'd') or (kind.typtype = 'c' and class.relkind = 'c')
  or (pg_proc.proname = 'array_recv' and (element.typtype in ('b', 'r', 'e', 'd') or (element.typtype = 'p' and element.typname in ('record', 'void'))
    or (element.typtype = 'c' and element_class.relkind = 'c')))
  or (kind.typtype = 'p' and kind.typname in ('record', 'void'))
order by rank;
-- finds: timestamptz, _numeric, int4range, record, void

select TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE
from INFORMATION_SCHEMA.tables
where TABLE_SCHEMA not in ('information_schema', 'pg_catalog')
order by TABLE_SCHEMA, TABLE_NAME;
-- finds: sales, big, totals, Odd name

select COLUMN_NAME, ORDINAL_POSITION, IS_NULLABLE, case when (data_type like '%unsigned%') then DATA_TYPE || ' unsigned' else DATA_TYPE end as DATA_TYPE
from INFORMATION_SCHEMA.columns
where TABLE_SCHEMA = 'public' and TABLE_NAME = 'sales'
order by TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION;
-- finds: id, bigint, amount, NO

select key.CONSTRAINT_SCHEMA || '_' || key.CONSTRAINT_NAME as INDEX_NAME, part.COLUMN_NAME, part.ORDINAL_POSITION,
  case when key.CONSTRAINT_TYPE = 'PRIMARY KEY' then 'Y' else 'N' end as PRIMARY_KEY
from INFORMATION_SCHEMA.table_constraints key
inner join INFORMATION_SCHEMA.key_column_usage part on key.CONSTRAINT_SCHEMA = part.CONSTRAINT_SCHEMA and key.CONSTRAINT_NAME = part.CONSTRAINT_NAME
  and key.TABLE_SCHEMA = part.TABLE_SCHEMA and key.TABLE_NAME = part.TABLE_NAME
where key.TABLE_SCHEMA = 'public' and key.TABLE_NAME = 'sales' and key.CONSTRAINT_TYPE in ('PRIMARY KEY', 'UNIQUE')
order by key.CONSTRAINT_SCHEMA || '_' || key.CONSTRAINT_NAME, part.TABLE_SCHEMA, part.TABLE_NAME, part.ORDINAL_POSITION;
-- finds: public_sales_pkey, id, Y

select to_part.COLUMN_NAME as PK_COLUMN_NAME, from_part.TABLE_SCHEMA as FK_TABLE_SCHEMA, from_part.TABLE_NAME as FK_TABLE_NAME, from_part.COLUMN_NAME as FK_COLUMN_NAME,
  from_part.ORDINAL_POSITION as ORDINAL, said.CONSTRAINT_SCHEMA || '_' || from_part.TABLE_NAME || '_' || 'sales' || '_' || said.CONSTRAINT_NAME as FK_NAME
from (select distinct constraint_catalog, constraint_schema, unique_constraint_schema, constraint_name, unique_constraint_name from INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS) said
inner join INFORMATION_SCHEMA.KEY_COLUMN_USAGE from_part on said.CONSTRAINT_SCHEMA = from_part.CONSTRAINT_SCHEMA and said.CONSTRAINT_NAME = from_part.CONSTRAINT_NAME
inner join INFORMATION_SCHEMA.KEY_COLUMN_USAGE to_part on said.UNIQUE_CONSTRAINT_SCHEMA = to_part.CONSTRAINT_SCHEMA and said.UNIQUE_CONSTRAINT_NAME = to_part.CONSTRAINT_NAME
where to_part.TABLE_SCHEMA = 'public' and to_part.TABLE_NAME = 'sales' and to_part.ORDINAL_POSITION = from_part.ORDINAL_POSITION
order by FK_NAME, from_part.ORDINAL_POSITION;
-- finds nothing

select "$Table"."id" as "id", "$Table"."shop" as "shop" from "public"."sales" "$Table" limit 1000;
-- finds: north, south

select "_"."shop", "_"."a0" from (select "rows"."shop" as "shop", sum(cast("rows"."amount" as decimal)) as "a0" from "public"."sales" "rows" group by "shop") "_"
where not "_"."a0" is null limit 1000001;
-- finds: north, south
