"""WITH (...): options that several kinds of objects have."""

from collections.abc import Sequence
from typing import Final

from engine.errors import InvalidParameter, Unsupported
from engine.expr.interval_text import parse_interval
from engine.sql.statement.parts import Option


def history(options: Sequence[Option]) -> int | None:
    found = None
    for option in options:
        if option.name != "retain history" or not isinstance(option.value, str):
            raise InvalidParameter(f'unrecognized option "{option.name}"', position=option.at)
        found = milliseconds(option)
    return found


REFUSED: Final = {
    "refresh": "Every view is as of the last commit: leave REFRESH out, or say REFRESH ON COMMIT.",
    "assert not null": "NOT NULL is known of a column that is computed so: coalesce(x, ...).",
}
"""Options of Materialize's views that are not kept, by how they begin, and what to do instead."""


def view_history(options: Sequence[Option]) -> int | None:
    """As `history`; a view may also say that it is refreshed on commit, as all are."""
    rest: list[Option] = []
    for option in options:
        hint = next((hint for word, hint in REFUSED.items() if option.name.startswith(word)), None)
        if option.name == "refresh on commit" and option.value is None:
            continue
        if hint is not None:
            raise Unsupported(f"{option.name.upper()} is not supported", hint=hint, position=option.at)
        rest.append(option)
    return history(rest)


def milliseconds(option: Option) -> int:
    """The length of time that an option gives, as the text of an interval without months."""
    interval = parse_interval(str(option.value))
    total = interval.days * 86_400_000 + interval.microseconds // 1000
    if interval.months or total <= 0:
        raise InvalidParameter(f"{option.name.upper()} must be positive and without months", position=option.at)
    return total


def history_sql(history_ms: int | None) -> str:
    """The option as SQL."""
    return "" if history_ms is None else f" WITH (RETAIN HISTORY FOR '{history_ms} ms')"
