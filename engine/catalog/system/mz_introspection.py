"""mz_introspection: relations about dataflows, under the schema that later versions of Materialize have for them."""

from dataclasses import replace
from typing import Final

from engine.catalog.system import mz_dataflow, mz_internal

SCHEMA: Final = "mz_introspection"
BEGINNINGS: Final = (
    "mz_dataflow", "mz_arrangement", "mz_compute", "mz_message_counts", "mz_peek", "mz_active_peeks", "mz_records_per",
    "mz_scheduling", "mz_expected_group_size_advice",
)  # fmt: skip
"""How their names begin there."""

DEFINITIONS: Final = tuple(
    replace(row, schema=SCHEMA, oid=14_500 + number)
    for number, row in enumerate((*mz_internal.DEFINITIONS, *mz_dataflow.DEFINITIONS))
    if row.name.startswith(BEGINNINGS)
)
