"""Roles: their attributes, and the statement that makes one again."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from engine.catalog.roles import SUPERUSER, Role, Verifier
from engine.errors import DuplicateObject, InsufficientPrivilege, InvalidParameter, SyntaxError_, WrongObjectType
from engine.sql import bound, statements
from engine.sql.binding.context import Context
from engine.sql.binding.writing import quoted, text
from engine.sql.statement.parts import Option

FLAGS: Final = {
    "login": "login", "superuser": "superuser", "createrole": "create_role", "createdb": "create_database",
    "inherit": "inherit",
}  # fmt: skip
"""Attributes that are kept, and the field that keeps each. The other ones of PostgreSQL say nothing here."""
ALIASES: Final = ("current_user", "session_user", "current_role")


def create_role(statement: statements.CreateRole, context: Context) -> bound.BoundCreateRole:
    name = statement.name
    _refuse_unless_manager(context, "create roles")
    if name in ALIASES or name == "public" or name.startswith(("mz_", "pg_")):
        raise WrongObjectType(f'role name "{name}" is reserved')
    exists = name in context.catalog.roles
    if exists and not statement.if_not_exists:
        raise DuplicateObject(f'role "{name}" already exists')
    role, password = _with_options(Role(name, login=statement.user), statement.options)
    return bound.BoundCreateRole(role, password, exists)


def alter_role(statement: statements.AlterRole, context: Context) -> bound.BoundAlterRole:
    name = context.user if statement.name in ALIASES else statement.name
    old = context.catalog.role(name)
    own = name == context.user and all(option.name == "password" for option in statement.options)
    if not own:
        _refuse_unless_manager(context, "alter other roles")
    if statement.setting is not None:
        variable, value = statement.setting
        return bound.BoundAlterRole(old, None, (variable, value))
    if name == SUPERUSER and any(o.name in ("login", "superuser") and o.value is False for o in statement.options):
        raise WrongObjectType(f'role "{name}" must stay a superuser that may log in')
    role, password = _with_options(old, statement.options)
    return bound.BoundAlterRole(role, password, None)


def alter_system(statement: statements.AlterSystem, context: Context) -> bound.BoundAlterSystem:
    role = context.catalog.roles.get(context.user)
    if not (context.guest if role is None else role.superuser):
        raise InsufficientPrivilege("permission denied to alter the system", hint="Ask a superuser.")
    return bound.BoundAlterSystem(statement.name, statement.value)


def drop_roles(statement: statements.DropRoles, context: Context) -> bound.BoundDropRoles:
    _refuse_unless_manager(context, "drop roles")
    names: list[str] = []
    missing: list[str] = []
    for name in statement.names:
        if name not in context.catalog.roles:
            if not statement.if_exists:
                context.catalog.role(name)
            missing.append(name)
            continue
        if name in (context.user, SUPERUSER):
            raise WrongObjectType("current role cannot be dropped" if name == context.user else f'role "{name}" stays')
        names.append(name)
    return bound.BoundDropRoles(tuple(names), tuple(missing))


def role_sql(role: Role) -> str:
    """The statement that makes the role again, without its settings."""
    flags = [word if getattr(role, name) else f"no{word}" for word, name in FLAGS.items()]
    password = "NULL" if role.verifier is None else text(str(role.verifier))
    return f"CREATE ROLE {quoted(role.name)} WITH {' '.join(flags).upper()} PASSWORD {password}"


def _with_options(role: Role, options: Sequence[Option]) -> tuple[Role, str | None]:
    """The role, and the password of which only running the statement makes a verifier (with a salt of its own)."""
    seen: set[str] = set()
    password: str | None = None
    for option in options:
        if option.name in seen:
            raise SyntaxError_("conflicting or redundant options", position=option.at)
        seen.add(option.name)
        if option.name in FLAGS:
            role = replace(role, **{FLAGS[option.name]: option.value})
        elif option.name == "password":
            given = option.value
            if given == "":
                raise InvalidParameter("a password must not be empty", position=option.at)
            verifier = Verifier.parse(given) if isinstance(given, str) else None
            role = replace(role, verifier=verifier)
            password = given if isinstance(given, str) and verifier is None else None
    return role, password


def _refuse_unless_manager(context: Context, what: str) -> None:
    """Roles are made by superusers and by roles with CREATEROLE; and by whoever was let in without being a role, which
    is not the one whose role was dropped since."""
    role = context.catalog.roles.get(context.user)
    if not (context.guest if role is None else role.manages_roles):
        raise InsufficientPrivilege(f"permission denied to {what}", hint="Ask a superuser.")
