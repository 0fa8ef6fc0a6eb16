"""The options of COPY: how its data are written."""

from collections.abc import Sequence
from dataclasses import replace

from engine.errors import InvalidParameter
from engine.sql import bound
from engine.sql.statement.parts import Option


def copy_form(options: Sequence[Option]) -> bound.CopyForm:
    """What the options of a COPY say of its data."""
    given = {option.name: option for option in options}
    for name in [name for name in given if name.startswith("format ")]:
        given["format"] = replace(given.pop(name), value=name.removeprefix("format "))
    named = given.pop("format", None)
    form = "text" if named is None else named.value
    if form not in ("text", "csv", "binary"):
        at = None if named is None else named.at
        raise InvalidParameter(f'COPY format "{form}" not recognized', position=at)
    csv = form == "csv"
    values = {"delimiter": "," if csv else "\t", "null": "" if csv else "\\N", "quote": '"'}
    header = False
    for name, option in given.items():
        if form == "binary" and name in ("header", "delimiter", "null", "quote", "escape"):
            raise InvalidParameter(f"cannot specify {name.upper()} in BINARY mode", position=option.at)
        if name == "header":
            header = option.value in (None, True, "true", "on", 1)
        elif name in ("delimiter", "null") or (csv and name in ("quote", "escape")):
            values[name] = str(option.value)
            if name != "null" and len(values[name].encode()) != 1:
                raise InvalidParameter(f"COPY {name} must be a single one-byte character", position=option.at)
        else:
            raise InvalidParameter(f'option "{name}" not recognized', position=option.at)
    quote = values["quote"] if csv else None
    escape = values.get("escape", values["quote"])
    return bound.CopyForm(values["delimiter"], values["null"], quote, escape, header, form == "binary")
