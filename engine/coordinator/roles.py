"""Roles: each change is one of the catalog and of the log. A password becomes a verifier here, with a new salt."""

import json
import secrets
from dataclasses import replace

from engine.catalog.roles import SALT_BYTES, Role, Verifier
from engine.coordinator.coordinator import Coordinator
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


def create_role(coordinator: Coordinator, bound: BoundCreateRole) -> Result:
    if bound.exists:
        return Result("CREATE ROLE", notices=(Notice(f'role "{bound.role.name}" already exists, skipping'),))
    _keep(coordinator, _with_password(bound.role, bound.password))
    return Result("CREATE ROLE")


def alter_role(coordinator: Coordinator, bound: BoundAlterRole) -> Result:
    role = bound.role
    if bound.setting is not None:
        name, value = bound.setting
        key = variable(name).name
        settings = {known: kept for known, kept in role.settings.items() if known != key}
        if value is not None:
            settings[key] = checked(name, value)[1]
        role = replace(role, settings=settings)
    _keep(coordinator, _with_password(role, bound.password))
    return Result("ALTER ROLE")


def drop_roles(coordinator: Coordinator, bound: BoundDropRoles) -> Result:
    catalog = coordinator.catalog
    for name in bound.names:
        catalog = catalog.without_role(name)
    if coordinator.log is not None:
        gone = {(kind, name): None for name in bound.names for kind in (KIND, SETTINGS)}
        coordinator.log.change(facts={**gone, **coordinator.oids.facts(catalog)})
    coordinator.catalog = catalog
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


def _keep(coordinator: Coordinator, role: Role) -> None:
    catalog = coordinator.catalog.with_role(role)
    if coordinator.log is not None:
        kept = {(KIND, role.name): role_sql(role), (SETTINGS, role.name): json.dumps(dict(role.settings))}
        coordinator.log.change(facts={**kept, **coordinator.oids.facts(catalog)})
    coordinator.catalog = catalog
