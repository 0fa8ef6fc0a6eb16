"""Templates of dates and times, PostgreSQL's chapter 9.8: text to parts, read once and kept by their text."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

MONTH_NAMES: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
DAY_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ROMAN: Final = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")

KEYWORDS: Final = (
    "SSSSS", "SSSS", "HH24", "HH12", "HH", "MI", "SS", "MS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6",
    "A.M.", "P.M.", "a.m.", "p.m.", "AM", "PM", "am", "pm", "Y,YYY", "YYYY", "IYYY", "YYY", "IYY", "YY", "IY", "Y", "I",
    "B.C.", "A.D.", "b.c.", "a.d.", "BC", "AD", "bc", "ad", "MONTH", "Month", "month", "MON", "Mon", "mon", "MM",
    "DAY", "Day", "day", "DY", "Dy", "dy", "DDD", "IDDD", "DD", "ID", "D", "WW", "W", "IW", "CC", "J", "Q", "RM", "rm",
    "TZH", "TZM", "TZ", "tz", "OF", "FX",
)  # fmt: skip
NAMED: Final = frozenset({"MONTH", "MON", "DAY", "DY"})
"""Those that TM translates, into the English of the C locale, which fills nothing up."""
SPELLINGS: Final = {key.lower(): key for key in KEYWORDS} | {key: key for key in KEYWORDS}
"""Keywords in lower case, of which some have a meaning of their own."""
TOKENS: Final = re.compile(
    r'"(?P<quoted>(?:[^"\\]|\\.)*)"?|(?P<before>(?:FM|fm|TM|tm)*)(?P<key>'
    + "|".join(re.escape(key) for key in sorted(SPELLINGS, key=len, reverse=True))
    + r')(?P<ordinal>TH|th)?(?:SP|sp)?|\\(?P<escaped>")|(?P<other>.)',
    re.DOTALL,
)


class Part(NamedTuple):
    """A keyword, or else the text that stands for itself: a `mark` is a blank or other sign that was not quoted."""

    key: str
    literal: str
    bare: bool = False  # FM, or a name with TM
    ordinal: str = ""  # TH or th
    mark: bool = False


@lru_cache(maxsize=1024)
def template(text: str) -> tuple[Part, ...]:
    """A template's parts; each letter that stands for itself is one."""
    parts: list[Part] = []
    for found in TOKENS.finditer(text):
        if found["key"]:
            key, before = SPELLINGS[found["key"]], found["before"].upper()
            bare = "FM" in before or ("TM" in before and key.upper() in NAMED)
            parts.append(Part(key, "", bare, found["ordinal"] or ""))
        elif found["quoted"] is not None:
            parts.extend(Part("", letter) for letter in re.sub(r"\\(.)", r"\1", found["quoted"]))
        else:
            letter = found["escaped"] or found["other"]
            parts.append(Part("", letter, mark=not letter.isalnum() and found["escaped"] is None))
    return tuple(parts)
