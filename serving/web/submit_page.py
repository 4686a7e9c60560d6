"""Submitting: what words and numbers mean, and the job that a filled-in form becomes."""

from fastapi import APIRouter, Request, Response

from serving.web.forms import Choice, read_exact, read_words, request_of
from serving.web.render import HEADERS
from serving.web.site import Site
from worldgen.errors import SpecError


def add_submit(router: APIRouter, site: Site) -> None:
    """Add `/specs`, and what the form on `/` is sent to."""

    @router.get("/specs/meaning")
    async def meaning(request: Request, words: str = "") -> Response:
        who = await site.who(request)
        choices: tuple[Choice, ...] = ()
        wrong: SpecError | None = None
        if words.strip():
            try:
                choices = read_words(words[:2000])
            except SpecError as error:
                wrong = error
        return site.page(request, "meaning.html.j2", who, choices=choices, wrong=wrong)

    @router.post("/specs")
    async def choose(request: Request) -> Response:
        who = await site.who(request)
        form = await request.form(max_files=0, max_fields=400)
        is_exact = form.get("what") == "exact"
        found = (read_exact(form),) if is_exact else read_words(str(form.get("words", ""))[:2000])
        there = {str(value) for value in form.getlist("specs")}
        fresh = [choice for choice in found if choice.value not in there]
        return site.page(request, "chosen.html.j2", who, choices=fresh)

    @router.post("/jobs")
    async def submit(request: Request) -> Response:
        who = await site.who(request, "submit")
        form = await request.form(max_files=0, max_fields=400)
        body = request_of(form)
        status = await site.backend.submit(request, who, body)
        return Response(status_code=204, headers={"HX-Redirect": f"/jobs/{status.id}", **HEADERS})
