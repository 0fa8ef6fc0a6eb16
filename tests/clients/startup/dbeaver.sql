-- DBeaver 24.2 over pgjdbc: a connection, then each folder of its tree unfolded: the same of the catalog, in our words; numbers are sent as bigint.
select datname from pg_catalog.pg_database where datname = 'materialize' and datallowconn and not datistemplate;
-- finds: materialize

select current_schema(), session_user;
-- finds: public, materialize

show search_path;
-- finds: public

select typcategory from pg_catalog.pg_type where 1 <> 1 limit 1;
-- finds nothing

select evttags from pg_catalog.pg_event_trigger where 1 <> 1 limit 1;
-- finds nothing

select setting.* from pg_catalog.pg_settings setting where name = 'standard_conforming_strings';
-- finds: on

select string_agg(word, ',') from pg_catalog.pg_get_keywords() where word <> all ('{a,abs,absolute,action,ada,add,admin,after,all}'::text[]);

select place.oid, place.*, said.description from pg_catalog.pg_namespace place
left join pg_catalog.pg_description said on said.objoid = place.oid and said.objsubid = 0 and said.classoid = 'pg_namespace'::regclass
order by nspname;
-- finds: public, other

select kind.oid, kind.*, home.relkind, format_type(nullif(kind.typbasetype, 0), kind.typtypmod) as base, said.description
from pg_catalog.pg_type kind
left join pg_catalog.pg_type element on element.oid = kind.typelem
left join pg_catalog.pg_class home on home.oid = kind.typrelid
left join pg_catalog.pg_description said on kind.oid = said.objoid
where kind.typname is not null and (home.relkind is null or home.relkind = 'c')
  and (element.typcategory is null or element.typcategory <> 'C') and kind.typnamespace = 11::bigint;
-- finds: timestamptz, _numeric, textrecv, array_in

select kind.oid, kind.*, home.relkind, format_type(nullif(kind.typbasetype, 0), kind.typtypmod) as base
from pg_catalog.pg_type kind left join pg_class home on home.oid = kind.typrelid
where kind.oid = 1043::bigint;
-- finds: varchar

select kind.oid, place.nspname, kind.* from pg_catalog.pg_type kind, pg_catalog.pg_namespace place
where place.oid = kind.typnamespace and kind.typtype <> 'b' and kind.typtype <> 'p' order by place.nspname, kind.typname;
-- finds: pair, int4range

select column_of.relname, row_number() over (order by field.attnum) as attnum, field.*, pg_catalog.pg_get_expr(given.adbin, given.adrelid, true) as value
from pg_catalog.pg_attribute field
join pg_catalog.pg_class column_of on field.attrelid = column_of.oid
left join pg_catalog.pg_attrdef given on field.attrelid = given.adrelid and field.attnum = given.adnum
where field.attnum > 0 and not field.attisdropped and column_of.oid = (select typrelid from pg_type where typname = 'pair')
order by field.attnum;
-- finds: pair, a, b

select description from pg_shdescription join pg_database on objoid = pg_database.oid where datname = 'materialize';
-- finds nothing

select role.oid, role.*, said.description from pg_catalog.pg_roles role
left join pg_catalog.pg_shdescription said on role.oid = said.objoid order by role.rolname;
-- finds: materialize

select * from pg_catalog.pg_auth_members where roleid = 10::bigint;
-- finds nothing

select method.oid, method.* from pg_catalog.pg_am method order by method.oid;
-- finds: arrangement

select class.oid, class.* from pg_catalog.pg_opclass class order by class.oid;

select family.oid, family.* from pg_catalog.pg_opfamily family order by family.oid;

select contoencoding, pg_catalog.pg_encoding_to_char(contoencoding) from pg_catalog.pg_conversion group by contoencoding order by 2;
-- finds nothing

select language.oid, language.* from pg_catalog.pg_language language order by language.oid;
-- finds: internal

select wrapper.oid, wrapper.*, handler.pronamespace from pg_catalog.pg_foreign_data_wrapper wrapper
left join pg_catalog.pg_proc handler on handler.oid = wrapper.fdwhandler order by wrapper.fdwname;
-- finds nothing

select space.oid, space.*, pg_tablespace_location(space.oid) as location from pg_catalog.pg_tablespace space order by space.oid;
-- finds: pg_default

select name, default_version, installed_version, comment from pg_catalog.pg_available_extensions order by name;
-- finds nothing

select extension.oid, made.tables, place.nspname, extension.* from pg_catalog.pg_extension extension
join pg_namespace place on place.oid = extension.extnamespace
left join (
  select array_agg(schema.nspname || '.' || class.relname) as tables, owner
  from (select unnest(inner_one.extconfig) as oid, inner_one.oid as owner from pg_catalog.pg_extension inner_one) configured
  join pg_class class on class.oid = configured.oid join pg_namespace schema on schema.oid = class.relnamespace
  group by owner
) made on made.owner = extension.oid order by extension.oid;
-- finds nothing

select datname, pg_database_size(oid) from pg_catalog.pg_database where oid = <database>::bigint;
-- finds: materialize

