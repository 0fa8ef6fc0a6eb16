"""Rows: pages of a view, and what is written to a table."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.data.datums import description
from app.data.media import NAMES, FormatName, Media, chosen, of_body, pieces
from app.data.names import parts_of
from app.data.reply import Streamed
from app.data.selection import CURSOR_MAX, LIMIT_MAX, Asked, Page, page, select
from app.front import Front, TheFront
from app.routers.access import AUTHORIZED, TheRole
from app.routers.parameters import AtLeast, ViewName
from app.schemas.errors import PROBLEMS
from app.schemas.rows import RowsReply, Written
from engine.database import Form, Result

router = APIRouter(dependencies=AUTHORIZED)

ROW_OBJECT = {"type": "object", "additionalProperties": True, "examples": [{"k": 1, "v": "a"}]}
BINARY = {"schema": {"type": "string", "format": "binary"}}
ROWS_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            Media.JSON.value: {"schema": {"type": "array", "items": ROW_OBJECT}},
            Media.NDJSON.value: {"schema": {"type": "string", "examples": ['{"k": 1}\n{"k": 2}\n']}},
            Media.CSV.value: {"schema": {"type": "string", "examples": ["k,v\n1,a\n"]}},
            Media.ARROW.value: BINARY,
        },
    }
}
FORMS = {Media.JSON: Form.JSON, Media.NDJSON: Form.NDJSON, Media.CSV: Form.CSV, Media.ARROW: Form.ARROW}
TEXT = {"schema": {"type": "string"}}
TIMESTAMP = {"description": "What the rows are true at", "schema": {"type": "integer"}}
ROWS_REPLY: dict[int | str, dict[str, Any]] = {
    200: {
        "model": RowsReply,
        "description": "A page",
        "content": {Media.NDJSON.value: TEXT, Media.CSV.value: TEXT, Media.ARROW.value: BINARY},
        "headers": {
            "ETag": {"description": "Of these rows, until they change", "schema": {"type": "string"}},
            "Tailrace-Timestamp": TIMESTAMP,
            "Tailrace-Next": {"description": "The cursor of the next page", "schema": {"type": "string"}},
        },
    },
    304: {"description": "The rows are those that the client has"},
    406: {**PROBLEMS[400], "description": "None of the media types in Accept can be had"},
    **PROBLEMS,
}


@router.get(
    "/api/views/{name}/rows",
    operation_id="read_rows",
    summary="Rows of a view, table or source",
    tags=["views"],
    responses=ROWS_REPLY,
    response_class=StreamingResponse,
)
async def read_rows(
    name: ViewName,
    front: TheFront,
    role: TheRole,
    columns: Annotated[list[str] | None, Query(description="Only these columns", max_length=100)] = None,
    where: Annotated[
        list[str] | None,
        Query(
            description="column:operator:value, all of which hold; operators: eq ne lt le gt ge like ilike in is",
            examples=["k:ge:10"],
            max_length=100,
        ),
    ] = None,
    order: Annotated[
        list[str] | None, Query(description="column, column:asc or column:desc", examples=["k:desc"], max_length=100)
    ] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 1000,
    after: Annotated[str | None, Query(description="The cursor of the page before", max_length=CURSOR_MAX)] = None,
    as_of: Annotated[int | None, Query(ge=0, le=2**53, description="The state at this timestamp")] = None,
    at_least: AtLeast = None,
    format: Annotated[FormatName | None, Query(description="By default what Accept says")] = None,
    accept: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Answered from memory where the relation is maintained. Pages go by key: rows inserted or deleted between two of
    them are neither skipped nor repeated. The reply bears the timestamp that it is true at."""
    media = chosen(accept) if format is None else NAMES[format]
    if media is None:
        raise HTTPException(406, f"there are {', '.join(each.value for each in Media)}")
    await front.reach(at_least)
    relation = await front.in_thread(lambda: front.database.readable(parts_of(name)))
    asked = Asked(tuple(columns or ()), tuple(where or ()), tuple(order or ()), limit, after, as_of)
    selection = select(relation, asked)
    etag = None
    if relation.version is not None and as_of is None:
        etag = f'"{relation.version}.{selection.digest}.{limit}.{media.name.lower()}.{after or ""}"'
        if if_none_match is not None and etag in if_none_match:
            return Response(status_code=304, headers={"ETag": etag})
    found = await front.in_thread(lambda: page(selection, answered(front, role, selection.sql, selection.parameters)))
    return reply(front, found, media, etag)


def answered(front: Front, role: str, sql: str, parameters: tuple[str, ...]) -> Result:
    """In a thread: the answer to one SELECT."""
    with front.database.session(role) as session:
        (answer,) = session.run(sql, parameters)
        assert isinstance(answer, Result)
        return answer


def reply(front: Front, found: Page, media: Media, etag: str | None) -> Response:
    """The page, streamed."""
    headers = {"Vary": "Accept", "Cache-Control": "no-cache"}
    if etag is not None:
        headers["ETag"] = etag
    if found.result.timestamp is not None:
        headers["Tailrace-Timestamp"] = str(found.result.timestamp)
    if found.next is not None:
        headers["Tailrace-Next"] = found.next
    shown = found.result.columns[: found.shown]
    head = {"columns": description(shown), "timestamp": found.result.timestamp, "next": found.next}
    body = pieces(
        found.result, found.begin, found.end, found.shown, media, head, front.settings.reply_rows_max
    )  # fmt: skip
    return Streamed(front, body, media.value, headers)


@router.post(
    "/api/tables/{name}/rows",
    operation_id="write_rows",
    summary="Insert rows into a table",
    tags=["tables"],
    status_code=201,
    response_model=Written,
    responses={
        **PROBLEMS,
        415: {**PROBLEMS[400], "description": "The body is of a media type that is not read"},
    },
    openapi_extra=ROWS_BODY,
)
async def write_rows(
    name: Annotated[
        str, Path(description="The table, as elsewhere", examples=["orders"], min_length=1, max_length=400)
    ],
    request: Request,
    front: TheFront,
    role: TheRole,
) -> Written:
    """All rows in one tick, or none: a row that does not fit fails the request and is named. Columns go by name; what a
    row does not give takes the column's DEFAULT. The reply's timestamp is the tick's: hand it in as `at_least` to read
    your own writes, from wherever."""
    media = of_body(request.headers.get("content-type"))
    if media is None:
        raise HTTPException(415, f"rows are {', '.join(each.value for each in Media)}")
    body = await request.body()
    rows, timestamp = await front.in_thread(lambda: front.database.load(parts_of(name), body, FORMS[media]))
    return Written(rows=rows, timestamp=timestamp)
