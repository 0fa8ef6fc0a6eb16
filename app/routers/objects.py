"""Sources, tables, views, indexes, sinks, connections and secrets as resources: create, list, show, drop.

The statements are app/data's."""

from enum import Enum
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Query, Response, status

from app.data.described import name_of, object_of, operator_of, parts
from app.data.names import parts_of
from app.data.statements import New, Statement, create, drop, validate
from app.front import Front, TheFront
from app.routers.access import AUTHORIZED, TheRole
from app.routers.parameters import ViewName
from app.schemas.errors import PROBLEMS
from app.schemas.objects import (
    Dataflow,
    NewConnection,
    NewIndex,
    NewSecret,
    NewSink,
    NewSource,
    NewTable,
    NewView,
    Object,
    Objects,
)
from engine.database import Description
from engine.errors import SqlError, UndefinedTable

router = APIRouter(dependencies=AUTHORIZED)

Cascade: TypeAlias = Annotated[bool, Query(description="Drop what depends on it too; else that is a conflict")]
MADE: dict[int | str, dict[str, Any]] = {
    200: {"model": Object, "description": "There was one of that name already, and `if_not_exists` was set"},
    **PROBLEMS,
}
KINDS = {
    "tables": ("table",),
    "sources": ("source",),
    "views": ("view", "materialized view"),
    "indexes": ("index",),
    "sinks": ("sink",),
    "connections": ("connection",),
    "secrets": ("secret",),
}
"""The kinds of the catalog by their path."""
EVERY = tuple(kind for kinds in KINDS.values() for kind in kinds)


async def listed(front: Front, kinds: tuple[str, ...]) -> dict[str, Any]:
    found = await front.in_thread(lambda: front.database.items(*kinds))
    return {"items": [object_of(item) for item in found]}


async def shown(front: Front, name: str, kinds: tuple[str, ...]) -> Description:
    """The object of that name. UndefinedTable if there is none of these kinds."""
    found = await front.in_thread(lambda: front.database.describe(parts_of(name)))
    if found.kind not in kinds:
        raise UndefinedTable(f'there is no {kinds[0]} "{name}"', hint=f"It is a {found.kind}.")
    return found


async def made(front: Front, role: str, reply: Response, path: str, body: New) -> dict[str, Any]:
    """Create it, and show it as it then is."""
    statement = create(body)
    notices = await front.in_thread(lambda: run(front, role, statement))
    reply.status_code = status.HTTP_200_OK if notices else status.HTTP_201_CREATED
    if isinstance(body, NewIndex) and body.name is None:
        on = await front.in_thread(lambda: front.database.describe(parts_of(body.on)))
        indexes = await front.in_thread(lambda: front.database.items("index"))
        found = max((index for index in indexes if index.on == on.name), key=lambda index: index.id)
    elif isinstance(body, NewIndex):
        schema = parts_of(body.on)[:-1]
        found = await front.in_thread(lambda: front.database.describe((*schema, body.name or "")))
    else:
        found = await front.in_thread(lambda: front.database.describe(parts_of(body.name)))
    reply.headers["Location"] = f"/api/{path}/{name_of(parts(found.name))}"
    return object_of(found)


async def dropped(front: Front, role: str, name: str, kinds: tuple[str, ...], cascade: bool) -> Response:
    found = await shown(front, name, kinds)
    await front.in_thread(lambda: run(front, role, drop(found.kind, name_of(parts(found.name)), cascade)))
    return Response(status_code=status.HTTP_204_NO_CONTENT)


def run(front: Front, role: str, statement: Statement) -> int:
    """In a thread: run it; how many notices there were. Positions in errors are those in the client's own text."""
    with front.database.session(role) as session:
        try:
            return len(session.execute_one(statement.sql).notices)
        except SqlError as error:
            raise statement.own(error) from None


def resource(path: str, one: str, body_type: type) -> None:
    """List, create, show and drop of one kind of object."""
    kinds = KINDS[path]
    tags: list[str | Enum] = [path]
    one_of = "an" if one == "index" else "a"
    at = f"/api/{path}"

    @router.get(
        at, operation_id=f"list_{path}", summary=f"All {path}", tags=tags, response_model=Objects, responses=PROBLEMS
    )
    async def list_all(front: TheFront) -> dict[str, Any]:
        return await listed(front, kinds)

    async def create_one(body: New, front: TheFront, role: TheRole, reply: Response) -> dict[str, Any]:
        return await made(front, role, reply, path, body)

    create_one.__annotations__["body"] = body_type
    router.post(
        at, operation_id=f"create_{one}", summary=f"Create {one_of} {one}", tags=tags, response_model=Object,
        status_code=201, responses=MADE,
    )(create_one)  # fmt: skip

    @router.get(
        f"{at}/{{name}}", operation_id=f"show_{one}", summary=f"One {one} and its state", tags=tags,
        response_model=Object, responses=PROBLEMS,
    )  # fmt: skip
    async def show(name: ViewName, front: TheFront) -> dict[str, Any]:
        return object_of(await shown(front, name, kinds))

    @router.delete(
        f"{at}/{{name}}", operation_id=f"drop_{one}", summary=f"Drop {one_of} {one}", tags=tags, status_code=204,
        response_class=Response, responses=PROBLEMS,
    )  # fmt: skip
    async def drop_one(name: ViewName, front: TheFront, role: TheRole, cascade: Cascade = False) -> Response:
        return await dropped(front, role, name, kinds, cascade)


resource("sources", "source", NewSource)
resource("tables", "table", NewTable)
resource("views", "view", NewView)
resource("indexes", "index", NewIndex)
resource("sinks", "sink", NewSink)
resource("connections", "connection", NewConnection)
resource("secrets", "secret", NewSecret)


@router.post(
    "/api/connections/{name}/validate", operation_id="validate_connection", summary="Try whether a connection works",
    tags=["connections"], status_code=204, response_class=Response, responses=PROBLEMS,
)  # fmt: skip
async def validate_connection(name: ViewName, front: TheFront, role: TheRole) -> Response:
    """Connects, and asks for something small."""
    found = await shown(front, name, KINDS["connections"])
    await front.in_thread(lambda: run(front, role, validate(name_of(parts(found.name)))))
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.get(
    "/api/views/{name}/dataflow", operation_id="show_dataflow", summary="The operators that compute a view",
    tags=["views"], response_model=Dataflow, responses=PROBLEMS,
)  # fmt: skip
async def show_dataflow(name: ViewName, front: TheFront) -> dict[str, Any]:
    """With rows, bytes and counts of each, and with whom it is shared."""
    found = await front.in_thread(lambda: front.database.operators(parts_of(name)))
    return {"operators": [operator_of(each) for each in found]}


@router.get(
    "/api/objects", operation_id="list_objects", summary="All objects of every kind", tags=["objects"],
    response_model=Objects, responses=PROBLEMS,
)  # fmt: skip
async def list_objects(front: TheFront) -> dict[str, Any]:
    """What a console shows: each with its state, at one moment."""
    return await listed(front, EVERY)
