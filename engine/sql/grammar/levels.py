"""How tightly operators bind: PostgreSQL's table (manual 4.1.6), lowest first."""

from typing import Final

OR, AND, NOT, IS, COMPARE, MATCH, OTHER, ADD, MULTIPLY, POWER, ZONE, COLLATE, SIGN = range(1, 14)

LEVELS: Final = {
    "or": OR, "and": AND, "is": IS, "isnull": IS, "notnull": IS,
    "<": COMPARE, ">": COMPARE, "=": COMPARE, "<=": COMPARE, ">=": COMPARE, "<>": COMPARE, "!=": COMPARE,
    "between": MATCH, "in": MATCH, "like": MATCH, "ilike": MATCH, "similar": MATCH, "not": MATCH,
    "+": ADD, "-": ADD, "*": MULTIPLY, "/": MULTIPLY, "%": MULTIPLY, "^": POWER, "at": ZONE, "collate": COLLATE,
}  # fmt: skip
"""How tightly what may follow an operand binds; a symbol of operator characters that is not here is OTHER."""

OPERATOR_CHARACTERS: Final = frozenset("+-*/<>=~!@#%^&|`?")
