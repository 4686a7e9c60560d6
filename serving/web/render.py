"""Rendering: templates, the report's among them, and the headers that every page carries."""

from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from serving.web.static_files import address_of
from worldgen import __version__
from worldgen.report.page import STATES, TEMPLATE

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}

_HERE: Final = Path(__file__).parent / "templates"


def render(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:  # noqa: ANN401 -- whatever a template shows
    """Render one template as a page or a part of one."""
    html = environment().get_template(template).render(request=request, **context)
    return HTMLResponse(html, status_code=status, headers=HEADERS)


def fragment(template: str, **context: Any) -> str:  # noqa: ANN401 -- whatever a template shows
    """Render a part of a page as text, for an event stream."""
    return environment().get_template(template).render(request=None, **context)


def is_part(request: Request) -> bool:
    """Say whether a script asks for a part of the page in place."""
    return "hx-request" in request.headers and "hx-history-restore-request" not in request.headers


@pass_context
def _is_here(context: Context, path: str) -> bool:
    request = context["request"]
    return bool(request is not None and request.url.path == path)


@cache
def environment() -> Environment:
    """Build the templates' environment once; the report's parts are shared, not copied."""
    found = Environment(
        loader=ChoiceLoader([FileSystemLoader(_HERE), FileSystemLoader(TEMPLATE)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals.update(static=address_of, states=STATES, version=__version__, is_here=_is_here)
    return found
