"""Every function that Materialize's users know is there, or is refused for a reason that stands here."""

import pytest

from engine.catalog.system.routines import ROUTINES
from engine.database import Database
from engine.errors import SqlError

SINGLE_PROCESS = """
    count sum min max avg bool_and bool_or string_agg array_agg jsonb_agg json_agg jsonb_object_agg list_agg stddev
    stddev_pop stddev_samp variance var_pop var_samp concat_agg mz_all mz_any
    row_number dense_rank lag lead first_value last_value
    generate_series generate_subscripts unnest jsonb_array_elements jsonb_array_elements_text jsonb_each
    jsonb_each_text jsonb_object_keys regexp_extract csv_extract date_bin_hopping repeat_row _pg_expandarray
    abs cbrt ceil floor round sqrt exp ln log log10 mod pow power sin cos tan cot sinh cosh tanh asin acos atan asinh
    acosh atanh radians degrees
    ascii bit_length btrim char_length chr concat convert_from decode encode left length lower lpad ltrim octet_length
    position regexp_match repeat replace right round rtrim split_part substr substring trim upper digest hmac md5
    sha224 sha256 sha384 sha512
    date_trunc date_part extract date_bin timezone to_timestamp to_char make_timestamp justify_days justify_hours
    justify_interval now current_timestamp mz_logical_timestamp
    jsonb_array_length jsonb_build_array jsonb_build_object jsonb_pretty jsonb_strip_nulls jsonb_typeof to_jsonb
    array_cat array_length array_lower array_upper array_remove array_to_string list_append list_cat list_length
    list_length_max list_n_layers list_ndims list_prepend list_remove map_length
    coalesce nullif greatest least
    mz_cluster_id mz_uptime mz_version mz_session_id mz_row_size mz_sleep mz_is_materialized version current_database
    current_schema current_schemas current_user session_user format_type obj_description pg_backend_pid pg_column_size
    pg_encoding_to_char pg_get_constraintdef pg_get_expr pg_get_indexdef pg_get_userbyid pg_get_viewdef
    pg_postmaster_start_time pg_table_is_visible pg_type_is_visible pg_typeof
"""
LATER = """
    map_agg rank regexp_replace regexp_split_to_array regexp_split_to_table regexp_matches string_to_array translate
    strpos starts_with initcap reverse concat_ws quote_ident parse_ident age datediff timezone_offset trunc ceiling
    array_fill array_position bit_count int4range int8range numrange daterange tsrange tstzrange seahash kafka_murmur2
    crc32 constant_time_eq uuid_generate_v5 pretty_sql redact_sql try_parse_monotonic_iso8601_timestamp
    has_cluster_privilege has_connection_privilege has_database_privilege has_schema_privilege has_secret_privilege
    has_system_privilege has_table_privilege has_type_privilege current_setting pg_size_pretty pg_relation_size mz_now
"""
SYNTAX = {"coalesce": "coalesce(NULL, 1)", "trim": "trim(both 'x' from 'x1x')::int"}
"""Those that the grammar reads, with an expression that is 1."""
REFUSED = {
    "concat_agg": "reserved by Materialize and refused there too: string_agg(x, '')",
    "mz_all": "what Materialize's planner makes of x op ALL (...), which is written so: bool_and",
    "mz_any": "what Materialize's planner makes of x op ANY (...), which is written so: bool_or",
}


def test_each_is_there_or_refused():
    wanted = {*SINGLE_PROCESS.split(), *LATER.split()}
    there = {routine.name for routine in ROUTINES}
    assert wanted - there - SYNTAX.keys() == REFUSED.keys()
    with Database.in_memory() as database:
        for expression in SYNTAX.values():
            assert database.execute(f"SELECT {expression}").rows() == [(1,)]


def test_what_there_is_not_says_what_to_do():
    with Database.in_memory() as database, database.session() as session:
        for sql, hint in (
            ("SELECT nextval('s')", "gen_random_uuid"),
            ("CREATE SEQUENCE s", "gen_random_uuid"),
            ("CREATE TABLE t (id serial)", "gen_random_uuid"),
            ("CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY)", "gen_random_uuid"),
            ("SELECT pg_notify('a', 'b')", "SUBSCRIBE"),
            ("LISTEN a", "SUBSCRIBE"),
            ("CREATE TRIGGER t", "SUBSCRIBE"),
        ):
            with pytest.raises(SqlError) as found:
                session.execute(sql)
            assert hint in (found.value.hint or ""), sql
