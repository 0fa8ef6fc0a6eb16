"""Roles, and what PostgreSQL lets them do to each other: CREATE, ALTER and DROP ROLE, GRANT, REVOKE."""

from typing import Final

from engine.expr.keywords import words
from engine.sql.grammar.tables import Tables
from engine.sql.grammar.tokens import Kind
from engine.sql.statement.definitions import AlterRole, AlterSystem, CreateRole, DropRoles, Inert, Reason
from engine.sql.statement.parts import Option

FLAGS: Final = words("login superuser createrole createdb createcluster inherit replication bypassrls")
"""Attributes that a role has or, after NO, has not."""


class Roles(Tables):
    """Statements about roles."""

    __slots__ = ()

    def create_role(self) -> CreateRole:
        """CREATE {ROLE | USER} name [WITH] options: a user is a role that may log in."""
        user = self.accept_any("role", "user") == "user"
        if_not_exists = self.if_not_exists()
        name = self.role_name()
        options = self._role_options()
        return CreateRole(name, options, user, if_not_exists, self.span())

    def alter_role(self) -> AlterRole:
        """ALTER {ROLE | USER} name {[WITH] options | SET name = value | RESET name}."""
        if self.accept_any("role", "user") is None:
            self.fail()
        name = self.role_name()
        if self.at_any("set", "reset"):
            return AlterRole(name, (), self._setting_of_others(), self.span())
        if self.at("rename"):
            self.unsupported("ALTER ROLE ... RENAME")
        return AlterRole(name, self._role_options(), None, self.span())

    def alter_system(self) -> AlterSystem:
        """ALTER SYSTEM {SET name = value | RESET {name | ALL}}."""
        self.expect("system")
        if not self.at_any("set", "reset"):
            self.fail()
        name, value = self._setting_of_others()
        return AlterSystem(name, value, self.span())

    def _setting_of_others(self) -> tuple[str, str | None]:
        """SET name = value or RESET name, of what sessions begin with."""
        if self.accept("reset"):
            return self._variable_name(), None
        self.expect("set")
        name = self._variable_name()
        if self.accept_any("to", "=") is None:
            self.fail()
        return name, None if self.accept("default") else ", ".join(self.list_of(self._role_setting))

    def drop_roles(self) -> DropRoles:
        """DROP {ROLE | USER} [IF EXISTS] name, ..."""
        if self.accept_any("role", "user") is None:
            self.fail()
        if_exists = self.accept("if", "exists")
        return DropRoles(self.list_of(self.role_name), if_exists, self.span())

    def grant(self) -> Inert:
        """GRANT what TO whom: read to its end, for nothing in it is kept."""
        return Inert("GRANT", Reason.PRIVILEGES, self.to_the_end("grant", "to"))

    def revoke(self) -> Inert:
        return Inert("REVOKE", Reason.PRIVILEGES, self.to_the_end("revoke", "from"))

    def reassign(self) -> Inert:
        """REASSIGN OWNED BY a TO b and DROP OWNED BY a: nothing is owned."""
        self.expect("reassign", "owned", "by")
        self.list_of(self.role_name)
        self.expect("to")
        self.role_name()
        return Inert("REASSIGN OWNED", Reason.PRIVILEGES, self.span())

    def drop_owned(self) -> Inert:
        self.expect("owned", "by")
        self.list_of(self.role_name)
        self.accept_any("cascade", "restrict")
        return Inert("DROP OWNED", Reason.PRIVILEGES, self.span())

    def role_name(self) -> str:
        if self.next.key in ("current_user", "session_user", "current_role"):
            return self.advance().key
        return self.identifier()

    def _role_options(self) -> tuple[Option, ...]:
        self.accept("with")
        options: list[Option] = []
        while not self.ended:
            at = self.here
            word = self.next.key
            plain = word.removeprefix("no")
            if word in FLAGS or plain in FLAGS:
                self.advance()
                options.append(Option(word if word in FLAGS else plain, word in FLAGS, at))
                continue
            self.accept_any("encrypted")
            if not self.accept("password"):
                if self.next.key in ("connection", "valid", "in", "role", "admin", "sysid"):
                    self.unsupported(f"the role option {self.next.key.upper()}")
                self.fail()
            options.append(Option("password", None if self.accept("null") else self.string(), at))
        return tuple(options)

    def _variable_name(self) -> str:
        if self.accept("time", "zone"):
            return "timezone"
        return self.label().lower()

    def _role_setting(self) -> str:
        if self.next.kind not in (Kind.STRING, Kind.NUMBER, Kind.WORD, Kind.QUOTED):
            self.fail()
        return self.advance().value
