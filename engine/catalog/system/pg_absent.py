"""Catalogs of PostgreSQL for what there is none of here: they are there, with their columns, and empty.

So a client that asks for a table's triggers hears that it has none.
"""

from typing import Final

from engine.catalog.system.definition import define
from engine.catalog.system.mz_catalog import none

_TABLE: Final[tuple[tuple[str, int, str, str], ...]] = (
    ("pg_inherits", 2611, "which table inherits from which",
     "inhrelid oid!, inhparent oid!, inhseqno int4!, inhdetachpending bool!"),
    ("pg_policy", 3256, "policies of row security",
     "oid oid!, polname name!, polrelid oid!, polcmd char!, polpermissive bool!, polroles oid[]!, polqual "
     "text, polwithcheck text"),
    ("pg_statistic_ext", 3381, "extended statistics",
     "oid oid!, stxrelid oid!, stxname name!, stxnamespace oid!, stxowner oid!, stxstattarget int4!, "
     "stxkeys int2vector!, stxkind char[]!, stxexprs text"),
    ("pg_publication", 6104, "publications",
     "oid oid!, pubname name!, pubowner oid!, puballtables bool!, pubinsert bool!, pubupdate bool!, "
     "pubdelete bool!, pubtruncate bool!, pubviaroot bool!"),
    ("pg_publication_rel", 6106, "the tables of publications",
     "oid oid!, prpubid oid!, prrelid oid!, prqual text, prattrs int2vector"),
    ("pg_publication_namespace", 6237, "the schemas of publications",
     "oid oid!, pnpubid oid!, pnnspid oid!"),
    ("pg_publication_tables", 12068, "the tables of publications by name",
     "pubname name, schemaname name, tablename name, attnames name[], rowfilter text"),
    ("pg_subscription", 6100, "subscriptions to publications",
     "oid oid!, subdbid oid!, subskiplsn text!, subname name!, subowner oid!, subenabled bool!, subbinary "
     "bool!, substream bool!, subtwophasestate char!, subdisableonerr bool!, subconninfo text!, "
     "subslotname name, subsynccommit text!, subpublications text[]!"),
    ("pg_foreign_table", 3118, "foreign tables",
     "ftrelid oid!, ftserver oid!, ftoptions text[]"),
    ("pg_foreign_server", 1417, "foreign servers",
     "oid oid!, srvname name!, srvowner oid!, srvfdw oid!, srvtype text, srvversion text, srvacl aclitem[], "
     "srvoptions text[]"),
    ("pg_foreign_data_wrapper", 2328, "foreign data wrappers",
     "oid oid!, fdwname name!, fdwowner oid!, fdwhandler oid!, fdwvalidator oid!, fdwacl aclitem[], "
     "fdwoptions text[]"),
    ("pg_user_mapping", 1418, "users of foreign servers",
     "oid oid!, umuser oid!, umserver oid!, umoptions text[]"),
    ("pg_user_mappings", 12327, "users of foreign servers",
     "umid oid, srvid oid, srvname name, umuser oid, usename name, umoptions text[]"),
    ("pg_trigger", 2620, "triggers",
     "oid oid!, tgrelid oid!, tgparentid oid!, tgname name!, tgfoid oid!, tgtype int2!, tgenabled char!, "
     "tgisinternal bool!, tgconstrrelid oid!, tgconstrindid oid!, tgconstraint oid!, tgdeferrable bool!, "
     "tginitdeferred bool!, tgnargs int2!, tgattr int2vector!, tgargs bytea!, tgqual text, tgoldtable "
     "name, tgnewtable name"),
    ("pg_event_trigger", 3466, "event triggers",
     "oid oid!, evtname name!, evtevent name!, evtowner oid!, evtfoid oid!, evtenabled char!, evttags "
     "text[]"),
    ("pg_partitioned_table", 3350, "partitioned tables",
     "partrelid oid!, partstrat char!, partnatts int2!, partdefid oid!, partattrs int2vector!, partclass "
     "oidvector!, partcollation oidvector!, partexprs text"),
    ("pg_rules", 12023, "rewrite rules",
     "schemaname name, tablename name, rulename name, definition text"),
    ("pg_sequence", 2224, "sequences",
     "seqrelid oid!, seqtypid oid!, seqstart int8!, seqincrement int8!, seqmax int8!, seqmin int8!, "
     "seqcache int8!, seqcycle bool!"),
    ("pg_sequences", 12048, "sequences by name",
     "schemaname name, sequencename name, sequenceowner name, data_type regtype, start_value int8, "
     "min_value int8, max_value int8, increment_by int8, cycle bool, cache_size int8, last_value int8"),
    ("pg_extension", 3079, "extensions",
     "oid oid!, extname name!, extowner oid!, extnamespace oid!, extrelocatable bool!, extversion text!, "
     "extconfig oid[], extcondition text[]"),
    ("pg_available_extensions", 12081, "extensions that could be installed",
     "name name, default_version text, installed_version text, comment text"),
    ("pg_available_extension_versions", 12085, "their versions",
     "name name, version text, installed bool, superuser bool, trusted bool, relocatable bool, schema "
     "name, requires name[], comment text"),
    ("pg_default_acl", 826, "default privileges",
     "oid oid!, defaclrole oid!, defaclnamespace oid!, defaclobjtype char!, defaclacl aclitem[]!"),
    ("pg_db_role_setting", 2964, "settings of databases and roles",
     "setdatabase oid!, setrole oid!, setconfig text[]"),
    ("pg_auth_members", 1261, "which role is in which",
     "roleid oid!, member oid!, grantor oid!, admin_option bool!"),
    ("pg_shdescription", 2396, "comments on what is in no database",
     "objoid oid!, classoid oid!, description text!"),
    ("pg_shdepend", 1214, "dependencies on what is in no database",
     "dbid oid!, classid oid!, objid oid!, objsubid int4!, refclassid oid!, refobjid oid!, deptype char!"),
    ("pg_init_privs", 3394, "privileges that extensions began with",
     "objoid oid!, classoid oid!, objsubid int4!, privtype char!, initprivs text[]!"),
    ("pg_amproc", 2603, "functions of operator families",
     "oid oid!, amprocfamily oid!, amproclefttype oid!, amprocrighttype oid!, amprocnum int2!, amproc "
     "regproc!"),
    ("pg_conversion", 2607, "conversions between encodings",
     "oid oid!, conname name!, connamespace oid!, conowner oid!, conforencoding int4!, contoencoding "
     "int4!, conproc regproc!, condefault bool!"),
    ("pg_transform", 3576, "transforms",
     "oid oid!, trftype oid!, trflang oid!, trffromsql regproc!, trftosql regproc!"),
    ("pg_ts_config", 3602, "text search configurations",
     "oid oid!, cfgname name!, cfgnamespace oid!, cfgowner oid!, cfgparser oid!"),
    ("pg_ts_config_map", 3603, "their dictionaries",
     "mapcfg oid!, maptokentype int4!, mapseqno int4!, mapdict oid!"),
    ("pg_ts_dict", 3600, "text search dictionaries",
     "oid oid!, dictname name!, dictnamespace oid!, dictowner oid!, dicttemplate oid!, dictinitoption text"),
    ("pg_ts_parser", 3601, "text search parsers",
     "oid oid!, prsname name!, prsnamespace oid!, prsstart regproc!, prstoken regproc!, prsend regproc!, "
     "prsheadline regproc!, prslextype regproc!"),
    ("pg_ts_template", 3764, "text search templates",
     "oid oid!, tmplname name!, tmplnamespace oid!, tmplinit regproc!, tmpllexize regproc!"),
    ("pg_largeobject_metadata", 2995, "large objects",
     "oid oid!, lomowner oid!, lomacl aclitem[]"),
    ("pg_statio_all_tables", 12171, "reads of blocks: there are no blocks",
     "relid oid, schemaname name, relname name, heap_blks_read int8, heap_blks_hit int8, idx_blks_read int8, "
     "idx_blks_hit int8, toast_blks_read int8, toast_blks_hit int8, tidx_blks_read int8, tidx_blks_hit int8"),
    ("pg_statio_user_tables", 12180, "reads of blocks: there are no blocks",
     "relid oid, schemaname name, relname name, heap_blks_read int8, heap_blks_hit int8, idx_blks_read int8, "
     "idx_blks_hit int8, toast_blks_read int8, toast_blks_hit int8, tidx_blks_read int8, tidx_blks_hit int8"),
    ("pg_prepared_xacts", 12090, "transactions prepared for two-phase commit",
     "transaction int8, gid text, prepared timestamptz, owner name, database name"),
    ("pg_seclabel", 3596, "security labels",
     "objoid oid!, classoid oid!, objsubid int4!, provider text!, label text!"),
    ("pg_seclabels", 12099, "security labels",
     "objoid oid, classoid oid, objsubid int4, objtype text, objnamespace oid, objname text, provider "
     "text, label text"),
    ("pg_replication_slots", 12257, "replication slots",
     "slot_name name, plugin name, slot_type text, datoid oid, database name, temporary bool, active bool, "
     "active_pid int4, xmin xid, catalog_xmin xid, restart_lsn pg_lsn, confirmed_flush_lsn pg_lsn, "
     "wal_status text, safe_wal_size int8, two_phase bool"),
    ("pg_stat_replication", 12227, "replicas that follow",
     "pid int4, usesysid oid, usename name, application_name text, client_addr text, client_hostname text, "
     "client_port int4, backend_start timestamptz, backend_xmin xid, state text, sent_lsn pg_lsn, write_lsn "
     "pg_lsn, flush_lsn pg_lsn, replay_lsn pg_lsn, write_lag interval, flush_lag interval, replay_lag interval, "
     "sync_priority int4, sync_state text, reply_time timestamptz"),
    ("pg_stats", 12053, "statistics of columns",
     "schemaname name, tablename name, attname name, inherited bool, null_frac float4, avg_width int4, "
     "n_distinct float4, most_common_vals text, most_common_freqs float4[], histogram_bounds text, "
     "correlation float4, most_common_elems text, most_common_elem_freqs float4[], elem_count_histogram "
     "float4[]"),
    ("pg_policies", 12018, "policies of row security by name",
     "schemaname name, tablename name, policyname name, permissive text, roles name[], cmd text, qual "
     "text, with_check text"),
    ("pg_stat_progress_vacuum", 12302, "vacuums under way",
     "pid int4, datid oid, datname name, relid oid, phase text, heap_blks_total int8, heap_blks_scanned "
     "int8, heap_blks_vacuumed int8, index_vacuum_count int8, max_dead_tuples int8, num_dead_tuples int8"),
    ("pg_stat_progress_analyze", 12297, "analyses under way",
     "pid int4, datid oid, datname name, relid oid, phase text, sample_blks_total int8, "
     "sample_blks_scanned int8, ext_stats_total int8, ext_stats_computed int8, child_tables_total int8, "
     "child_tables_done int8, current_child_table_relid oid"),
    ("pg_stat_progress_create_index", 12312, "index builds under way",
     "pid int4, datid oid, datname name, relid oid, index_relid oid, command text, phase text, "
     "lockers_total int8, lockers_done int8, current_locker_pid int8, blocks_total int8, blocks_done int8, "
     "tuples_total int8, tuples_done int8, partitions_total int8, partitions_done int8"),
    ("pg_stat_ssl", 12249, "encryption of connections",
     "pid int4, ssl bool, version text, cipher text, bits int4, client_dn text, client_serial numeric, "
     "issuer_dn text"),
    ("pg_stat_gssapi", 12253, "GSSAPI of connections",
     "pid int4, gss_authenticated bool, principal text, encrypted bool"),
)  # fmt: skip

DEFINITIONS: Final = tuple(
    define("pg_catalog", name, oid, text, f"{doc}: none", none) for name, oid, doc, text in _TABLE
)
