"""For those who operate it: is it alive, is it ready, what does it count."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from app.front import TheFront
from app.schemas.ops import Status

router = APIRouter(tags=["operation"])

ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


@router.get("/health/live", operation_id="live", summary="Whether the process answers", response_model=Status)
async def live() -> Response:
    return JSONResponse({"status": "ok"})


@router.get(
    "/health/ready",
    operation_id="ready",
    summary="Whether every view and index has hydrated",
    response_model=Status,
    responses={503: {"model": Status, "description": "Some views are still being computed"}},
)
async def ready(front: TheFront) -> Response:
    if front.database.ready:
        return JSONResponse({"status": "ok"})
    return JSONResponse({"status": "hydrating"}, status_code=503)


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Counters and gauges in Prometheus's text format",
    response_class=PlainTextResponse,
)
async def metrics(front: TheFront) -> Response:
    found = await front.in_thread(front.database.metrics)
    return Response(exposition(found), media_type="text/plain; version=0.0.4; charset=utf-8")


def exposition(samples: list[tuple[str, dict[str, str], float]]) -> str:
    """Prometheus's text format 0.0.4: samples of one name stand together behind their TYPE line."""
    lines: dict[str, list[str]] = {}
    for name, labels, value in samples:
        inside = ",".join(f'{key}="{label.translate(ESCAPES)}"' for key, label in labels.items())
        kind = "counter" if name.endswith("_total") else "gauge"
        of_name = lines.setdefault(name, [f"# TYPE {name} {kind}"])
        of_name.append(f"{name}{{{inside}}} {value:.17g}" if inside else f"{name} {value:.17g}")
    return "".join(f"{line}\n" for of_name in lines.values() for line in of_name)
