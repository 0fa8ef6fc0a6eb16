"""The options of COPY: how its data are written, and in which file."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from engine.catalog.sources import Compression
from engine.errors import InvalidParameter
from engine.sql.binding.context import Context
from engine.sql.binding.source_options import Options, Reads
from engine.sql.binding.stores import store_connection
from engine.sql.resolved.rows import CopyFile, CopyForm, FileKind
from engine.sql.statement.parts import Option

KINDS: Final = {"json": FileKind.JSON, "parquet": FileKind.PARQUET, "avro": FileKind.AVRO}
"""Formats of files that are not the protocol's."""

PACKED: Final = ("none", "snappy", "gzip", "zstd", "lz4", "brotli")
"""Compressions within Parquet."""

PLACES: Final = (
    "compression", "aws connection", "gcs connection", "access key id", "secret access key", "token", "region",
    "endpoint",
)  # fmt: skip
"""Options that are of the file, not of how its rows are written."""


def copy_file(
    path: str | None, at: int, options: Sequence[Option], context: Context
) -> tuple[CopyForm, CopyFile | None]:
    """How the data are written, and where, unless it is the client that sends or gets them."""
    if path is None:
        return copy_form(options), None
    options = [_named(option) for option in options]
    named = next((option for option in options if option.name == "format"), None)
    kind = KINDS.get(str(named.value).lower() if named is not None else "", FileKind.ROWS)
    given = Options("COPY", [option for option in options if option.name in PLACES], Reads(context))
    compression = (given.text("compression") or "").lower()
    connection = store_connection(path, given, Reads(context), at)
    given.done()
    rest = [option for option in options if option.name not in PLACES]
    if kind is FileKind.ROWS:
        form = copy_form(rest)
    else:
        form = copy_form([])
        for option in rest:
            if option is not named:
                raise InvalidParameter(f'option "{option.name}" is not of FORMAT {kind.value}', position=option.at)
    if kind is FileKind.PARQUET:
        if compression not in ("", *PACKED):
            hint = f"There are {', '.join(PACKED)}."
            raise InvalidParameter(f'compression "{compression}" is not known', hint=hint, position=at)
        return form, CopyFile(path, kind, Compression.NONE, connection, compression or "snappy")
    if compression not in ("", "none", "gzip", "zstd"):
        hint = "There are none, gzip and zstd."
        raise InvalidParameter(f'compression "{compression}" is not known', hint=hint, position=at)
    return form, CopyFile(path, kind, Compression(compression or "by name"), connection)


def _named(option: Option) -> Option:
    """FORMAT csv is the option FORMAT = csv."""
    word, _, value = option.name.partition(" ")
    return replace(option, name="format", value=value) if word == "format" and value else option


def copy_form(options: Sequence[Option]) -> CopyForm:
    """What the options of a COPY say of its data."""
    given = {option.name: option for option in map(_named, options)}
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
    return CopyForm(values["delimiter"], values["null"], quote, escape, header, form == "binary")
