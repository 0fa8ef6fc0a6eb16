"""Files, of the host and of object stores: read once, or followed for what comes.

roots.py      which files of the host clients may have read and written
stores.py     where files are, and how they are packed: what the next two have in common
host.py       files of the host, found and opened
objects.py    the same of an object store
buckets.py    which objects there are, by the stores' own protocols
streams.py    the bytes of a file: once to their end, or as they are appended
splitters.py  bytes to records: lines, blocks of Avro
parts.py      a file being read from where the log says: records, and how far that is
parquet.py    the same of files that are tables
columns.py    which columns files have, and what a source has to know of them before it reads
reader.py     many files as one source
kept.py       how far each file was read, as the log's offsets
output.py     a file being written: whole, or not at all
"""
