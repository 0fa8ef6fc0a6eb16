"""Names to columns, calls to overloads, syntax to relations. Each layer knows the ones before it.

context       what a statement is bound against
types         type names and constants
names         what an output column is called
place         where an expression stands, and what is collected there
applying      functions and casts applied to what is bound
scalars       expressions
calls         functions and aggregates
from_clause   tables, joins, table functions
grouping      what GROUP BY leaves visible
select        one SELECT
listings      what SHOW stands for
queries       set operations, VALUES, WITH, ORDER BY, LIMIT
session       functions of the session, and rows of system relations: constants put in last
tree          rewriting bound relations all through
fitting       what a replacement of a view must be like
    reads, explains, writes, definitions, drops, alters, replacements, roles, shows, sources, webhooks: the statements
writing       names and types as SQL, for the statements that the log keeps
"""
