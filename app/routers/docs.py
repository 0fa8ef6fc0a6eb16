"""GET /docs: the OpenAPI document as a page. Its scripts come from this server, so it works without a network."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles

router = APIRouter()

PAGE_ASSETS: Final = "/docs/assets"


def assets() -> Path:
    """Swagger UI as the package fastapi-offline ships it; nothing of its code is run."""
    found = find_spec("fastapi_offline")
    assert found is not None, "pyproject.toml names it"
    assert found.origin is not None, "it is a package of files"
    return Path(found.origin).parent / "static"


def mount(app: FastAPI) -> None:
    app.mount(PAGE_ASSETS, StaticFiles(directory=assets()), name="docs-assets")


@router.get("/docs", include_in_schema=False)
async def docs() -> Response:
    return get_swagger_ui_html(
        openapi_url="/openapi.json", title="Tailrace", swagger_js_url=f"{PAGE_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{PAGE_ASSETS}/swagger-ui.css", swagger_favicon_url=f"{PAGE_ASSETS}/favicon.png",
    )  # fmt: skip
