"""Path and query parameters that several routes have."""

from typing import Annotated

from fastapi import Path, Query

ViewName = Annotated[
    str,
    Path(
        description="The relation: name, schema.name or database.schema.name, exact (not folded to lower case); a part "
        "with a dot in it stands in double quotes",
        examples=["totals"],
        min_length=1,
        max_length=400,
    ),
]
AtLeast = Annotated[
    int | None,
    Query(
        ge=0, le=2**53, description="Wait until the reply can be true at this timestamp or later: read your own writes"
    ),
]