select below.inhrelid, above.relnamespace, above.oid, below.inhseqno from pg_catalog.pg_inherits below, pg_class child, pg_class above
where child.oid = below.inhrelid and child.relnamespace = <public>::bigint and above.oid = below.inhparent;
-- finds nothing

select class.oid, pg_catalog.pg_total_relation_size(class.oid), pg_catalog.pg_relation_size(class.oid) from pg_class class where class.relnamespace = <public>::bigint;

select * from pg_default_acl where defaclnamespace = <public>::bigint;
-- finds nothing

select routine.oid, routine.proname, aggregate.* from pg_catalog.pg_aggregate aggregate, pg_catalog.pg_proc routine
where routine.oid = aggregate.aggfnoid and routine.pronamespace = 11::bigint order by routine.proname;
-- finds: string_agg

select (pg_identify_object('pg_proc'::regclass, aggfnoid, 0)).identity, aggtransfn::regproc, format_type(aggtranstype, null),
  case aggfinalfn when '-'::regproc then null else aggfinalfn::text end, case aggsortop when 0 then null else oprname end, agginitval,
  aggmtransfn, aggminvtransfn, aggfinalextra, aggmfinalextra, aggserialfn, aggdeserialfn, aggmfinalfn, format_type(aggmtranstype, null),
  aggfinalmodify, aggmfinalmodify
from pg_aggregate left join pg_operator on pg_operator.oid = aggsortop where aggfnoid::text = 'string_agg';
-- finds: pg_catalog.string_agg(text,text)

select class.oid, class.*, said.description, pg_catalog.pg_get_expr(class.relpartbound, class.oid) as bound, pg_catalog.pg_get_partkeydef(class.oid) as partition
from pg_catalog.pg_class class
left join pg_catalog.pg_description said on said.objoid = class.oid and said.objsubid = 0 and said.classoid = 'pg_class'::regclass
where class.relnamespace = <public>::bigint and class.relkind not in ('i', 'I', 'c');
-- finds: sales, what was sold, big, totals

select class.relname, field.*, pg_catalog.pg_get_expr(given.adbin, given.adrelid, true) as value, said.description, identity.objid
from pg_catalog.pg_attribute field
join pg_catalog.pg_class class on field.attrelid = class.oid
left join pg_catalog.pg_attrdef given on field.attrelid = given.adrelid and field.attnum = given.adnum
left join pg_catalog.pg_description said on class.oid = said.objoid and field.attnum = said.objsubid
left join pg_depend identity on identity.refobjid = field.attrelid and identity.deptype = 'i' and identity.refobjsubid = field.attnum
  and identity.classid = identity.refclassid
where not field.attisdropped and class.relkind not in ('i', 'I', 'c') and class.oid = <sales>::bigint
order by field.attnum;
-- finds: id, shop, amount, tags, where, 'north'

select entry.*, entry.indkey as keys, class.relname, class.relnamespace, class.relam, class.reltablespace, of.relname as of_name, said.description,
  pg_catalog.pg_get_expr(entry.indpred, entry.indrelid), pg_catalog.pg_get_expr(entry.indexprs, entry.indrelid, true),
  pg_catalog.pg_relation_size(entry.indexrelid), pg_catalog.pg_stat_get_numscans(entry.indexrelid)
from pg_catalog.pg_index entry
join pg_catalog.pg_class class on class.oid = entry.indexrelid
join pg_catalog.pg_class of on of.oid = entry.indrelid
left join pg_catalog.pg_description said on entry.indexrelid = said.objoid
where class.relnamespace = <public>::bigint order by class.relname;
-- finds: totals_shop, sales_pkey

select said.oid, said.*, of.relname as of_name, other.relnamespace, note.description,
  case when said.contype = 'c' then "substring"(pg_get_constraintdef(said.oid), 7) else null end as check_text
from pg_catalog.pg_constraint said
join pg_catalog.pg_class of on of.oid = said.conrelid
left join pg_catalog.pg_class other on other.oid = said.confrelid
left join pg_catalog.pg_description note on note.objoid = said.oid and note.objsubid = 0 and note.classoid = 'pg_constraint'::regclass
where of.relnamespace = <public>::bigint order by said.oid;
-- finds: sales, sales_pkey

select routine.oid, routine.*, pg_catalog.pg_get_expr(routine.proargdefaults, 0) as given, said.description
from pg_catalog.pg_proc routine
left join pg_catalog.pg_description said on said.objoid = routine.oid and said.classoid = 'pg_proc'::regclass and said.objsubid = 0
where routine.pronamespace = 11::bigint order by routine.proname;
-- finds: initcap

select trigger.oid, trigger.*, routine.pronamespace, said.description from pg_catalog.pg_trigger trigger
left join pg_catalog.pg_proc routine on routine.oid = trigger.tgfoid
left join pg_catalog.pg_description said on said.objoid = trigger.oid and said.objsubid = 0
where trigger.tgrelid = <sales>::bigint and not trigger.tgisinternal;
-- finds nothing

select rule.oid, rule.*, pg_get_ruledef(rule.oid) from pg_rewrite rule where rule.ev_class = <big> and rule.rulename <> '_RETURN'::name;
-- finds nothing

