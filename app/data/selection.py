"""Filters, order and a cursor -> a SELECT; and its rows -> a page and the cursor of the next.

Law: paging by key. The order is made total by a key of the relation, or by all of its columns; a page begins at the row
after the last one of the page before, whatever was inserted or deleted meanwhile. Where equal rows are told apart by
nothing, the cursor says how many of them are out already.
"""

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.data.names import quoted
from engine import types
from engine.database import Readable, Result
from engine.errors import InvalidParameter, UndefinedColumn
from engine.types import Column, Physical

LIMIT_MAX: Final = 1_000_000
CURSOR_MAX: Final = 16_384
"""A cursor is part of a request's first line, of which HTTP servers read so much and no more."""
TERM: Final = re.compile(r'(?:"((?:[^"]|"")+)"|([^":]+))(?::(.*))?', re.DOTALL)
COMPARISONS: Final = {
    "eq": "=",
    "ne": "<>",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "like": "LIKE",
    "ilike": "ILIKE",
}
TESTS: Final = {"null": "IS NULL", "not_null": "IS NOT NULL", "true": "IS TRUE", "false": "IS FALSE"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says of the rows that it wants."""

    columns: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    limit: int = 1000
    after: str | None = None
    as_of: int | None = None

    def digest(self) -> str:
        """A cursor is of one query and no other."""
        said = json.dumps([self.columns, self.where, self.order])
        return hashlib.sha256(said.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Selection:
    """`sql` has the shown columns, then those of the order as text. Of its rows whose order is `last`, `skip` are out
    already (or are gone meanwhile)."""

    sql: str
    parameters: tuple[str, ...]
    shown: int
    limit: int
    skip: int
    last: tuple[str | None, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Page:
    """Rows `begin` to `end` of an answer, its first `shown` columns; and the next page's cursor, if there is one."""

    result: Result
    begin: int
    end: int
    shown: int
    next: str | None


@dataclass(frozen=True, slots=True)
class _Term:
    """One of what the rows are ordered by."""

    sql: str
    cast: str
    descending: bool


def select(relation: Readable, asked: Asked) -> Selection:
    """The SELECT. UndefinedColumn, InvalidParameter for what makes no sense."""
    known = {column.name: column for column in relation.columns}
    shown = list(asked.columns) or list(known)
    for name in shown:
        _column(known, name)
    parameters: list[str] = []
    conditions = [_condition(known, text, parameters) for text in asked.where]
    terms = _order(relation, known, asked.order)
    skip, values = 0, list[str | None]()
    if asked.after is not None:
        skip, values = _resumed(asked, len(terms))
        conditions.append(_from(terms, values, parameters))
    hidden = (f"CAST({term.sql} AS text) AS {quoted(f'order {i}')}" for i, term in enumerate(terms))
    columns = [*(f"r.{quoted(name)}" for name in shown), *hidden]
    order = ", ".join(f"{term.sql} {'DESC' if term.descending else 'ASC'}" for term in terms)
    name = quoted(relation.name.database, relation.name.schema, relation.name.item)
    if not relation.name.database:
        name = quoted(relation.name.schema, relation.name.item)
    sql = f"SELECT {', '.join(columns)} FROM {name} AS r"
    if conditions:
        sql += f" WHERE {' AND '.join(conditions)}"
    if order:
        sql += f" ORDER BY {order}"
    sql += f" LIMIT {skip + asked.limit + 1}"
    if asked.as_of is not None:
        sql += f" AS OF {asked.as_of}"
    return Selection(sql, tuple(parameters), len(shown), asked.limit, skip, tuple(values), asked.digest())


def page(selection: Selection, result: Result) -> Page:
    """What of the answer is the page."""
    begin = _out(selection, result)
    end = min(begin + selection.limit, result.row_count)
    following = None
    if end < result.row_count and end > begin:
        assert result.batch is not None
        words = result.batch.key_words(range(selection.shown, result.batch.columns))[:, :end]
        other = np.flatnonzero((words != words[:, end - 1 : end]).any(axis=0))
        out = end - (int(other[-1]) + 1 if len(other) else 0)
        last = [column[0].as_py() for column in result.part(end - 1, end, result.batch.columns).text()]
        said = json.dumps([selection.digest, out, last[selection.shown :]], separators=(",", ":"))
        following = urlsafe_b64encode(said.encode()).rstrip(b"=").decode()
        if len(following) > CURSOR_MAX:
            raise InvalidParameter(
                "the values that the rows are ordered by are too long for a cursor",
                hint="Raise limit, or page a relation with a key: its columns are all that a cursor then holds.",
            )
    return Page(result, begin, end, selection.shown, following)


def _out(selection: Selection, result: Result) -> int:
    """How many rows the answer begins with that were on pages before."""
    if not selection.skip or result.batch is None:
        return 0
    first = result.part(0, selection.skip, result.batch.columns)
    orders = zip(*(column.to_pylist() for column in first.text()[selection.shown :]), strict=True)
    return sum(1 for order in orders if order == selection.last)


def _column(known: dict[str, Column], name: str) -> Column:
    found = known.get(name)
    if found is None:
        raise UndefinedColumn(f'column "{name}" does not exist', hint=f"There are {', '.join(known)}.")
    return found


def _term(text: str) -> tuple[str, str]:
    """(column, what follows the colon) of column:rest; a column with a colon in it stands in double quotes."""
    found = TERM.fullmatch(text)
    if found is None:
        raise InvalidParameter(f"{text!r} does not begin with a column", hint='It is column:...; "a:b" quotes.')
    in_quotes, plain, rest = found.groups()
    return (plain if in_quotes is None else in_quotes.replace('""', '"')), rest or ""


def _condition(known: dict[str, Column], text: str, parameters: list[str]) -> str:
    """column:operator:value as SQL."""
    name, rest = _term(text)
    column = f"r.{quoted(_column(known, name).name)}"
    operator, colon, value = rest.partition(":")
    if operator == "is" and value in TESTS:
        return f"{column} {TESTS[value]}"
    if operator in COMPARISONS and colon:
        parameters.append(value)
        return f"{column} {COMPARISONS[operator]} ${len(parameters)}"
    if operator == "in" and colon:
        places: list[str] = []
        for each in value.split(","):
            parameters.append(each)
            places.append(f"${len(parameters)}")
        return f"{column} IN ({', '.join(places)})"
    raise InvalidParameter(
        f"{text!r} is no filter",
        hint=f"It is column:operator:value with {', '.join(COMPARISONS)}, in (values with commas between them), or is "
        f"with {', '.join(TESTS)}.",
    )


def _order(relation: Readable, known: dict[str, Column], order: Sequence[str]) -> list[_Term]:
    """What the rows are ordered by: what was asked, then what makes it total."""
    terms: list[_Term] = []
    named: set[str] = set()
    for text in order:
        name, direction = _term(text)
        column = _column(known, name)
        if direction not in ("", "asc", "desc"):
            raise InvalidParameter(f"{text!r} is no order", hint="It is column, column:asc or column:desc.")
        if name not in named:
            terms.append(_by(column, direction == "desc"))
            named.add(name)
    rest = relation.keys[0] if relation.keys else tuple(known)
    return [*terms, *(_by(known[name], False) for name in rest if name not in named)]


def _by(column: Column, descending: bool) -> _Term:
    """Values without an order of their own are ordered by their text, which equal values share."""
    name, type = f"r.{quoted(column.name)}", column.type
    ordered = type.nesting is None and type.physical <= Physical.DECIMAL
    if ordered or type.plain in (types.TEXT, types.VARCHAR):
        return _Term(name, str(type.plain), descending)
    return _Term(f"CAST({name} AS text)", "text", descending)


def _resumed(asked: Asked, terms: int) -> tuple[int, list[str | None]]:
    """(rows out already, the values of the last row) of a cursor."""
    wrong = InvalidParameter("the cursor is not one of this query", hint="Begin again without after.")
    assert asked.after is not None
    try:
        said = json.loads(urlsafe_b64decode(asked.after + "=" * (-len(asked.after) % 4)))
    except (Base64Error, ValueError, RecursionError):
        raise wrong from None
    match said:
        case [str() as digest, int() as skip, list() as values]:
            fine = all(value is None or isinstance(value, str) for value in values)
            if fine and digest == asked.digest() and len(values) == terms and 0 < skip <= LIMIT_MAX:
                return skip, values
        case _:
            pass
    raise wrong


def _from(terms: Sequence[_Term], values: Sequence[str | None], parameters: list[str]) -> str:
    """The rows equal to those values or after them."""
    equal: list[str] = []
    alternatives: list[str] = []
    for term, value in zip(terms, values, strict=True):
        if value is None:
            after, same = (f"{term.sql} IS NOT NULL" if term.descending else None), f"{term.sql} IS NULL"
        else:
            parameters.append(value)
            given = f"CAST(${len(parameters)} AS {term.cast})"
            after = f"{term.sql} < {given}" if term.descending else f"({term.sql} > {given} OR {term.sql} IS NULL)"
            same = f"{term.sql} = {given}"
        if after is not None:
            alternatives.append(" AND ".join([*equal, after]))
        equal.append(same)
    alternatives.append(" AND ".join(equal) or "true")
    return f"({' OR '.join(f'({each})' for each in alternatives)})"
