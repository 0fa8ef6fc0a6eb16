"""The queries of public benchmarks, one file of SQL each: what benchmarks measure and tests hold to a recomputation.

tpch.sql      the 22 queries of TPC-H, over the tables of engine/connectors/tpch.py
nexmark.sql   the Nexmark queries that SQL without processing time can ask, over those of engine/connectors/nexmark.py
"""
