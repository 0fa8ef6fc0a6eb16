"""PostgreSQL's grammar by recursive descent: each layer knows the ones before it.

tokens        text -> tokens, with their positions
cursor        a place among the tokens; syntax errors as PostgreSQL words them
levels        how tightly operators bind
type_names    types
forms         expressions that begin with a word of their own
expressions   scalars, by operator precedence
groups        GROUP BY
options       lists of options
listings      SHOW of objects
queries       SELECT, VALUES, set operations, WITH, FROM
tables        CREATE TABLE
webhooks      CREATE SOURCE FROM WEBHOOK
sources       CREATE SOURCE, SECRET, CONNECTION
roles         CREATE ROLE and its like, GRANT
subscriptions CREATE DURABLE SUBSCRIPTION, ACKNOWLEDGE; how changes are told
definitions   CREATE, DROP
alter_table   ALTER TABLE: columns and constraints
alters        ALTER, COMMENT ON
explains      EXPLAIN
sessions      INSERT and its like, SHOW, SET, SUBSCRIBE, COPY, transactions
commands      any statement
"""
