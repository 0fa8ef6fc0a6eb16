"""Items of access lists: who granted whom what, as PostgreSQL writes it: grantee=letters/grantor.

Law: an item's datum is its canonical text, so equal items have equal texts: letters in one order, each once, a `*`
behind those that may be granted on, names quoted only where they have to be. An empty grantee is PUBLIC, everybody.

    aclitem      roles by name
    mz_aclitem   roles by id: u16390, s10
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.errors import InvalidArgument, InvalidText

LETTERS: Final[Mapping[str, str]] = {
    "INSERT": "a", "SELECT": "r", "UPDATE": "w", "DELETE": "d", "TRUNCATE": "D", "REFERENCES": "x", "TRIGGER": "t",
    "EXECUTE": "X", "USAGE": "U", "CREATE": "C", "TEMPORARY": "T", "CONNECT": "c", "SET": "s", "ALTER SYSTEM": "A",
    "CREATEROLE": "R", "CREATEDB": "B", "CREATECLUSTER": "N", "CREATENETWORKPOLICY": "P",
}  # fmt: skip
"""Privileges in the order of their letters in an item: PostgreSQL's, then Materialize's own."""
NAMES: Final[Mapping[str, str]] = {letter: name for name, letter in LETTERS.items()}
SYNONYMS: Final = {"TEMP": "TEMPORARY", "RULE": ""}
PUBLIC: Final = ""
"""The grantee that is everybody."""
SUPERUSER: Final = "materialize"
"""Who granted what does not say who: the role that is there from the beginning."""
ROLE_ID: Final = re.compile(r"[su]\d+")


@dataclass(frozen=True, slots=True)
class AclItem:
    """`letters` in the order of LETTERS; those in `grantable` may be granted on."""

    grantee: str
    grantor: str
    letters: str
    grantable: str = ""

    @classmethod
    def of(cls, grantee: str, grantor: str, privileges: Iterable[str], grantable: Iterable[str] = ()) -> "AclItem":
        """With these privileges, by name."""
        return cls(grantee, grantor, letters_of(privileges), letters_of(grantable))

    @property
    def privileges(self) -> tuple[str, ...]:
        return tuple(NAMES[letter] for letter in self.letters)

    def __str__(self) -> str:
        modes = "".join(letter + "*" * (letter in self.grantable) for letter in self.letters)
        return f"{_quoted(self.grantee)}={modes}/{_quoted(self.grantor)}"


def letters_of(privileges: Iterable[str]) -> str:
    """The letters of privileges, in order and each once."""
    wanted = set(privileges)
    return "".join(letter for name, letter in LETTERS.items() if name in wanted)


def parsed(text: str, by_id: bool = False) -> AclItem:
    """The item that a text is. Raises InvalidText, in PostgreSQL's words."""
    kind = "mz_aclitem" if by_id else "aclitem"
    grantee, rest = _name(text.strip(), kind)
    if grantee in ("group", "user") and rest[:1].isspace():
        grantee, rest = _name(rest.lstrip(), kind)
    if not rest.startswith("="):
        raise InvalidText('missing "=" sign', detail=f'"{text}" is no {kind}: it is written grantee=letters/grantor.')
    modes, slash, name = rest[1:].partition("/")
    grantor, after = _name(name, kind) if slash else ("s10" if by_id else SUPERUSER, "")
    if slash and not grantor:
        raise InvalidText('a name must follow the "/" sign')
    if after.strip():
        raise InvalidText("extra garbage at the end of the ACL specification")
    if by_id and any(ROLE_ID.fullmatch(role) is None for role in (grantee, grantor) if role not in ("", "p")):
        raise InvalidText(f'invalid input syntax for type mz_aclitem: "{text}"', hint="Roles are written by their ids.")
    given = re.fullmatch(r"((\w)\*?)*", modes.strip())
    marked = re.findall(r"(\w)(\*?)", modes)
    strange = "" if given is None else "".join(letter for letter, _ in marked if letter not in NAMES)
    if given is None or strange:
        raise InvalidText(f'invalid mode character: must be one of "{"".join(NAMES)}"')
    names = [NAMES[letter] for letter, _ in marked]
    grantable = [NAMES[letter] for letter, star in marked if star]
    return AclItem.of(PUBLIC if by_id and grantee == "p" else grantee, grantor, names, grantable)


def canonical(text: str) -> str:
    """An aclitem as it is kept."""
    return str(parsed(text))


def canonical_by_id(text: str) -> str:
    """A mz_aclitem as it is kept."""
    return str(parsed(text, by_id=True))


def privileges_of(text: str) -> tuple[str, ...]:
    """The privileges in a list like `SELECT, insert`. InvalidArgument for what is none."""
    found: list[str] = []
    for part in text.split(","):
        name = " ".join(part.upper().split())
        name = SYNONYMS.get(name, name)
        if name and name not in LETTERS:
            raise InvalidArgument(f'unrecognized privilege type: "{part.strip()}"')
        found += [name] if name else []
    return tuple(found)


def exploded(items: Sequence[str | None], by_id: bool = False) -> list[tuple[str, str, str, bool]]:
    """(grantor, grantee, privilege, whether it may be granted on) of all of an access list."""
    found: list[tuple[str, str, str, bool]] = []
    for text in items:
        if text is not None:
            item = parsed(text, by_id)
            found += [(item.grantor, item.grantee, NAMES[letter], letter in item.grantable) for letter in item.letters]
    return found


def _name(text: str, kind: str) -> tuple[str, str]:
    """A role at the beginning of a text, and what follows it."""
    name, at = "", 0
    quoted = False
    while at < len(text) and (quoted or text[at] == '"' or text[at].isalnum() or text[at] in "_$" or text[at] > "\x7f"):
        if text[at] != '"':
            name += text[at]
        elif quoted and text[at + 1 : at + 2] == '"':
            name += '"'
            at += 1
        else:
            quoted = not quoted
        at += 1
    if quoted:
        raise InvalidText(f'unterminated quote in a value of type {kind}: "{text}"')
    return name, text[at:]


def _quoted(name: str) -> str:
    plain = all(character.isalnum() or character == "_" for character in name)
    return name if plain else '"' + name.replace('"', '""') + '"'
