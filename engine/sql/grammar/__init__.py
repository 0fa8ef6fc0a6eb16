"""PostgreSQL's grammar by recursive descent: each layer knows the ones below it.

tokens        text -> tokens, with their positions
cursor        a place among the tokens; syntax errors as PostgreSQL words them
expressions   scalars, by operator precedence
queries       SELECT, VALUES, set operations, WITH, FROM
definitions   CREATE, DROP
sessions      SHOW, SET, EXPLAIN, SUBSCRIBE, COPY, transactions
commands      any statement
"""
