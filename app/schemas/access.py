"""Tokens."""

from pydantic import BaseModel, Field


class TokenReply(BaseModel):
    token: str = Field(description="For `Authorization: Bearer`, and for the first message of a websocket")
    role: str = Field(examples=["materialize"])
    expires: int = Field(description="Seconds since 1970", examples=[1795384800])
