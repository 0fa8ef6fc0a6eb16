"""Rows of a view, and rows for a table."""

from typing import Any

from pydantic import BaseModel, Field

from app.schemas.sql import ColumnDescription


class RowsReply(BaseModel):
    """Values are as in the results of /api/sql. The state is that of one time, `timestamp`."""

    columns: list[ColumnDescription]
    timestamp: int | None = Field(description="Milliseconds since 1970; null for an answer that depends on no input")
    next: str | None = Field(description="The cursor of the next page; null: there is none")
    rows: list[list[Any]]


class Written(BaseModel):
    """All rows are in one tick: every read at or after `timestamp` sees them."""

    rows: int
    timestamp: int
