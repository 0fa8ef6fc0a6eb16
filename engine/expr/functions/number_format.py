"""to_char of numbers: templates of PostgreSQL's chapter 9.8, read once and kept by their text.

Law: the output is PostgreSQL's of the C locale, blank by blank: the digits stand in the places that 9 and 0 give them,
the sign beside the first of them unless S, MI, PL, SG or PR say where. A number with more digits than places is #s.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import lru_cache
from typing import Final

from engine.errors import InvalidTemplate, InvalidText
from engine.expr import text_forms

KEYS: Final = (
    "EEEE", "FM", "MI", "PL", "PR", "RN", "SG", "SP", "TH", "9", "0", ".", ",", "B", "C", "D", "G", "L", "S", "V",
)  # fmt: skip
TOKENS: Final = re.compile(
    r'"(?P<quoted>(?:[^"\\]|\\.)*)"?|(?P<key>' + "|".join(map(re.escape, KEYS)) + r')|\\(?P<escaped>")|(?P<other>.)',
    re.IGNORECASE | re.DOTALL,
)
ROMAN: Final = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"),
    (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip
ROMAN_MAX: Final = 3999
ROMAN_WIDTH: Final = 15
DOUBLE_DIGITS: Final = 15
"""Decimal digits that a double holds: those behind them are not shown."""


@dataclass(slots=True)
class Picture:
    """A template: its parts, (keyword, '') or ('', literal), and what they say of the number as a whole."""

    parts: list[tuple[str, str]] = field(default_factory=list)
    whole: int = 0  # digits before the point
    places: int = 0  # digits behind it
    shifted: int = 0  # digits behind V
    zero_from: int | None = None  # from which digit on zeros are written
    zero_to: int = 0  # and to which they are kept
    sign: str = ""  # S, MI, PL, SG and PR that were met
    sign_after: int | None = None  # how many digits stand before an S that comes before any point
    flags: set[str] = field(default_factory=set)  # FM, RN, V, EEEE, B and "." that were met

    @property
    def bare(self) -> bool:
        return "FM" in self.flags


@lru_cache(maxsize=1024)
def number_template(text: str) -> Picture:
    """The template; InvalidTemplate for keywords that do not go together."""
    made = Picture()
    for found in TOKENS.finditer(text):
        key = found["key"]
        if key is None:
            literal = found["other"] or found["escaped"] or re.sub(r"\\(.)", r"\1", found["quoted"] or "")
            made.parts.append(("", literal))
            continue
        upper = {"D": ".", "G": ","}.get(key.upper(), key.upper())
        made.parts.append((key if upper in ("TH", "RN") else upper, ""))
        _note(made, upper)
    return made


def _note(made: Picture, key: str) -> None:
    """What one more keyword says of the whole."""
    if "EEEE" in made.flags and key != "EEEE":
        raise InvalidTemplate('"EEEE" must be the last pattern used')
    match key:
        case "9" | "0" if "PR" in made.sign:
            raise InvalidTemplate(f'"{key}" must be ahead of "PR"')
        case "9" if "V" in made.flags:
            made.shifted += 1
        case "9" | "0":
            if key == "0" and made.zero_from is None and "." not in made.flags:
                made.zero_from = made.whole
            if "." in made.flags:
                made.places += 1
            else:
                made.whole += 1
            if key == "0":
                made.zero_to = made.whole + made.places
        case ".":
            if "." in made.flags:
                raise InvalidTemplate("multiple decimal points")
            if "V" in made.flags:
                raise InvalidTemplate('cannot use "V" and decimal point together')
            made.flags.add(key)
        case "V":
            if "." in made.flags:
                raise InvalidTemplate('cannot use "V" and decimal point together')
            made.flags.add(key)
        case "S":
            if made.sign == "S":
                raise InvalidTemplate('cannot use "S" twice')
            if made.sign:
                raise InvalidTemplate('cannot use "S" and "PL"/"MI"/"SG"/"PR" together')
            made.sign = "S"
            made.sign_after = None if "." in made.flags else made.whole
        case "MI" | "PL" | "SG":
            if "S" in made.sign.split():
                raise InvalidTemplate(f'cannot use "S" and "{key}" together')
            made.sign += f" {key}"
        case "PR":
            if made.sign:
                raise InvalidTemplate('cannot use "PR" and "S"/"PL"/"MI"/"SG" together')
            made.sign = "PR"
        case "EEEE":
            if "EEEE" in made.flags:
                raise InvalidTemplate('cannot use "EEEE" twice')
            if made.flags - {"."} or made.sign:
                raise InvalidTemplate(
                    '"EEEE" is incompatible with other formats',
                    detail='"EEEE" may only be used together with digit and decimal point patterns.',
                )
            made.flags.add(key)
        case "FM" | "RN" | "B":
            made.flags.add(key)
        case _:
            pass


def number_to_char(value: Decimal, pattern: str) -> str:
    """A numeric or integer by a template."""

    def digits(places: int) -> str:
        if not value.is_finite():
            return str(value)
        text = f"{text_forms.with_scale(value, 1000, places):f}"
        return text if text.strip("-0.") else text.lstrip("-")

    def scientific(places: int) -> str:
        return _scientific(value, places)

    picture = number_template(pattern)
    with localcontext() as context:
        context.prec = 1000
        value = value.scaleb(picture.shifted) if value.is_finite() else value
        rounded = int(value.quantize(Decimal(1), ROUND_HALF_UP)) if value.is_finite() else 0
    return _written(picture, picture.places, digits, scientific, rounded, value.is_finite())


def double_to_char(value: float, pattern: str) -> str:
    """A double by a template: its binary value is rounded, and no more than 15 digits are shown."""
    picture = number_template(pattern)
    finite = abs(value) < float("inf")
    scaled = value * 10.0**picture.shifted

    def digits(places: int) -> str:
        return f"{scaled:.{places}f}" if finite else str(Decimal(value))

    before = len(digits(0).lstrip("-"))
    places = 0 if before >= DOUBLE_DIGITS else min(picture.places, DOUBLE_DIGITS - before)
    if picture.flags & {"EEEE"}:
        places = picture.places
    rounded = round(scaled) if finite and abs(scaled) <= ROMAN_MAX + 1 else 0
    return _written(picture, places, digits, lambda places: f"{value:.{places}e}", rounded, finite)


def _written(
    picture: Picture, places: int, digits: Callable[[int], str], scientific: Callable[[int], str], rounded: int,
    finite: bool,
) -> str:  # fmt: skip
    """The number by the picture; `digits` and `scientific` are its texts with so many places."""
    if "EEEE" in picture.flags:
        if not finite:
            return " " + "#" * picture.whole + "." + "#" * (picture.places + 4)
        text = scientific(places)
        return text if text[0] == "-" else f" {text}"
    number = digits(places)
    negative, number = number[0] == "-", number.lstrip("-")
    width = picture.whole + picture.shifted
    lead = width - len(number.partition(".")[0])
    if lead < 0:
        number, lead = "#" * width + "." + "#" * places, 0
    return _Writer(picture, width, places, number, lead, negative, rounded).run()


class _Writer:
    """One number on its way through the parts of a picture."""

    def __init__(
        self, picture: Picture, width: int, places: int, number: str, lead: int, negative: bool, rounded: int
    ) -> None:
        self.picture, self.number, self.lead, self.negative, self.rounded = picture, number, lead, negative, rounded
        self.out: list[str] = []
        self.taken = 0  # of the picture's digits and its point
        self.at = 0  # in the number
        self.ended = False  # a place was left when all of the number was written: there the output ends
        self.inside = False  # the last digit place wrote a digit
        self.behind = picture.sign == "S" and picture.sign_after in (None, picture.whole)
        marks = picture.sign.split()
        brackets = picture.sign == "PR" and (negative or not picture.bare)
        self.brackets = brackets
        if picture.sign and picture.sign not in ("S", "PR"):
            self.signed = "MI" in marks or "SG" in marks
        else:
            self.signed = not negative and picture.bare and picture.sign != "S"
        self.last: int | None = None  # the last digit that counts, where FM cuts those behind it
        if picture.bare and "." in picture.flags and "." in number:
            point = number.index(".")
            self.last = max(point, len(number.rstrip("0")) - 1)
            if picture.zero_to > lead:
                self.last = max(self.last, min(len(number) - 1, picture.zero_to - lead))
        self.end = width + places + (0 if self.signed or lead else 1) - 1 + bool(lead) + ("." in picture.flags)
        self.zeros = picture.zero_from is not None

    def run(self) -> str:
        bare = self.picture.bare
        for key, literal in self.picture.parts:
            if self.ended:
                break
            match key:
                case "":
                    self.out.append(literal)
                case "9" | "0" | ".":
                    if "RN" not in self.picture.flags:
                        self._place(key)
                case ",":
                    self.out.append("," if self.inside else "" if bare else " ")
                case "L":
                    self.out.append(" ")
                case "RN" | "Rn" | "rN" | "rn":
                    text = roman(self.rounded)
                    text = text.lower() if key == "rn" else text
                    self.out.append(text if bare else text.rjust(ROMAN_WIDTH))
                case "TH" | "Th" | "tH" | "th":
                    self._ordinal(key == "th")
                case "MI":
                    self.out.append("-" if self.negative else "" if bare else " ")
                case "PL":
                    self.out.append("" if self.negative and bare else " " if self.negative else "+")
                case "SG":
                    self.out.append("-" if self.negative else "+")
                case _:
                    pass
        return "".join(self.out)

    def _sign(self) -> None:
        """The sign beside the first digit."""
        if self.picture.sign == "S":
            if not self.behind:
                self.out.append("-" if self.negative else "+")
                self.signed = True
            return
        if self.brackets:
            self.out.append("<" if self.negative else " ")
        elif self.negative:
            self.out.append("-")
        elif not self.picture.bare:
            self.out.append(" ")
        self.signed = True

    def _place(self, key: str) -> None:
        """What goes into the place of a digit, or of the point."""
        picture, from_zero = self.picture, self.picture.zero_from
        self.inside = False
        no_zero = not self.zeros and self.at == 0 and self.number[:1] == "0" and picture.places > 0  # 9.9: " .1"
        cut_at_point = self.last is not None and self.number[self.last] == "."
        begun = self.taken >= self.lead or (self.zeros and from_zero == self.taken)
        if not self.signed and begun and (not no_zero or cut_at_point):
            self._sign()
        if self.taken < self.lead and (from_zero is None or from_zero > self.taken):
            self.out.append("" if picture.bare else " ")
        elif self.taken < self.lead:
            self.out.append("0")
            self.inside = True
        elif self.at < len(self.number):
            self._digit(key, no_zero, cut_at_point)
            self.at += 1
        elif self.last is None or key == "0":
            self.ended = True
            return
        end = self.taken if self.last is not None and self.last == self.at else self.end
        if self.taken + 1 == end:
            if self.signed and self.brackets:
                self.out.append(">" if self.negative else " ")
            elif self.behind:
                self.out.append("-" if self.negative else "+")
        self.taken += 1

    def _digit(self, key: str, no_zero: bool, cut_at_point: bool) -> None:
        digit = self.number[self.at]
        if digit == ".":
            if not cut_at_point or self.picture.bare:
                self.out.append(".")
        elif self.last is not None and self.at > self.last and key != "0":
            pass
        elif no_zero:
            self.out.append(("0" if cut_at_point else "") if self.picture.bare else " ")
        else:
            self.out.append(digit)
            self.inside = True

    def _ordinal(self, lower: bool) -> None:
        """1st, 2nd, 3rd, 4th, 11th; nothing behind what is negative or has a point."""
        number = self.number
        if "RN" in self.picture.flags or number[:1] == "#" or self.negative or "." in self.picture.flags:
            return
        if not number[-1:].isdigit():
            raise InvalidText(f'"{number}" is not a number')
        ending = "TH" if number[-2:-1] == "1" else {"1": "ST", "2": "ND", "3": "RD"}.get(number[-1], "TH")
        self.out.append(ending.lower() if lower else ending)


def roman(number: int) -> str:
    """A number from 1 to 3999 in Roman numerals, #s for any other."""
    if not 1 <= number <= ROMAN_MAX:
        return "#" * ROMAN_WIDTH
    out = ""
    for value, letters in ROMAN:
        out += letters * (number // value)
        number %= value
    return out


def _scientific(value: Decimal, places: int) -> str:
    """d.ddde+xx, rounded half away from zero; an exponent has at least two digits."""
    if not value:
        return f"{0:.{places}e}"
    exponent = value.adjusted()
    with localcontext() as context:
        context.prec = 1000
        mantissa = value.scaleb(-exponent).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        if abs(mantissa) >= 10:
            exponent += 1
            mantissa = mantissa.scaleb(-1).quantize(Decimal(1).scaleb(-places))
    return f"{mantissa:f}e{exponent:+03d}"
