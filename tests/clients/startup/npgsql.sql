-- Npgsql 10: its types when it first connects, the reset of a pooled connection, GetSchema() and GetColumnSchema(): the same of the catalog, in our words.
select version();

select place.nspname, found.oid, found.typname, found.typtype, found.typnotnull, found.within
from (
  select kind.oid, kind.typnamespace, kind.typname, kind.typtype, kind.typnotnull, kind.relkind, element.oid as within,
    element.typname as element_name, element_class.relkind as element_relkind,
    case when element_reads.proname = 'array_recv' then 'a' else element.typtype end as element_typtype, kind.typcategory
  from (
    select own.oid, typnamespace, typname, typrelid, typnotnull, relkind, own.typcategory,
      case when reads.proname = 'array_recv' then 'a' else own.typtype end as typtype,
      case when reads.proname = 'array_recv' then own.typelem when own.typtype = 'r' then rngsubtype
        when own.typtype = 'm' then (select rngtypid from pg_range where rngmultitypid = own.oid)
        when own.typtype = 'd' then own.typbasetype end as element_oid
    from pg_type as own
    left join pg_class as class on class.oid = own.typrelid
    left join pg_proc as reads on reads.oid = own.typreceive
    left join pg_range on pg_range.rngtypid = own.oid
  ) as kind
  left join pg_type as element on element.oid = element_oid
  left join pg_class as element_class on element_class.oid = element.typrelid
  left join pg_proc as element_reads on element_reads.oid = element.typreceive
) as found
join pg_namespace as place on place.oid = typnamespace
where typtype in ('b', 'r', 'm', 'e', 'd') or (typtype = 'c' and relkind = 'c') or (typtype = 'p' and typname in ('record', 'void', 'unknown'))
  or (typtype = 'a' and (element_typtype in ('b', 'r', 'm', 'e', 'd') or (element_typtype = 'p' and element_name in ('record', 'void'))
    or (element_typtype = 'c' and element_relkind = 'c')))
order by case when typtype in ('b', 'e', 'p') then 0 when typtype = 'c' then 1 when typtype = 'r' then 2 when typtype = 'm' then 3
  when typtype = 'd' and element_typtype <> 'a' then 4 when typtype = 'a' then 5 when typtype = 'd' and element_typtype = 'a' then 6 end;
-- finds: timestamptz, _numeric, _text, pair, int4range, record, void, unknown

select kind.oid, field.attname, field.atttypid
from pg_type as kind
join pg_namespace as place on place.oid = kind.typnamespace
join pg_class as class on class.oid = kind.typrelid
join pg_attribute as field on field.attrelid = kind.typrelid
where (kind.typtype = 'c' and class.relkind = 'c') and attnum > 0 and not attisdropped
order by kind.oid, field.attnum;
-- finds: a, b

select kind.oid, enumlabel from pg_enum
join pg_type as kind on kind.oid = enumtypid
join pg_namespace as place on place.oid = kind.typnamespace
order by oid, enumsortorder;
-- finds nothing

select pg_is_in_recovery();
-- finds: False

SHOW default_transaction_read_only;
-- finds: off

SET SESSION AUTHORIZATION DEFAULT;
RESET ALL;
CLOSE ALL;
UNLISTEN *;
SELECT pg_advisory_unlock_all();
DISCARD SEQUENCES;
DISCARD TEMP;
DISCARD ALL;

select base.datname, owner.usename, pg_catalog.pg_encoding_to_char(base.encoding)
from pg_catalog.pg_database base left join pg_catalog.pg_user owner on base.datdba = owner.usesysid where datname = 'materialize';
-- finds: materialize, UTF8

select * from (select current_database(), nspname, owner.rolname from pg_catalog.pg_namespace left join pg_catalog.pg_roles owner on owner.oid = nspowner) listed;
-- finds: public, other, materialize

select table_catalog, table_schema, table_name, table_type from information_schema.tables
where table_type in ('BASE TABLE', 'FOREIGN', 'FOREIGN TABLE') and table_schema not in ('pg_catalog', 'information_schema');
-- finds: sales, Odd name

select table_catalog, table_schema, table_name, column_name, ordinal_position, column_default, is_nullable,
  case when udt_schema is null then udt_name else format_type(kind.oid, null) end, character_maximum_length, character_octet_length,
  numeric_precision, numeric_precision_radix, numeric_scale, datetime_precision, character_set_catalog, character_set_schema, character_set_name,
  collation_catalog
from information_schema.columns
join pg_namespace as place on place.nspname = udt_schema
join pg_type as kind on typnamespace = place.oid and typname = udt_name
where table_name = 'sales';
-- finds: id, bigint, shop, character varying, 10, numeric, timestamp with time zone, text[]

