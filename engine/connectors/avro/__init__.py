"""Avro: schemas become columns, and a program that reads data into them.

schema.py   a schema as a value, its columns
compile.py  writer's and reader's schema -> a program for kernels/avro.py, and how its cells become words
values.py   arrays, maps, records and whatever else a word does not hold: read one by one
decode.py   the decoder of records
"""
