"""Tables of a PostgreSQL database, copied and then followed through logical replication.

connection.py   one connection: queries, COPY out, the stream of a replication slot; libpq carries the bytes
refusals.py     what to do when a server says no
quoting.py      names and constants in statements for it
upstream.py     what the server has: its publication, tables, columns, keys; what a copy needs of them
columns.py      PostgreSQL's types as ours, and values in their text form as columns of words
changes.py      messages of pgoutput: which rows come and go, told by a kernel
snapshot.py     a slot, and all tables as they were at the point where its stream begins
copies.py       the relations that are copies of tables: read at first, begun, broken off
held.py         rows that wait, in memory and on disk
pending.py      what is to be given next
reader.py       the reader: the snapshot, then transaction by transaction from there
"""
