"""The statements by what they are about; engine/sql/statements.py has them all.

parts         what several are made of
data          rows: SELECT, INSERT, UPDATE, DELETE, SUBSCRIBE, COPY
definitions   what there is: CREATE, DROP, ALTER, COMMENT ON, roles
connectors    sources, sinks, connections, secrets
session       EXPLAIN, SHOW, SET, transactions, prepared statements, cursors
"""
