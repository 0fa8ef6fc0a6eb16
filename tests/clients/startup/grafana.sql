-- Grafana's PostgreSQL data source: its health check, its builder of queries, and what its macros become: the same of the catalog, in our words.
select 1;

select current_setting('server_version_num')::int / 100 as version;
-- finds: 1500

select extversion from pg_extension where extname = 'timescaledb';
-- finds nothing

select quote_ident(table_name) as "table" from information_schema.tables where quote_ident(table_schema) = 'public' order by 1;
-- finds: sales, big, totals

select
  case when quote_ident(table_schema) in (
      select case when trim(part[at]) = '"$user"' then user else trim(part[at]) end
      from generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) as at,
        string_to_array(current_setting('search_path'), ',') part
    ) then quote_ident(table_name) else quote_ident(table_schema) || '.' || quote_ident(table_name) end as "table"
from information_schema.tables
where quote_ident(table_schema) not in ('information_schema', 'pg_catalog', '_timescaledb_cache')
order by case when quote_ident(table_schema) in (
    select case when trim(part[at]) = '"$user"' then user else trim(part[at]) end
    from generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) as at,
      string_to_array(current_setting('search_path'), ',') part
  ) then 0 else 1 end, 1;
-- finds: sales, big, totals, other."Odd name"

select quote_ident(column_name) as "column", data_type as "type" from information_schema.columns
where case when array_length(parse_ident('other."Odd name"'), 1) = 2
  then quote_ident(table_schema) = (parse_ident('other."Odd name"'))[1] and quote_ident(table_name) = quote_ident((parse_ident('other."Odd name"'))[2])
  else quote_ident(table_name) = 'sales' and quote_ident(table_schema) in (
    select case when trim(part[at]) = '"$user"' then user else trim(part[at]) end
    from generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) as at,
      string_to_array(current_setting('search_path'), ',') part
  ) end;
-- finds: a, integer

select quote_ident(column_name) as "column", data_type as "type" from information_schema.columns
where case when array_length(parse_ident('totals'), 1) = 2
  then quote_ident(table_schema) = (parse_ident('totals'))[1] and quote_ident(table_name) = (parse_ident('totals'))[2]
  else quote_ident(table_name) = 'totals' and quote_ident(table_schema) in (
    select case when trim(part[at]) = '"$user"' then user else trim(part[at]) end
    from generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) as at,
      string_to_array(current_setting('search_path'), ',') part
  ) end;
-- finds: shop, orders, bigint, total, numeric

select floor(extract(epoch from at) / 60) * 60 as "time", shop as metric, sum(amount) as value from sales
where at between '2020-01-01T00:00:00Z' and '2030-01-01T00:00:00.5Z' group by 1, 2 order by 1, 2;
-- finds: north

select extract(epoch from at) as "time", amount from sales where extract(epoch from at) >= 1577836800 and extract(epoch from at) <= 1893456000;
