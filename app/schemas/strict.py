"""What all requests have in common."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A request: what it does not know it refuses, so that a misspelt key is told and not ignored."""

    model_config = ConfigDict(extra="forbid")
