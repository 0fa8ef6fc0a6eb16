"""Who a request is of: what routes depend on, and POST /api/tokens."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Security, WebSocket
from fastapi.security import HTTPBasic, HTTPBearer

from app.front import Front, TheFront
from app.schemas.access import TokenReply
from app.schemas.errors import PROBLEMS
from engine.errors import InvalidAuthorization

router = APIRouter(tags=["access"])

BASIC = HTTPBasic(auto_error=False, description="A role and its password")
BEARER = HTTPBearer(auto_error=False, description="A token of POST /api/tokens")
"""They are in the OpenAPI document; the header itself is read by Identity."""


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
