"""Where changes come from: brokers, databases, files and generators, decoded off the tick.

feed.py         the protocol: Feed, SourceSpec, Decoded, Reader
kinds.py        each kind of source: describe() for CREATE SOURCE, open_reader()
ingest.py       Ingest: one thread and one bounded inbox a source
files/          files of the host and of object stores, read once or followed; and written, by COPY
decode_*.py     lines to columns, and to error rows what is no row; abreast.py long blocks of them in parts, at once
encode.py       columns to the bytes of records; avro/encode.py in Avro
json_values.py  what a JSON value is in a column
debezium.py     Debezium's changes; cdc.py those of Materialize's CDC
recent.py       the errors that are kept of a source
remembered.py   deduplication by all that was seen
together.py     how far sources go in one tick whose transactions come together
kafka/          topics: records, envelopes, offsets
postgres/       tables of a database: a snapshot, then its replication
generator.py    the reader of load generators; generated.py what one is; generate_*.py each
dice.py         numbers that are a function of a key: what generated rows are drawn from
tpch.py         the tables of TPC-H as functions of their keys
nexmark.py      the stream of Nexmark as functions of event numbers
"""
