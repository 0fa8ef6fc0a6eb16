"""GET /api/views/{name}/changes: a view's changes as server-sent events."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from app.live.events import Events
from app.live.streams import TheStreams
from app.routers.access import AUTHORIZED, TheRole
from app.routers.parameters import ViewName
from app.schemas.errors import PROBLEMS
from app.schemas.live import Mode, Subscribe

router = APIRouter(tags=["views"], dependencies=AUTHORIZED)


@router.get(
    "/api/views/{name}/changes",
    operation_id="follow_view",
    summary="Follow a view's changes as server-sent events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events without end. The data of each is a message of ws /api/subscribe, which "
            "openapi/asyncapi.yaml describes; its id is the token to resume from, which browsers send back themselves.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **PROBLEMS,
    },
)
async def follow_view(
    name: ViewName,
    streams: TheStreams,
    role: TheRole,
    mode: Annotated[Mode, Query(description="Rows with counts, or by key")] = "diff",
    key: Annotated[list[str] | None, Query(description="Columns in which no two rows agree")] = None,
    resume: Annotated[str | None, Query(max_length=128, description="A token to resume from")] = None,
    last_event_id: Annotated[str | None, Header(max_length=128, description="The same, as browsers send it")] = None,
) -> Response:
    """The snapshot first (unless a token is resumed from), then the changes of each tick as they happen."""
    request = Subscribe(type="subscribe", id=name, view=name, mode=mode, key=key, resume=last_event_id or resume)
    events = await Events.begin(streams, role, request)
    return StreamingResponse(events.stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})
