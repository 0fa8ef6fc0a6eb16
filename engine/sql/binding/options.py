"""WITH (...): options that several kinds of objects have."""

from collections.abc import Sequence

from engine.errors import InvalidParameter
from engine.expr.interval_text import parse_interval
from engine.sql.statement.parts import Option


def history(options: Sequence[Option]) -> int | None:
    found = None
    for option in options:
        if option.name != "retain history" or not isinstance(option.value, str):
            raise InvalidParameter(f'unrecognized option "{option.name}"', position=option.at)
        found = milliseconds(option)
    return found


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
