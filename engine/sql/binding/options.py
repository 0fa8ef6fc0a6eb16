"""WITH (...): options that several kinds of objects have."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from engine.catalog.timelines import OWN
from engine.dataflow.graph import Schedule
from engine.errors import InvalidParameter, SqlError
from engine.expr.datetime_text import format_timestamptz, parse_timestamptz
from engine.expr.interval_text import parse_interval
from engine.sql.binding.writing import quoted, text
from engine.sql.grammar.tokens import Kind, tokenize
from engine.sql.statement.parts import Option


def history(options: Sequence[Option]) -> int | None:
    found = None
    for option in options:
        if option.name != "retain history" or not isinstance(option.value, str):
            raise InvalidParameter(f'unrecognized option "{option.name}"', position=option.at)
        found = milliseconds(option)
    return found


def apart(options: Sequence[Option]) -> tuple[int | None, tuple[Option, ...]]:
    """RETAIN HISTORY FOR among the options of a kind of object that has many, and the others."""
    kept = [option for option in options if option.name == "retain history"]
    return history(kept), tuple(option for option in options if option.name != "retain history")


def timeline(options: Sequence[Option]) -> tuple[str | None, tuple[Option, ...]]:
    """What TIMELINE and EPOCH MS TIMELINE of a source come to (timelines.py), and the others."""
    named = next((option for option in options if option.name == "timeline"), None)
    clock = next((option for option in options if option.name == "epoch ms timeline"), None)
    others = tuple(option for option in options if option is not named and option is not clock)
    if clock is not None and not isinstance(clock.value, bool | None):
        raise InvalidParameter('option "epoch ms timeline" is either true or false', position=clock.at)
    if named is None:
        return (OWN if clock is not None and clock.value is False else None), others
    if clock is not None:
        raise InvalidParameter(
            "timeline and epoch_ms_timeline both say which timeline the source is of", position=clock.at,
            hint="Give one: the clock's is epoch_ms_timeline = true, and that of a source that gives none.",
        )  # fmt: skip
    if not isinstance(named.value, str) or not named.value:
        raise InvalidParameter("TIMELINE is the name of one, in quotes", position=named.at)
    return named.value, others


ASSERTED: Final = "assert not null"
REFRESH: Final = ("refresh on commit", "refresh at creation", "refresh at", "refresh every")


def view_history(options: Sequence[Option]) -> int | None:
    """As `history`; a view may also say when it is refreshed and what it asserts."""
    return history([option for option in options if option.name not in (ASSERTED, *REFRESH)])


def schedule(options: Sequence[Option], now: datetime) -> Schedule | None:
    """When a view is refreshed that is made `now`; None: it is always as of the last tick."""
    created = moment_ms(now)
    at: list[int] = []
    every: list[tuple[int, int]] = []
    at_once = committed = False
    for option in options:
        match option.name, option.value:
            case "refresh on commit", _:
                committed = True
            case "refresh at creation", _:
                at_once = True
            case "refresh at", str():
                at.append(instant_ms(option.value, option.at))
            case "refresh every", (str(step), str(aligned)):
                every.append((instant_ms(aligned, option.at), milliseconds(replace(option, value=step))))
            case "refresh every", (str(step),):
                every.append((created, milliseconds(replace(option, value=step))))
            case _:
                pass
    if committed and (at or every or at_once):
        first = next(option for option in options if option.name == "refresh on commit")
        raise InvalidParameter("REFRESH ON COMMIT cannot be combined with another REFRESH", position=first.at)
    return Schedule(tuple(sorted(set(at))), tuple(every), at_once) if at or every or at_once else None


YEAR_10000_MS: Final = 253_402_300_800_000


def moment_ms(moment: datetime) -> int:
    """Milliseconds since 1970, rounded down."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def instant_ms(text: str, at: int) -> int:
    """Milliseconds since 1970 of a time that is written as a timestamptz, or as those milliseconds."""
    try:
        ms = int(text) if text.isdecimal() and len(text) > 8 else -(-parse_timestamptz(text) // 1000)
    except SqlError as error:
        error.position = at
        raise
    if not 0 <= ms < YEAR_10000_MS:
        raise InvalidParameter(f'"{text}" is no time of the years 1970 to 9999', position=at)
    return ms


def _refresh_sql(options: Sequence[Option], now: datetime) -> Iterator[str]:
    for option in options:
        match option.name, option.value:
            case "refresh at creation", _:
                yield "REFRESH AT CREATION"
            case "refresh at", str():
                yield f"REFRESH AT '{_written(instant_ms(option.value, option.at))}'"
            case "refresh every", (str(step), *rest):
                aligned = instant_ms(str(rest[0]), option.at) if rest else moment_ms(now)
                yield f"REFRESH EVERY '{milliseconds(replace(option, value=step))} ms' ALIGNED TO '{_written(aligned)}'"
            case _:
                pass


def _written(ms: int) -> str:
    return format_timestamptz(ms * 1000)


def asserted(options: Sequence[Option]) -> Iterator[tuple[str, int]]:
    """The columns that a view asserts not to be NULL, and where it says so."""
    for option in options:
        if option.name == ASSERTED and isinstance(option.value, tuple):
            yield from ((str(name), option.at) for name in option.value)


def view_options_sql(options: Sequence[Option], now: datetime) -> str:
    """What of a view's options counts, as SQL that means the same at any later time."""
    parts = [f"ASSERT NOT NULL {quoted(name)}" for name, _ in asserted(options)]
    history_ms = view_history(options)
    if history_ms is not None:
        parts.append(f"RETAIN HISTORY FOR '{history_ms} ms'")
    parts += _refresh_sql(options, now)
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


def source_sql(history_ms: int | None, timeline: str | None) -> str:
    """What every source may say behind all else, as SQL."""
    if timeline is None:
        return history_sql(history_ms)
    said = f"TIMELINE = {text(timeline)}" if timeline != OWN else "EPOCH_MS_TIMELINE = false"
    return f"{history_sql(history_ms)} WITH ({said})"


def with_history(sql: str, history_ms: int | None) -> str:
    """A statement whose options stand in WITH lists, with this RETAIN HISTORY in place of the one it has."""
    tokens = [token for token in tokenize(sql) if token.kind is not Kind.END]
    for i, token in enumerate(tokens):
        if token.key not in ("retain", "retain_history") or tokens[i - 1].key not in ("(", ","):
            continue
        end = next(j for j in range(i, len(tokens)) if tokens[j].key in (",", ")"))
        if tokens[i - 1].key == ",":
            begin, end = tokens[i - 1].at, tokens[end].at
        elif tokens[end].key == ",":
            begin, end = token.at, tokens[end + 1].at
        else:
            begin, end = tokens[i - 2].at, tokens[end].end
        sql = f"{sql[: begin - 1].rstrip() if begin < token.at else sql[: begin - 1]}{sql[end - 1 :]}"
        break
    return sql + history_sql(history_ms)