select * from pg_catalog.pg_policies where schemaname = 'public' and tablename = 'sales';
-- finds nothing

select pg_catalog.pg_get_constraintdef(<sales_pkey>::bigint);
-- finds: PRIMARY KEY (id)

select pg_catalog.pg_get_indexdef(<totals_shop>::bigint), pg_catalog.pg_get_indexdef(<totals_shop>::bigint, 1, true);
-- finds: shop

select pg_get_viewdef(<big>, true);

select oid, relkind, reltype from pg_catalog.pg_class where relnamespace = <public>::bigint and relname = 'pair'
union all select oid, 'c', oid from pg_catalog.pg_type where typnamespace = <public>::bigint and typname = 'pair';
-- finds: c

select class.oid, class.relname, class.relnamespace, class.relkind from pg_catalog.pg_class class
where class.relkind in ('r', 'v', 'm', 'f', 'p') and (class.relname ilike '%sale%' or obj_description(class.oid, 'pg_class') ilike '%sale%'
  or class.relkind = 'v' and pg_get_viewdef(class."oid") ilike '%sale%') and class.relnamespace in (<public>) order by class.relname limit 100;
-- finds: sales, big

select distinct used.deptype, used.classid, used.objid, class.relkind, field.attname, pg_get_expr(given.adbin, given.adrelid) as value,
  case when class.relkind is not null then class.relkind::text || coalesce(used.objsubid::text, '')::text
    when trigger.oid is not null then 'T'::text when kind.oid is not null then 'y'::text when place.oid is not null then 'n'::text
    when routine.oid is not null then 'p'::text when language.oid is not null then 'l'::text when rule.oid is not null then 'R'::text
    when key.oid is not null then 'C'::text || contype::text when given.oid is not null then 'A'::text else '' end as type,
  coalesce(key_class.relname, rule_class.relname, trigger_class.relname) as owner_table,
  case when class.relname is not null and attribute.attname is not null then class.relname || '.' || attribute.attname
    else coalesce(class.relname, key.conname, routine.proname, trigger.tgname, kind.typname, language.lanname, rule.rulename, place.nspname) end as name,
  coalesce(class_place.nspname, key_place.nspname, routine_place.nspname, kind_place.nspname, rule_place.nspname, trigger_place.nspname) as schema
from pg_depend used
left join pg_class class on used.objid = class.oid
left join pg_attribute attribute on used.objid = attribute.attrelid and used.objsubid = attribute.attnum
left join pg_namespace class_place on class.relnamespace = class_place.oid
left join pg_proc routine on used.objid = routine.oid
left join pg_namespace routine_place on routine.pronamespace = routine_place.oid
left join pg_trigger trigger on used.objid = trigger.oid
left join pg_class trigger_class on trigger.tgrelid = trigger_class.oid
left join pg_namespace trigger_place on trigger_class.relnamespace = trigger_place.oid
left join pg_type kind on used.objid = kind.oid
left join pg_namespace kind_place on kind.typnamespace = kind_place.oid
left join pg_constraint key on used.objid = key.oid
left join pg_class key_class on key.conrelid = key_class.oid
left join pg_namespace key_place on key.connamespace = key_place.oid
left join pg_rewrite rule on used.objid = rule.oid
left join pg_class rule_class on rule_class.oid = rule.ev_class
left join pg_namespace rule_place on rule_class.relnamespace = rule_place.oid
left join pg_language language on used.objid = language.oid
left join pg_namespace place on used.objid = place.oid
left join pg_attrdef given on given.oid = used.objid
left join pg_attribute field on field.attrelid = given.adrelid and field.attnum = given.adnum
where used.refobjid = <sales>::bigint order by type;
-- finds: big, totals, v0, m0, A, 'north'

select * from information_schema.table_privileges where table_catalog = 'materialize' and grantee = 'materialize';
-- finds: sales, SELECT

select * from information_schema.routine_privileges where specific_catalog = 'materialize' and grantee = 'materialize';
-- finds: initcap, EXECUTE

select * from (
  select distinct relnamespace, relacl, relname, relkind, (aclexplode(relacl)).grantee as who from pg_class
  where relacl is not null and relnamespace in (select oid from pg_namespace where nspname not like 'pg_%' and nspname <> 'information_schema')
  union all
  select distinct place.oid, nspacl, place.nspname, cast('C' as "char"), (aclexplode(nspacl)).grantee from pg_catalog.pg_namespace place
  where place.nspacl is not null
) granted where granted.who = 10::bigint and granted.relkind in ('S', 'm', 'C');
-- finds nothing

select activity.* from pg_catalog.pg_stat_activity activity;
-- finds: materialize, client backend

select coalesce(base.datname, ''), coalesce(held.locktype, ''), coalesce(held.relation::regclass::varchar, ''), coalesce(held.mode, ''),
  coalesce(held.transactionid::varchar, ''), held.page, held.tuple, held.pid, held.granted
from pg_catalog.pg_locks held left join pg_catalog.pg_database base on base.oid = held.database where held.pid = 1;
-- finds nothing
