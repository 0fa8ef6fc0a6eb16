"""Health."""

from typing import Literal

from pydantic import BaseModel


class Status(BaseModel):
    """`hydrating`: some views that were there at the start are not complete yet."""

    status: Literal["ok", "hydrating"]
