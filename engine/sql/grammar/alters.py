"""ALTER and COMMENT ON: what changes an object that is there."""

from typing import TypeAlias

from engine.expr import absent
from engine.sql.grammar.alter_table import AlterTables
from engine.sql.statement.connectors import AlterAddSubsources, AlterSecret
from engine.sql.statement.definitions import (
    AlterRename,
    AlterRenameColumn,
    AlterRenameConstraint,
    AlterRetain,
    AlterRole,
    AlterSetSchema,
    AlterSinkFrom,
    AlterSwap,
    AlterSystem,
    AlterTable,
    ApplyReplacement,
    CommentOn,
    Drop,
    Inert,
    Reason,
)
from engine.sql.statement.parts import ObjectKind

Alteration: TypeAlias = (
    AlterRole
    | AlterRename
    | AlterRenameColumn
    | AlterRenameConstraint
    | AlterSetSchema
    | AlterTable
    | AlterSwap
    | AlterSystem
    | AlterSinkFrom
    | AlterSecret
    | ApplyReplacement
    | AlterRetain
    | AlterAddSubsources
    | Drop
    | Inert
)


class Alters(AlterTables):
    """ALTER."""

    __slots__ = ()

    def alter(self) -> Alteration:
        self.expect("alter")
        if self.at_any("role", "user"):
            return self.alter_role()
        if self.at("system"):
            return self.alter_system()
        if self.at("default", "privileges"):
            return Inert("ALTER DEFAULT PRIVILEGES", Reason.PRIVILEGES, self.to_the_end())
        if self.at("cluster"):
            return self._alter_cluster()
        kind = self.object_kind()
        if_exists = self.accept("if", "exists")
        name = self.name()
        if self.accept("rename", "to"):
            return AlterRename(kind, name, self.identifier(), if_exists, self.span())
        if kind is ObjectKind.SECRET and self.accept("as"):
            return AlterSecret(name, self.expression(), if_exists, self.span())
        if kind is ObjectKind.SINK and self.accept("set", "from"):
            return AlterSinkFrom(name, self.name(), if_exists, self.span())
        if kind is ObjectKind.MATERIALIZED_VIEW and self.accept("apply", "replacement"):
            return ApplyReplacement(name, self.name(), if_exists, self.span())
        self._refuse_absent_action(str(kind).upper())
        if self.accept("set", "schema"):
            return AlterSetSchema(kind, name, self.name(), if_exists, self.span())
        if kind is ObjectKind.TABLE and self.accept("rename", "constraint"):
            at = self.here
            constraint = self.identifier()
            self.expect("to")
            return AlterRenameConstraint(name, constraint, self.identifier(), if_exists, at, self.span())
        if self.accept("rename"):
            self.accept("column")
            at = self.here
            column = self.identifier()
            self.expect("to")
            return AlterRenameColumn(kind, name, column, self.identifier(), if_exists, at, self.span())
        if kind is ObjectKind.TABLE and self.at_table_action():
            return self.alter_table(name, if_exists)
        if self.accept("swap", "with"):
            return AlterSwap(kind, name, self.identifier(), self.span())
        if kind is ObjectKind.SOURCE and self.accept("add"):
            if self.accept_any("subsource", "table", "tables") is None:
                self.fail()
            return AlterAddSubsources(name, self.list_of(self.upstream_table), self.with_options(), self.span())
        if kind is ObjectKind.SOURCE and self.accept("drop"):
            if self.accept_any("subsource", "table", "tables") is None:
                self.fail()
            if_exists = self.accept("if", "exists")
            names = self.list_of(self.name)
            cascade = self.accept_any("cascade", "restrict") == "cascade"
            return Drop(ObjectKind.SOURCE, names, if_exists, cascade, self.span())
        if self.at("owner", "to"):
            return Inert(f"ALTER {str(kind).upper()}", Reason.PRIVILEGES, self.to_the_end())
        if self.at("set", "cluster"):
            return Inert(f"ALTER {str(kind).upper()}", Reason.CLUSTERS, self.to_the_end())
        if self.accept("set", "enabled"):
            return Inert(f"ALTER {str(kind).upper()}", Reason.ENABLED, self.span())
        if self.accept("set"):
            options = self.options()
            return AlterRetain(kind, name, options, False, if_exists, self.span())
        if self.accept("reset"):
            options = self.options()
            return AlterRetain(kind, name, options, True, if_exists, self.span())
        if self.ended:
            self.fail()
        what = " ".join(token.key.upper() for token in (self.next, self.peek()) if token.key)
        self.unsupported(f"ALTER {str(kind).upper()} ... {what}")

    def _refuse_absent_action(self, kind: str) -> None:
        if kind == "DATABASE" and self.at_any("set", "reset"):
            self.unsupported("ALTER DATABASE ... SET", hint="ALTER ROLE ... SET is what sessions of a role begin with.")
        words = self.next.key, self.peek().key
        hint = absent.ALTERATIONS.get(words) or absent.ALTERATIONS.get(words[:1])
        if hint is not None:
            self.unsupported(f"ALTER {kind} ... {' '.join(words).upper()}", hint=hint)

    def _alter_cluster(self) -> AlterRename | AlterSwap | Inert:
        self.expect("cluster")
        if self.accept("replica"):
            return Inert("ALTER CLUSTER REPLICA", Reason.CLUSTERS, self.to_the_end())
        if_exists = self.accept("if", "exists")
        name = self.name()
        if self.accept("rename", "to"):
            return AlterRename(ObjectKind.CLUSTER, name, self.identifier(), if_exists, self.span())
        return Inert("ALTER CLUSTER", Reason.CLUSTERS, self.to_the_end())

    def comment(self) -> CommentOn:
        """COMMENT ON kind name IS {'text' | NULL}."""
        self.expect("comment", "on")
        column = self.accept("column")
        role = None if column else self.accept_any("role", "user")
        kind = ObjectKind.TABLE if column else ObjectKind.ROLE if role else self.object_kind()
        name = self.name()
        self.expect("is")
        text = None if self.accept("null") else self.string()
        return CommentOn(kind, name, column, text, self.span())
