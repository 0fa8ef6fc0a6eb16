"""Typed scalar expressions and everything that a call can mean.

scalar      the nodes: Ref, Literal, Call, Case, Coalesce, Logic; immutable values
registry    Function and Generic: one row of the table of functions
overload    which function a call means, and the casts around its arguments (PostgreSQL's rules)
evaluate    expressions as closures over vectors: nulls and errors are handled here, once; branches: CASE, COALESCE, AND
columns     words to Arrow or Python values and back; each distinct argument is seen once
text_forms  the text form of every type, both ways; datetime_text, interval_text and calendar beneath it
literal     quoted text to a typed constant
aggregate   the table of aggregates; table: functions that yield rows
functions/  one file a family; families.py collects them, document.py prints docs/functions.md
"""
