"""For those who operate it: is it alive, is it ready, what does it count."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from app.front import TheFront
from app.schemas.ops import Status
from engine.database import Metric

router = APIRouter(tags=["operation"])

COUNTERS = frozenset({"mz_query_count", "mz_messages_ingested", "mz_pg_sent_rows", "mz_pg_sent_bytes"})
"""Those of Materialize's names that do not say so."""

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
    found = await front.in_thread(lambda: [*front.database.metrics(), *front.metrics()])
    return Response(exposition(found), media_type="text/plain; version=0.0.4; charset=utf-8")


def exposition(samples: list[Metric]) -> str:
    """Prometheus's text format 0.0.4: samples of one name, or of one histogram, stand together behind their TYPE line.
    A histogram is whatever has buckets."""
    histograms = {name.removesuffix("_bucket") for name, _, _ in samples if name.endswith("_bucket")}
    lines: dict[str, list[str]] = {}
    for name, labels, value in samples:
        inside = ",".join(f'{key}="{label.translate(ESCAPES)}"' for key, label in labels.items())
        of, kind = name, "counter" if name.endswith("_total") or name in COUNTERS else "gauge"
        for part in ("_bucket", "_sum", "_count"):
            if name.removesuffix(part) in histograms:
                of, kind = name.removesuffix(part), "histogram"
        of_name = lines.setdefault(of, [f"# TYPE {of} {kind}"])
        of_name.append(f"{name}{{{inside}}} {value:.17g}" if inside else f"{name} {value:.17g}")
    return "".join(f"{line}\n" for of_name in lines.values() for line in of_name)