select table_catalog, table_schema, table_name, check_option, is_updatable from information_schema.views where table_schema not in ('pg_catalog', 'information_schema');
-- finds: big

select current_database(), schemaname, matviewname, matviewowner, hasindexes, ispopulated from pg_catalog.pg_matviews;
-- finds: totals, True

select usename, usesysid from pg_catalog.pg_user;
-- finds: materialize

select current_database(), place.nspname, of.relname, class.relname, ''
from pg_catalog.pg_class class
join pg_catalog.pg_index entry on entry.indexrelid = class.oid
join pg_catalog.pg_class of on entry.indrelid = of.oid
left join pg_catalog.pg_user owner on owner.usesysid = class.relowner
left join pg_catalog.pg_namespace place on place.oid = class.relnamespace
where class.relkind = 'i' and place.nspname not in ('pg_catalog', 'pg_toast') and of.relkind = 'r';
-- finds: sales_pkey, sales

select current_database(), of_place.nspname, class.relname, current_database(), place.nspname, of.relname, field.attname, class.relname
from pg_class of
join pg_index entry on of.oid = entry.indrelid
join pg_class class on entry.indexrelid = class.oid
join pg_attribute field on of.oid = field.attrelid
left join pg_namespace of_place on of.relnamespace = of_place.oid
left join pg_namespace place on class.relnamespace = place.oid
where class.relkind = 'i' and of_place.nspname not in ('pg_catalog', 'pg_toast') and field.attnum = any (entry.indkey) and of.relkind = 'r';
-- finds: sales_pkey, id

select current_database(), place.nspname, said.conname, current_database(), of_place.nspname, of.relname, word, said.condeferrable, said.condeferred
from pg_catalog.pg_constraint said
join pg_catalog.pg_namespace place on said.connamespace = place.oid
join pg_catalog.pg_class of on said.conrelid = of.oid
join pg_catalog.pg_namespace of_place on of.relnamespace = of_place.oid
join (select 'PRIMARY KEY' as word, 'p' as letter union all select 'FOREIGN KEY' as word, 'f' as letter union all select 'UNIQUE KEY' as word, 'u' as letter)
  words on words.letter = said.contype;
-- finds: sales_pkey, PRIMARY KEY, UNIQUE KEY, False

select current_database(), place.nspname, said.conname, place.nspname, of.relname, field.attname, field.attnum, words.word
from pg_constraint said
join pg_namespace place on place.oid = said.connamespace
join pg_class of on of.oid = said.conrelid and of.relkind = 'r'
join pg_attribute field on of.oid = field.attrelid and field.attnum = any (said.conkey)
join (select 'PRIMARY KEY' as word, 'p' as letter union all select 'FOREIGN KEY' as word, 'f' as letter union all select 'UNIQUE KEY' as word, 'u' as letter)
  words on words.letter = said.contype and place.nspname not in ('pg_catalog', 'pg_toast');
-- finds: sales_pkey, id, PRIMARY KEY

select kind.oid, nspname, relname, attname, attrelid, attnum, attnotnull, attidentity != '' as is_identity,
  case when kind.typtype = 'd' then kind.typtypmod else atttypmod end as modifier,
  case when atthasdef then (select pg_get_expr(adbin, class.oid) from pg_attrdef where adrelid = class.oid and adnum = field.attnum) else null end as value,
  ((class.relkind = any (array['r'::"char", 'p'::"char"])) or ((class.relkind = any (array['v'::"char", 'f'::"char"]))
    and pg_column_is_updatable((class.oid)::regclass, field.attnum, false))) and field.attidentity not in ('a') as is_updatable,
  exists (select * from pg_index where pg_index.indrelid = class.oid and pg_index.indisprimary and attnum = any (indkey)) as is_primary,
  exists (select * from pg_index where pg_index.indrelid = class.oid and pg_index.indisunique and pg_index.indnkeyatts = 1
    and attnum = pg_index.indkey[0]) as is_unique
from pg_attribute as field
join pg_type as kind on field.atttypid = kind.oid
join pg_class as class on class.oid = field.attrelid
join pg_namespace as place on place.oid = class.relnamespace
where atttypid <> 0 and relkind in ('r', 'v', 'm', 'p') and not attisdropped and nspname not in ('pg_catalog', 'information_schema') and attnum > 0
  and ((field.attrelid = <sales> and field.attnum = 1) or (field.attrelid = <sales> and field.attnum = 2))
order by attnum;
-- finds: id, shop, 'north', True
