"""What the parser makes of queries and expressions: PostgreSQL's grammar as immutable values.

Nothing is resolved here: names are as written (folded to lower case unless quoted), operators are their text, and what
is mere notation (BETWEEN aside) is already its function call. `at` is the position of a node in the text that was
parsed, counted in characters from 1, as errors report it; `end` is the position after its last character.

    expressions   names, constants, operators, calls, CASE, and whatever else stands for a value
    queries       FROM, SELECT, VALUES, set operations, WITH

An expression may have a query in it and a query has expressions: engine/sql/syntax.py has the names of both.
"""
