"""Whose session it is, and as which role it acts: SET SESSION AUTHORIZATION and SET ROLE.

    session_authorization   who logged in, or whom a superuser who logged in made it be
    role                    as whom it acts: none, or a role that it may be
    is_superuser            whether that one may do everything

Memberships are not kept, so a superuser may be any role, and another role itself. Whoever was let in without being a
role of the catalog is a superuser.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engine.catalog.catalog import Catalog
from engine.errors import InsufficientPrivilege

WHO: Final = frozenset({"session_authorization", "role", "is_superuser"})
"""The variables that say so. RESET ALL leaves them, as in PostgreSQL."""
NONE: Final = "none"


def acting(values: Mapping[str, str]) -> str:
    """The role that a session with these variables acts as."""
    return values["session_authorization"] if values["role"] == NONE else values["role"]


@dataclass(frozen=True, slots=True)
class Login:
    """Who began the session. `unknown`: there was no role of that name then."""

    name: str
    unknown: bool


def taken_on(catalog: Catalog, login: Login, wanted: Mapping[str, str], *changed: str) -> dict[str, str]:
    """The three variables of a session, of which some are `changed` to what is `wanted`; () are all. Raises
    UndefinedObject and InsufficientPrivilege."""
    authorization, role = wanted["session_authorization"], wanted["role"]
    if changed and "session_authorization" in changed:
        role = NONE
        if authorization != login.name:
            catalog.role(authorization)
            if not _is_superuser(catalog, login, login.name):
                raise InsufficientPrivilege(f'permission denied to set session authorization "{authorization}"')
    elif role not in (NONE, authorization):
        catalog.role(role)
        if not _is_superuser(catalog, login, authorization):
            raise InsufficientPrivilege(
                f'permission denied to set role "{role}"', hint="A role that is no superuser may only be itself."
            )
    acts = authorization if role == NONE else role
    superuser = "on" if _is_superuser(catalog, login, acts) else "off"
    return {"session_authorization": authorization, "role": role, "is_superuser": superuser}


def is_guest(login: Login, values: Mapping[str, str]) -> bool:
    """Whether the session acts as one who was let in without being a role."""
    return login.unknown and acting(values) == login.name


def _is_superuser(catalog: Catalog, login: Login, name: str) -> bool:
    role = catalog.roles.get(name)
    return (login.unknown and name == login.name) if role is None else role.superuser
