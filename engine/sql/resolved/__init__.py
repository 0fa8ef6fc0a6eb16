"""The bound statements by what they are about; engine/sql/bound.py has them all.

rows          SELECT, INSERT, UPDATE, DELETE, SUBSCRIBE, COPY
definitions   what there is: CREATE, DROP, ALTER, COMMENT ON, roles
session       EXPLAIN, SHOW, SET, transactions
"""
