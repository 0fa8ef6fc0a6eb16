"""Who a request is of: what routes depend on, and POST /api/tokens."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Security, WebSocket
from fastapi.openapi.models import HTTPBase
from fastapi.security.base import SecurityBase

from app.front import Front, TheFront
from app.schemas.access import TokenReply
from app.schemas.errors import PROBLEMS
from engine.errors import InvalidAuthorization

router = APIRouter(tags=["access"])


class Scheme(SecurityBase):
    """A way to authorize, for the OpenAPI document; the header itself is read by Identity."""

    def __init__(self, scheme: str, description: str) -> None:
        self.model = HTTPBase(scheme=scheme, description=description)
        self.scheme_name = scheme

    async def __call__(self) -> None:
        """Nothing to do."""


BASIC = Scheme("basic", "A role and its password")
BEARER = Scheme("bearer", "A token of POST /api/tokens")


async def role_of(request: Request, front: TheFront) -> str:
    """The role of the request. Raises InvalidAuthorization."""
    header = request.headers.get("authorization")
    role = await front.in_thread(lambda: front.identity.of_header(header))
    if role is None:
        raise InvalidAuthorization("this server wants to know who you are", hint="Send Basic or Bearer authorization.")
    return role


async def role_of_socket(socket: WebSocket, front: Front) -> str | None:
    """The role that a websocket's handshake shows; None: its first message has to. Raises InvalidAuthorization."""
    header = socket.headers.get("authorization")
    return await front.in_thread(lambda: front.identity.of_header(header))


TheRole = Annotated[str, Depends(role_of)]
AUTHORIZED = [Security(BASIC), Security(BEARER), Depends(role_of)]
"""Dependencies of every route that needs to know who asks."""


@router.post(
    "/api/tokens",
    operation_id="create_token",
    summary="Get a bearer token for the role that asks",
    response_model=TokenReply,
    responses=PROBLEMS,
    dependencies=[Security(BASIC), Security(BEARER)],
)
async def create_token(role: TheRole, front: TheFront) -> TokenReply:
    """For clients that should not keep a password. It ends after `token_seconds_max`, when the role's password changes,
    and when the server restarts."""
    token, until = front.identity.token(role)
    return TokenReply(token=token, role=role, expires=until)
