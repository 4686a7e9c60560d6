"""What all routes of the page share: who asks, rendering, and errors that people can read."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute

from serving.web.backend import Backend, Principal
from serving.web.render import HEADERS, is_part, render
from serving.web.session import is_same_origin
from serving.web.shelf import Shelf
from worldgen.errors import BadInput, ServiceError, WorldgenError
from worldgen.wire import Scope

_STATUS: Final = {
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "busy": 429,
    "invalid": 400,
    "conflict": 409,
    "unreachable": 503,
    "timeout": 504,
}
_SAFE: Final = frozenset({"GET", "HEAD"})


class SignInNeededError(Exception):
    """Nobody known asks; the page answers with its sign-in form."""


class Site:
    """Backend, shelf and rendering, for every route.

    Args:
        backend: The service.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.shelf = Shelf(backend.catalog)

    async def who(self, request: Request, scope: Scope = "read") -> Principal:
        """Say who asks.

        Raises:
            SignInNeededError: Nobody known.
            ServiceError: `forbidden` when the key may not do this.
        """
        principal = await self.backend.principal(request)
        if principal is None:
            raise SignInNeededError
        if not may(principal, scope):
            message = f"this key may not {scope}"
            raise ServiceError(
                message, reason="forbidden", hint=f"sign in with a key that has the scope {scope}"
            )
        return principal

    def page(
        self,
        request: Request,
        template: str,
        principal: Principal | None,
        **context: Any,  # noqa: ANN401 -- whatever a template shows
    ) -> HTMLResponse:
        """Render a page or a part of one."""
        return render(
            request,
            template,
            signed_in=principal.name if principal is not None and self.backend.keys_on else "",
            keys_on=self.backend.keys_on,
            may_submit=principal is not None and may(principal, "submit"),
            may_audit=principal is not None and may(principal, "audit"),
            **context,
        )


def may(principal: Principal, scope: Scope) -> bool:
    """Say whether a key has a scope; admin has all."""
    return scope in principal.scopes or "admin" in principal.scopes


class PageRoute(APIRoute):
    """A route of the page: refuses changes that other sites ask for, and shows errors as pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's own handler."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                if request.method not in _SAFE and not is_same_origin(request.headers):
                    message = "another site asked for this change; it was not made"
                    raise ServiceError(message, reason="forbidden")
                return await inner(request)
            except SignInNeededError:
                return _to_sign_in(request)
            except RequestValidationError as error:
                first = error.errors()[0]
                message = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
                return problem(request, ServiceError(message, reason="invalid"))
            except WorldgenError as error:
                return problem(request, unwrapped(error))

        return handle


def unwrapped(error: WorldgenError) -> WorldgenError:
    """Undo Ray's wrapper of a typed error that was raised in another process."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, WorldgenError) else error


def status_of(error: WorldgenError) -> int:
    """Choose the HTTP status of an error; refusals of the ingress carry their own."""
    own: int | None = getattr(error, "status", None)
    if own is not None:
        return own
    if isinstance(error, BadInput):
        return 400
    return 404 if error.reason == "not_found" else _STATUS.get(error.reason, 500)


def problem(request: Request, error: WorldgenError) -> Response:
    """Show an error, in place when a script asked for a part of the page."""
    status = status_of(error)
    template = "problem_part.html.j2" if is_part(request) else "problem.html.j2"
    answer = render(
        request,
        template,
        status=status,
        signed_in="",
        keys_on=False,
        error=error,
        title=HTTPStatus(status).phrase,
        nearest=getattr(error, "nearest", None),
    )
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = "5"
    answer.headers.update(getattr(error, "headers", {}))
    if is_part(request):
        # Where an element names a place for its errors, they go there; the list it fills stays as it is.
        answer.headers["HX-Retarget"] = request.headers.get("x-errors-to", "#problem")
        answer.headers["HX-Reswap"] = "innerHTML"
    return answer


def _to_sign_in(request: Request) -> Response:
    address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if is_part(request):
        return Response(status_code=204, headers={"HX-Redirect": "/signin"})
    if request.method not in _SAFE:
        return RedirectResponse("/signin", status_code=303, headers=HEADERS)
    return RedirectResponse(f"/signin?next={quote(address)}", status_code=303, headers=HEADERS)
