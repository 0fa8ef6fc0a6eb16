"""Kafka: topics as sources, and as what sinks write.

client.py     connections to brokers: metadata, offsets, fetches; TLS and SASL
kerberos.py   the tickets of SASL's GSSAPI
batches.py    what a fetch brings, as arrays: no object a record, no aborted transaction
columns.py    key, value and metadata of records as the columns of a source
parts.py      what envelopes share: keys, values, metadata and errors as columns
envelopes.py  what records do to rows: append, upsert, Debezium's before and after, updates at times
gathering.py  transactions of the upstream: what waits until all of one is there
waits.py      how long the rest of one is awaited
ends.py       the topic that says which transactions there are
settling.py   Materialize's CDC: what waits until all of its time is there
partitions.py which partitions are whose, where reading begins, how far it is
sample.py     a few records, to infer columns from
reader.py     the source: fetches ahead, decodes whole fetches, survives its brokers
outgoing.py   records to be, and the batches that carry them: no object a record
transactions.py   the requests of one transactional producer
marks.py      where transactions begin and end, for a topic that is told so
writer.py     a sink's side: its topics, and transactions that carry their own number
"""
