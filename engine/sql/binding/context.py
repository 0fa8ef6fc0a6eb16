"""What a statement is bound against: the catalog, the session, and the moment. All of it is given; nothing is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from engine.catalog.catalog import Catalog, Path
from engine.catalog.system import Runtime


@dataclass(frozen=True, slots=True)
class Context:
    """`variables` are the session's; `now` is when the statement began, `runtime` what only the workers know."""

    catalog: Catalog
    path: Path = field(default_factory=Path)
    user: str = "materialize"
    variables: Mapping[str, str] = field(default_factory=dict)
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    runtime: Runtime = field(default_factory=Runtime)
