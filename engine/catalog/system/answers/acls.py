"""Access lists of PostgreSQL's form: it writes roles by name, and asks for them by number."""

from collections.abc import Mapping
from typing import Final

from engine.catalog.privileges import GRANTS
from engine.catalog.system import describe
from engine.catalog.system.answers.names import Answer, MakeNow, Moment
from engine.collection.nested import Array
from engine.errors import InvalidArgument
from engine.expr import acl
from engine.expr.acl import PUBLIC, AclItem


def _name(names: Moment, oid: int) -> str:
    found = names.roles.get(oid)
    return str(oid) if found is None else found.name


def _made(names: Moment) -> Answer:
    def answer(grantee: int, grantor: int, text: str, grantable: bool) -> str:
        wanted = acl.privileges_of(text)
        whom = PUBLIC if grantee == 0 else _name(names, grantee)
        return str(AclItem.of(whom, _name(names, grantor), wanted, wanted if grantable else ()))

    return answer


def _default(names: Moment) -> Answer:
    def answer(letter: str, owner: int) -> Array:
        grants = GRANTS.get(letter)
        if grants is None:
            raise InvalidArgument(f'unrecognized object type abbreviation: "{letter}"')
        return Array.of([str(item) for item in grants.default(_name(names, owner))])

    return answer


def _number(names: Moment, name: str) -> str:
    if name == PUBLIC or (name.isdigit() and int(name) not in names.roles):
        return name  # of a role that is gone there is the number alone
    return str(names.role(describe.quote(name)))


def _numbers(names: Moment) -> Answer:
    def answer(items: Array) -> Array:
        found = [None if text is None else acl.parsed(text) for text in items.items]
        texts = [
            item and str(AclItem(_number(names, item.grantee), _number(names, item.grantor), item.letters,
                                 item.grantable))
            for item in found
        ]  # fmt: skip
        return Array(items.dims, tuple(texts))

    return answer


NOW: Final[Mapping[str, MakeNow]] = {"makeaclitem": _made, "acldefault": _default, "acl_numbers": _numbers}
