"""to_char of numbers: templates of PostgreSQL's chapter 9.8, read once and kept by their text.

9 0 . , D G S MI PL SG PR FM L RN V EEEE are known, but RN, V and EEEE are refused.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

from engine.errors import UnsupportedValue
from engine.expr import text_forms

NUMBER_TOKENS: Final = re.compile(
    r"FM|PR|MI|PL|SG|TH|th|RN|rn|EEEE|V|[90.,DGSL]|\"[^\"]*\"|.", re.IGNORECASE | re.DOTALL
)


@lru_cache(maxsize=1024)
def number_template(text: str) -> tuple[str, ...]:
    """The parts of a number's template."""
    parts = tuple(found.group() for found in NUMBER_TOKENS.finditer(text))
    for part in parts:
        if part.upper() in ("RN", "EEEE", "V"):
            raise UnsupportedValue(f'"{part}" in a number format is not supported')
    return tuple("." if part.upper() == "D" else "," if part.upper() == "G" else part for part in parts)


def number_to_char(value: Decimal, pattern: str) -> str:
    """A number by a template; # where it has more digits than the template."""
    parts = number_template(pattern)
    upper = [part.upper() for part in parts]
    point = upper.index(".") if "." in upper else len(parts)
    places = sum(part in "90" for part in parts[point:] if len(part) == 1)
    whole_places = sum(part in "90" for part in parts[:point] if len(part) == 1)
    bare = "FM" in upper
    if value.is_finite():
        rounded = text_forms.with_scale(value, 1000, places)
        negative, digits = rounded < 0, f"{abs(rounded):f}"
    else:  # its letters stand for digits, and where they find room the output ends with them
        negative, digits = value == Decimal("-Infinity"), f"{value.copy_abs()}.{'#' * places}"
        if len(digits) - places - 1 <= whole_places:
            parts, upper = parts[:point], upper[:point]
    whole, _, fraction = digits.partition(".")
    whole = "" if whole == "0" and whole_places else whole
    overflow = len(whole) > whole_places
    whole = whole.rjust(whole_places, " ")[-whole_places:] if whole_places else ""
    explicit_sign = any(mark in upper for mark in ("S", "MI", "SG", "PR", "PL"))
    out: list[str] = []
    started = False
    taken = 0
    first_zero = next((i for i, part in enumerate(p for p in parts[:point] if p in ("9", "0")) if part == "0"), None)
    sign_at: int | None = None
    for index, part in enumerate(parts):
        match upper[index]:
            case "FM" | "PR" | "TH":
                continue
            case "9" | "0" if index < point:
                digit = "#" if overflow else whole[taken]
                zero = first_zero is not None and taken >= first_zero
                ones = taken == whole_places - 1
                taken += 1
                if digit == " ":
                    digit = "0" if zero or (ones and not places and not fraction) else " "
                if digit != " " and not started:
                    started, sign_at = True, len(out)
                out.append(digit)
            case "9" | "0":
                digit = "#" if overflow else fraction[0]
                fraction = fraction[1:]
                out.append(digit)
            case ",":
                out.append("," if started else " ")
            case ".":
                if sign_at is None:
                    sign_at = len(out)
                out.append(".")
            case "S" | "SG":
                out.append("-" if negative else "+")
            case "MI":
                out.append("-" if negative else " ")
            case "PL":
                out.append(" " if negative else "+")
            case "L":
                out.append(" ")
            case _:
                out.append(part.strip('"'))
    if "S" in upper and upper[0] == "S" and sign_at is not None:
        # The sign of a leading S stands beside the first digit.
        out.insert(sign_at, out.pop(0)) if sign_at == 0 else out.insert(sign_at - 1, out.pop(0))
    text = "".join(out)
    if "PR" in upper:
        at = sign_at or 0
        text = f"{text[:at]}<{text[at:]}>" if negative else f" {text} "
    elif not explicit_sign:
        at = sign_at or 0
        text = text[:at] + ("-" if negative else " ") + text[at:]
    if bare:
        text = text.replace(" ", "")
        if places and "0" not in parts[point:]:
            text = text.rstrip("0")
            text = "0." if text == "." else text
    return text
