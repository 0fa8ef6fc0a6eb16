"""Roles: each change is one of the catalog and of the log. A password becomes a verifier here, with a new salt."""

import json
import secrets
from dataclasses import replace

from engine.catalog.roles import SALT_BYTES, Role, Verifier
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.draft import Draft
from engine.coordinator.result import Notice, Result
from engine.coordinator.variables import checked, variable
from engine.durable.log import Log
from engine.sql import dialect, statements
from engine.sql.binding.context import Context
from engine.sql.binding.roles import create_role as bind_role
from engine.sql.binding.roles import role_sql
from engine.sql.bound import BoundAlterRole, BoundCreateRole, BoundDropRoles

KIND = "role"
SETTINGS = "role settings"
"""The kinds of the log's facts: the statement that makes a role, and a JSON object of its variables, by its name."""


def create_role(draft: Draft, bound: BoundCreateRole) -> Result:
    if bound.exists:
        return Result("CREATE ROLE", notices=(Notice(f'role "{bound.role.name}" already exists, skipping'),))
    _keep(draft, _with_password(bound.role, bound.password))
    return Result("CREATE ROLE")


def alter_role(draft: Draft, bound: BoundAlterRole) -> Result:
    role = bound.role
    if bound.setting is not None:
        name, value = bound.setting
        key = variable(name).name
        settings = {known: kept for known, kept in role.settings.items() if known != key}
        if value is not None:
            settings[key] = checked(name, value)[1]
        role = replace(role, settings=settings)
    _keep(draft, _with_password(role, bound.password))
    return Result("ALTER ROLE")


def drop_roles(draft: Draft, bound: BoundDropRoles) -> Result:
    draft.fact({(kind, name): None for name in bound.names for kind in (KIND, SETTINGS)})
    for name in bound.names:
        draft.catalog = draft.catalog.without_role(name)
    return Result("DROP ROLE", notices=tuple(Notice(f'role "{n}" does not exist, skipping') for n in bound.missing))


def restore_roles(coordinator: Coordinator, log: Log) -> None:
    """The roles that the log has."""
    settings = log.facts(SETTINGS)
    for name, sql in sorted(log.facts(KIND).items()):
        (statement,) = dialect.parse(sql)
        assert isinstance(statement, statements.CreateRole)
        role = bind_role(replace(statement, if_not_exists=True), Context(coordinator.catalog)).role
        role = replace(role, settings=json.loads(settings.get(name, "{}")))
        coordinator.catalog = coordinator.catalog.with_role(role)


def _with_password(role: Role, password: str | None) -> Role:
    if password is None:
        return role
    return replace(role, verifier=Verifier.of(password, secrets.token_bytes(SALT_BYTES)))


def _keep(draft: Draft, role: Role) -> None:
    draft.fact({(KIND, role.name): role_sql(role), (SETTINGS, role.name): json.dumps(dict(role.settings))})
    draft.catalog = draft.catalog.with_role(role)
