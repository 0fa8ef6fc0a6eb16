"""WITH (...): options that several kinds of objects have."""

from collections.abc import Iterator, Sequence
from typing import Final

from engine.errors import InvalidParameter, Unsupported
from engine.expr.interval_text import parse_interval
from engine.sql.binding.writing import quoted
from engine.sql.statement.parts import Option


def history(options: Sequence[Option]) -> int | None:
    found = None
    for option in options:
        if option.name != "retain history" or not isinstance(option.value, str):
            raise InvalidParameter(f'unrecognized option "{option.name}"', position=option.at)
        found = milliseconds(option)
    return found


ASSERTED: Final = "assert not null"
REFRESH_HINT: Final = "Every view is as of the last commit: leave REFRESH out, or say REFRESH ON COMMIT."


def view_history(options: Sequence[Option]) -> int | None:
    """As `history`; a view may also say that it is refreshed on commit, as all are, and what it asserts."""
    rest: list[Option] = []
    for option in options:
        if (option.name == "refresh on commit" and option.value is None) or option.name == ASSERTED:
            continue
        if option.name.startswith("refresh"):
            raise Unsupported(f"{option.name.upper()} is not supported", hint=REFRESH_HINT, position=option.at)
        rest.append(option)
    return history(rest)


def asserted(options: Sequence[Option]) -> Iterator[tuple[str, int]]:
    """The columns that a view asserts not to be NULL, and where it says so."""
    for option in options:
        if option.name == ASSERTED and isinstance(option.value, tuple):
            yield from ((str(name), option.at) for name in option.value)


def view_options_sql(options: Sequence[Option]) -> str:
    """What of a view's options counts, as SQL."""
    parts = [f"ASSERT NOT NULL {quoted(name)}" for name, _ in asserted(options)]
    history_ms = view_history(options)
    if history_ms is not None:
        parts.append(f"RETAIN HISTORY FOR '{history_ms} ms'")
    return f" WITH ({', '.join(parts)})" if parts else ""


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
