"""ALTER SYSTEM: what sessions begin with that are not told otherwise, by their role or by their client.

a new session    the variable's default, then the system's, then its role's, then what the client says
one that is open keeps what it began with: RESET brings that back
"""

from dataclasses import replace
from typing import Final

from engine.coordinator.acting import WHO
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.draft import Draft
from engine.coordinator.result import Result
from engine.coordinator.variables import VARIABLES, checked, variable
from engine.durable.log import Log
from engine.errors import InvalidParameter
from engine.sql.bound import BoundAlterSystem

KIND: Final = "system variable"
"""The kind of the log's facts: values, by the keys of VARIABLES."""
OF_TRANSACTIONS: Final = frozenset({"transaction_isolation", "transaction_read_only"})
"""What is each transaction's own, and has a default_ of the sessions beside it."""


def alter_system(draft: Draft, bound: BoundAlterSystem) -> Result:
    before = draft.catalog.system
    if bound.name == "all":
        after = {}
    elif bound.value is None:
        gone = variable(bound.name).name.lower()
        after = {key: value for key, value in before.items() if key != gone}
    else:
        key, value = checked(bound.name, bound.value)
        if key in WHO or key in OF_TRANSACTIONS or key not in VARIABLES:
            hint = f"SET default_{key}." if key in OF_TRANSACTIONS else None
            raise InvalidParameter(f'parameter "{key}" is no setting of the system', hint=hint)
        after = {**before, key: value}
    draft.fact({(KIND, key): after.get(key) for key in before.keys() | after.keys()})
    draft.catalog = replace(draft.catalog, system=after)
    return Result("ALTER SYSTEM")


def restore_system(coordinator: Coordinator, log: Log) -> None:
    """What the log has of them."""
    coordinator.catalog = replace(coordinator.catalog, system=dict(log.facts(KIND)))
