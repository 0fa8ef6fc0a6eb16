"""COMMENT ON: texts about what there is, which go with it."""

from typing import Final

from engine.coordinator.coordinator import Coordinator
from engine.coordinator.draft import Draft
from engine.coordinator.result import Result
from engine.durable.log import Log
from engine.sql.bound import BoundComment

KIND: Final = "comment"
"""The kind of the log's facts: texts by their subject."""


def comment(draft: Draft, bound: BoundComment) -> Result:
    kind, name, column = bound.subject
    draft.fact({(KIND, f"{kind} {column} {name}"): bound.text})
    draft.catalog = draft.catalog.commented(bound.subject, bound.text)
    return Result("COMMENT")


def restore_comments(coordinator: Coordinator, log: Log) -> None:
    """The comments that the log has. After the items: those that went took theirs."""
    catalog = coordinator.catalog
    for subject, text in log.facts(KIND).items():
        kind, column, name = subject.split(" ", 2)
        if kind != "item" or int(name) in catalog.items:
            catalog = catalog.commented((kind, name, int(column)), text)
    coordinator.catalog = catalog
