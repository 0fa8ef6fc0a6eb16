"""What a statement is bound against: the catalog, the session, and the moment. All of it is given; nothing is read."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from engine.catalog.catalog import Catalog, Path
from engine.catalog.items import Item
from engine.catalog.system.definition import Locks, Runtime
from engine.sql.parameters import Parameters
from engine.sql.syntax import Name


@dataclass(frozen=True, slots=True)
class Use:
    """Where in a statement's text an item is named; `qualifier`: in front of a column."""

    name: Name
    item: Item
    qualifier: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """`variables` are the session's; `now` is when the statement began, `runtime` what only the workers know.

    `parameters` is None where a statement cannot have any.
    `uses` is what binding leaves behind beside its answer: every name of an item that it resolved. So are `fixed`, the
    parts of the text that mean something else at another time, with what they mean at this one, and `assigned`, of
    settling: the variables that set_config() assigns, and `pauses`: how many seconds mz_sleep() waits each time.
    `transaction` gives the number of the one that the statement is in; `locks` are the session's advisory ones; `draw`
    gives that many bits of chance. mz_now() is `read_at`, the tick that AS OF says, or what `tick` chooses for the
    statement to read at, or else the tick of `now`.
    """

    catalog: Catalog
    path: Path = field(default_factory=Path)
    user: str = "materialize"
    variables: Mapping[str, str] = field(default_factory=dict)
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    runtime: Runtime = field(default_factory=Runtime)
    session: int = 0  # its number
    parameters: Parameters | None = None
    uses: list[Use] = field(default_factory=list, compare=False)
    fixed: list[tuple[int, int, str]] = field(default_factory=list, compare=False)
    assigned: list[tuple[str, str, bool]] = field(default_factory=list, compare=False)
    pauses: list[float] = field(default_factory=list, compare=False)
    transaction: Callable[[], int] = field(default=lambda: 0, compare=False)
    locks: Locks | None = field(default=None, compare=False)
    draw: Callable[[int], int] = field(default=secrets.randbits, compare=False)
    read_at: int | None = None
    tick: Callable[[], int] | None = field(default=None, compare=False)
    restoring: bool = False  # the statement is of the log
    session_user: str = "materialize"  # who logged in, unless it was changed; `user` is who acts
    guest: bool = False  # `user` was let in without being a role of the catalog, and may do everything

    def resolve(self, name: Name) -> Item:
        """The item of that name; UndefinedTable where there is none."""
        found = self.catalog.resolve(name.parts, self.path, name.at)
        if all(use.name != name for use in self.uses):  # one clause may be bound twice, for keys and for values
            self.uses.append(Use(name, found))
        return found
