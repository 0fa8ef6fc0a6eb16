"""What an error must not repeat of a statement: the secrets that it was given.

Errors quote what was wrong of a text, which in CREATE SECRET 'x' is the secret. Law: a literal that stands where a
secret does (anywhere in a statement about secrets, elsewhere behind the word for one or in a URL) is in no message.
"""

import re
from typing import Final

from engine.errors import SqlError

MASK: Final = "********"
LITERAL: Final = r"(?:e?'(?P<text>(?:[^']|'')*)'?|\$(?P<tag>\w*)\$(?P<dollar>.*?)(?:\$(?P=tag)\$|\Z))"
LITERALS: Final = re.compile(LITERAL, re.IGNORECASE | re.DOTALL)
ABOUT: Final = re.compile(r"\b(?:create|alter)\s+secret\b", re.IGNORECASE)
BEHIND: Final = re.compile(
    r"(?:password|passwort|passwd|token|access[ _]key|ssl[ _]key)\s*=?\s*(?:" + LITERAL + r"|(?P<word>\w+))",
    re.IGNORECASE | re.DOTALL,
)
IN_SETTINGS: Final = re.compile(
    r"password\s*=\s*(?:(?P<quote>''?)(?P<text>(?:[^'\\]|\\'{1,2}|\\.)*)(?P=quote)|(?P<word>(?:[^\s'\\]|\\'{1,2}|\\.)+))",
    re.IGNORECASE | re.DOTALL,
)
"""As libpq has it, within a literal of SQL."""
IN_URL: Final = re.compile(r"://[^\s/:@']*:(?P<word>[^\s/@']+)@")
NO_SECRETS: Final = frozenset({"secret", "null", "with", "valid", "url"})
"""Words that may stand there without being one."""


def redacted(error: SqlError, sql: str) -> None:
    """Take out of an error what the statements that caused it have of secrets."""
    for whole in _secrets(sql):
        error.message = whole.sub(MASK, error.message)
        error.detail = None if error.detail is None else whole.sub(MASK, error.detail)
        error.hint = None if error.hint is None else whole.sub(MASK, error.hint)
    error.args = (error.message,)


def masked(sql: str) -> str:
    """A statement without its secrets."""
    for whole in _secrets(sql):
        sql = whole.sub(MASK, sql)
    return sql


def _secrets(sql: str) -> list[re.Pattern[str]]:
    """What finds each secret of a statement."""
    about = ABOUT.search(sql)
    found = [] if about is None else list(LITERALS.finditer(sql, about.end()))
    matches = (*found, *BEHIND.finditer(sql), *IN_SETTINGS.finditer(sql), *IN_URL.finditer(sql))
    secrets = {text for match in matches for text in _texts(match)}
    return [re.compile(rf"(?<!\w){re.escape(secret)}(?!\w)") for secret in sorted(secrets, key=len, reverse=True)]


def _texts(match: re.Match[str]) -> list[str]:
    """The secret as it is written and as it is meant."""
    groups = match.groupdict()
    word = groups.get("word")
    written = [groups.get("text"), groups.get("dollar"), None if word is None or word.lower() in NO_SECRETS else word]
    return [text for each in written if each for text in (each, each.replace("''", "'"))]
