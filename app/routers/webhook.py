"""What other services send: requests for webhook sources."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request
from starlette.requests import ClientDisconnect

from app.data.names import parts_of
from app.front import Front, TheFront
from app.routers.parameters import ViewName
from app.schemas.errors import PROBLEMS
from app.schemas.rows import Written

router = APIRouter()

BODY_BYTES_MAX = 2 << 20

Part = Annotated[str, Path(min_length=1, max_length=400)]
REPLIES: dict[int | str, dict[str, Any]] = {
    **PROBLEMS,
    400: {**PROBLEMS[400], "description": "The body is not of the source's format, or its CHECK refuses the request"},
    401: {**PROBLEMS[400], "description": "A header comes twice"},
    404: {**PROBLEMS[400], "description": "There is no such webhook source"},
    413: {**PROBLEMS[400], "description": "The body is longer than 2 MiB"},
    429: {**PROBLEMS[400], "description": "500 requests are under way: send it again later"},
}


RECEIVED: dict[str, Any] = {
    "tags": ["sources"],
    "response_model": Written,
    "responses": REPLIES,
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "description": "What it is, the source says; the media type says nothing",
            "content": {
                "application/json": {"schema": {}, "examples": {"event": {"value": {"type": "paid", "order": 7}}}},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            },
        },
        "security": [{}],
    },
}


@router.post("/api/webhook/{source}", operation_id="receive_webhook", summary="Rows for a webhook source", **RECEIVED)
async def receive_webhook(source: ViewName, request: Request, front: TheFront) -> Written:
    """Open to whoever passes the CHECK of the source. The rows of a request are in one tick, and durable when it is
    answered."""
    return await received(parts_of(source), request, front)


@router.post(
    "/api/webhook/{database}/{schema}/{source}", operation_id="receive_webhook_of",
    summary="Rows for a webhook source of any database and schema", **RECEIVED,
)  # fmt: skip
async def receive_webhook_of(database: Part, schema: Part, source: Part, request: Request, front: TheFront) -> Written:
    """The same, as Materialize has it. Names are exact, not folded to lower case."""
    return await received((database, schema, source), request, front)


async def received(source: tuple[str, ...], request: Request, front: Front) -> Written:
    with front.webhooks:
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    raise HTTPException(413, f"the body is longer than {BODY_BYTES_MAX} bytes")
        except ClientDisconnect:
            raise HTTPException(400, "the body is cut off") from None
        headers = [(name.decode("latin-1"), value) for name, value in request.headers.raw]
        rows, timestamp = await front.in_thread(lambda: front.database.webhook(source, headers, bytes(body)))
    return Written(rows=rows, timestamp=timestamp)
