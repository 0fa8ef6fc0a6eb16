"""Statements that make and remove objects."""

from typing import TypeAlias

from engine.errors import Unsupported
from engine.sql.grammar.roles import Roles
from engine.sql.grammar.sinks import Sinks
from engine.sql.grammar.subscriptions import Subscriptions
from engine.sql.statement.connectors import (
    CreateConnection,
    CreateCopy,
    CreateSecret,
    CreateSink,
    CreateSource,
    CreateViews,
)
from engine.sql.statement.definitions import (
    CreateCluster,
    CreateDatabase,
    CreateDurableSubscription,
    CreateIndex,
    CreateRole,
    CreateSchema,
    CreateTable,
    CreateTableAs,
    CreateType,
    CreateView,
    Drop,
    DropClusters,
    DropRoles,
    Inert,
    Reason,
)
from engine.sql.statement.parts import ObjectKind
from engine.sql.syntax import Expression, Name, TypeName

Definition: TypeAlias = (
    CreateTable
    | CreateTableAs
    | CreateCopy
    | CreateViews
    | CreateView
    | CreateSource
    | CreateIndex
    | CreateSchema
    | CreateDatabase
    | CreateType
    | CreateRole
    | CreateCluster
    | CreateSecret
    | CreateConnection
    | CreateSink
    | CreateDurableSubscription
    | Inert
)


