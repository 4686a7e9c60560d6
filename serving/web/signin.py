"""Signing in: a key is exchanged for a cookie that scripts cannot read."""

from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from serving.http.problems import Refused
from serving.web.render import HEADERS
from serving.web.session import COOKIE, SECONDS
from serving.web.site import Site
from serving.web.tries import Tries
from worldgen.errors import ServiceError

_WRONG_KEYS: Final = 10
_WRONG_SECONDS: Final = 60.0


def add_sign_in(router: APIRouter, site: Site) -> None:
    """Add `/signin` and `/signout`.

    An address that has been wrong ten times within a minute has to wait, in each replica of the ingress; who
    signs in with the right key is not counted.
    """
    tries = Tries(_WRONG_KEYS, _WRONG_SECONDS)

    @router.get("/signin")
    async def form(request: Request, next: str = "/") -> Response:  # noqa: A002 -- the address's own word
        if not site.backend.keys_on:
            return RedirectResponse("/", status_code=303, headers=HEADERS)
        return site.page(request, "signin.html.j2", None, next=own_path(next), wrong="")

    @router.post("/signin")
    async def sign_in(request: Request) -> Response:
        form = await request.form(max_files=0, max_fields=4)
        target = own_path(str(form.get("next", "/")))
        address = request.client.host if request.client else ""
        if seconds := tries.wait_seconds(address):
            message = "too many wrong keys came from your address"
            headers = {"Retry-After": str(seconds)}
            raise Refused(message, reason="busy", headers=headers, hint=f"try again in {seconds} s")
        try:
            value = await site.backend.sign_in(str(form.get("key", "")).strip())
        except ServiceError as error:
            if error.reason != "unauthorized":
                raise
            answer = site.page(request, "signin.html.j2", None, next=target, wrong=error.message)
            answer.status_code = 401
            return answer
        tries.forgive(address)
        done = RedirectResponse(target, status_code=303, headers=HEADERS)
        done.set_cookie(
            COOKIE,
            value,
            max_age=SECONDS,
            path="/",
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return done

    @router.post("/signout")
    async def sign_out(request: Request) -> Response:
        del request
        done = RedirectResponse("/signin", status_code=303, headers=HEADERS)
        done.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
        return done


def own_path(target: str) -> str:
    """Return a path of this server, whatever was asked for: sign-in must not send people elsewhere."""
    parts = urlsplit(target)
    is_own = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.netloc
    return target if is_own and "\\" not in target and target.isprintable() else "/"
