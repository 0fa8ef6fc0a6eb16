"""Where changes come from: brokers, databases, files and generators, decoded off the tick.

feed.py         the protocol: Feed, SourceSpec, Decoded, Reader
ingest.py       describe() for CREATE SOURCE; Ingest: one thread and one bounded inbox a source
files.py        a file's bytes, whole lines at a time
streams.py      those bytes: once to the end, or followed through appends, rotation and truncation
roots.py        which files of the host clients may have read
decode_*.py     lines to columns, and to error rows what is no row; abreast.py long blocks of them in parts, at once
kafka/          topics: records, envelopes, offsets
postgres/       tables of a database: a snapshot, then its replication
generator.py    the reader of load generators; generated.py what one is; generate_*.py each
dice.py         numbers that are a function of a key: what generated rows are drawn from
tpch.py         the tables of TPC-H as functions of their keys
nexmark.py      the stream of Nexmark as functions of event numbers
"""