class Definitions(Sinks, Roles, Subscriptions):
    """CREATE and DROP."""

    __slots__ = ()

    def create(self) -> Definition:
        self.expect("create")
        replace = self.accept("or", "replace")
        if not replace and self.at("replacement", "materialized", "view"):
            self.advance()
            self.advance()
            return self._create_view(True, False, False, replacement=True)
        self.accept_any("global", "local")  # which PostgreSQL lets stand there, and reads over
        temporary = self.accept_any("temporary", "temp") is not None
        materialized = self.accept("materialized")
        token = self.next
        if token.key == "recursive" and not materialized:
            self.advance()
            return self._create_view(False, replace, temporary, recursive=True)
        allowed = self._kinds_after(replace, temporary, materialized)
        if allowed and token.key not in allowed:
            self.fail()
        match token.key:
            case "table":
                return self._create_table(temporary)
            case "subsource":
                return self.create_subsource()
            case "view":
                return self._create_view(materialized, replace, temporary)
            case "views":
                return self.create_views(materialized)
            case "source":
                return self.create_source(materialized)
            case "secret":
                return self.create_secret()
            case "connection":
                return self.create_connection()
            case "sink":
                return self.create_sink()
            case "durable":
                return self.create_durable_subscription()
            case "default" | "index":
                return self._create_index()
            case "schema":
                self.advance()
                if_not_exists = self.if_not_exists()
                return CreateSchema(self.name(), if_not_exists, self.span())
            case "database":
                self.advance()
                if_not_exists = self.if_not_exists()
                return CreateDatabase(self.identifier(), if_not_exists, self.span())
            case "type":
                return self._create_type()
            case "cluster":
                return self._create_cluster()
            case "role" | "user":
                return self.create_role()
            case _:
                self.fail()

    def _create_table(self, temporary: bool) -> CreateTable | CreateTableAs | CreateCopy:
        self.expect("table")
        if_not_exists = self.if_not_exists()
        name = self.name()
        if not temporary and self.accept("from"):
            return self.create_copy(name, True, if_not_exists)
        return self.create_table(name, temporary, if_not_exists)

    @staticmethod
    def _kinds_after(replace: bool, temporary: bool, materialized: bool) -> tuple[str, ...]:
        """What may follow the words between CREATE and the kind; () is anything."""
        if replace:
            return ("view",)
        if materialized:
            return ("view", "source", "views")
        return ("table", "view") if temporary else ()

    def _create_view(
        self, materialized: bool, replace: bool, temporary: bool, replacement: bool = False, recursive: bool = False
    ) -> CreateView:
        self.expect("view")
        if_not_exists = self.if_not_exists()
        name = self.name()
        columns = self.parenthesised(self.identifier) if self.next.key == "(" or recursive else ()
        target = None
        if replacement:
            self.expect("for")
            target = self.name()
        self.in_cluster()
        options = self.with_options()
        self.expect("as")
        begun = self.here
        query = self.query()
        if self.at("with"):
            self.unsupported("WITH CHECK OPTION", hint="Views are read; what they read is written to.")
        if self.listed >= begun:
            hint = "Query mz_catalog: mz_objects, mz_tables, ..."
            raise Unsupported("SHOW in a view is not supported", hint=hint, position=self.listed)
        return CreateView(
            name, columns, query, materialized, replace, temporary, if_not_exists, options, self.span(), target,
            recursive,
        )  # fmt: skip

    def _create_cluster(self) -> CreateCluster | Inert:
        """CREATE CLUSTER name [(options) | options]: the options size what is one process here."""
        self.expect("cluster")
        if self.at("replica"):
            return Inert("CREATE CLUSTER REPLICA", Reason.CLUSTERS, self.to_the_end())
        if_not_exists = self.if_not_exists()
        name = self.identifier()
        return CreateCluster(name, if_not_exists, self.to_the_end())

    def _create_type(self) -> CreateType:
        self.expect("type")
        if_not_exists = self.if_not_exists()
        name = self.name()
        self.expect("as")
        base = self.accept_any("list", "map") or ""
        if self.at_any("enum", "range"):
            self.unsupported(f"CREATE TYPE ... AS {self.next.key.upper()}")
        fields = self.parenthesised(self._type_option if base else self._type_field)
        return CreateType(name, base, fields, if_not_exists, self.span())

    def _type_field(self) -> tuple[str, TypeName]:
        return self.identifier(), self.type_name()

    def _type_option(self) -> tuple[str, TypeName]:
        """{ELEMENT | KEY | VALUE} TYPE = type, in the older form with an underscore."""
        word = self.accept_any("element_type", "key_type", "value_type")
        if word is None:
            word = self.accept_any("element", "key", "value")
            if word is None or not self.accept("type"):
                self.fail()
        self.accept("=")
        return f"{word.removesuffix('_type')} type", self.type_name()

    def _create_index(self) -> CreateIndex:
        default = self.accept("default")
        self.expect("index")
        if_not_exists = self.if_not_exists()
        name = None
        self.in_cluster()
        if self.next.key != "on":
            name = self.identifier()
        self.in_cluster()
        self.expect("on")
        target = self.name()
        if self.accept("using"):
            self.identifier()
        keys: tuple[tuple[Expression, str], ...] | None = None
        if not default:
            keys = self.parenthesised(self._index_key)
        options = self.with_options()
        return CreateIndex(name, target, keys, if_not_exists, self.span(), options)

    def _index_key(self) -> tuple[Expression, str]:
        """An expression; the order that PostgreSQL lets follow means nothing to an arrangement."""
        begin = self.here
        key = self.expression()
        text = self.text[begin - 1 : self.before - 1]
        self.accept_any("asc", "desc")
        if self.accept("nulls") and self.accept_any("first", "last") is None:
            self.fail()
        return key, text

    def drop(self) -> Drop | DropRoles | DropClusters | Inert:
        self.expect("drop")
        if self.at_any("role", "user"):
            return self.drop_roles()
        if self.at("cluster", "replica"):
            return Inert("DROP CLUSTER REPLICA", Reason.CLUSTERS, self.to_the_end())
        if self.accept("cluster"):
            if_exists = self.accept("if", "exists")
            clusters = self.list_of(self.identifier)
            self.accept_any("cascade", "restrict")
            return DropClusters(clusters, if_exists, self.span())
        if self.at("owned"):
            return self.drop_owned()
        kind = self.object_kind()
        if_exists = self.accept("if", "exists")
        names: tuple[Name, ...] = self.list_of(self.name)
        cascade = self.accept("cascade")
        if not cascade:
            self.accept("restrict")
        return Drop(kind, names, if_exists, cascade, self.span())

    def object_kind(self) -> ObjectKind:
        """TABLE, MATERIALIZED VIEW, ..."""
        token = self.next
        if self.accept("materialized", "view"):
            return ObjectKind.MATERIALIZED_VIEW
        if self.accept("durable", "subscription"):
            return ObjectKind.DURABLE_SUBSCRIPTION
        for kind in ObjectKind:
            if self.accept(kind.value):
                return kind
        if token.key == "function":
            self.unsupported(token.key.upper())
        self.fail()
