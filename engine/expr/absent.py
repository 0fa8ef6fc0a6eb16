"""What PostgreSQL has and Tailrace has not, by name, with what there is to do instead."""

from collections.abc import Mapping
from typing import Final

NO_SEQUENCES: Final = "There are no sequences: number rows where they are made, or make keys with gen_random_uuid()."
NO_CHANNELS: Final = "There are no channels: SUBSCRIBE tells a client of changes."

FUNCTIONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("nextval", "currval", "lastval", "setval"), NO_SEQUENCES),
    **dict.fromkeys(("pg_notify", "pg_listening_channels"), NO_CHANNELS),
}
TYPES: Final[Mapping[str, str]] = dict.fromkeys(
    ("serial", "serial2", "serial4", "serial8", "smallserial", "bigserial"), NO_SEQUENCES
)
STATEMENTS: Final[Mapping[str, str]] = {
    "sequence": NO_SEQUENCES, "generated": NO_SEQUENCES, "listen": NO_CHANNELS, "notify": NO_CHANNELS,
    "trigger": "A view is kept up to date, and SUBSCRIBE tells of its changes.",
    "function": "Write the expression where it is used, or in a view.",
    "procedure": "Send the statements one after the other.",
    "extension": "There is nothing to load: docs/functions.md lists the functions that there are.",
    "domain": "Write the type itself.",
}  # fmt: skip
"""By the word that follows CREATE, or that is the statement's."""
