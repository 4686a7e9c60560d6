"""Forms of the OpenAI client: nested names (``input_reference[video_url]``, ``tags[]``) and files."""

import json
import re
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from worldgen.errors import ServiceError

_NAME: Final = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART: Final = re.compile(r"\[([^\[\]]*)\]")
_DEEPEST: Final = 8
_PIECE: Final = 1 << 20


async def fields_of(request: Request) -> dict[str, Any]:
    """Read a body as the OpenAI client sends it (a form), or as JSON; files stay `UploadFile`.

    Raises:
        ServiceError: `invalid`: neither, or a form that contradicts itself.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            body = json.loads(await request.body())
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            message = "the body is no JSON object"
            raise ServiceError(message, reason="invalid")
        return body
    if kind not in ("multipart/form-data", "application/x-www-form-urlencoded"):
        message = "send a form, or application/json"
        raise ServiceError(message, reason="invalid")
    try:
        form = await request.form(max_files=4, max_fields=200, max_part_size=1 << 20)
    except (MultiPartException, UnicodeError) as error:
        message = f"the form cannot be read: {error}"
        raise ServiceError(message, reason="invalid") from error
    return nested(form.multi_items())


def nested(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Take names with brackets apart: ``a[b][c]`` into dicts, ``a[]`` into lists.

    Raises:
        ServiceError: `invalid`: a name is used as two kinds of thing, or is nested too deep.
    """
    found: dict[str, Any] = {}
    for name, value in items:
        whole = _NAME.fullmatch(name)
        path = [whole[1], *_PART.findall(whole[2])] if whole else [name]
        if len(path) > _DEEPEST:
            raise _contradicts(name)
        _put(found, path, value, name)
    return found


def _put(found: dict[str, Any], path: list[str], value: Any, name: str) -> None:  # noqa: ANN401 -- text or file
    place: dict[str, Any] = found
    is_list = len(path) > 1 and path[-1] == ""
    keys = path[:-1] if is_list else path
    if "" in keys:
        raise _contradicts(name)
    for key in keys[:-1]:
        inner = place.setdefault(key, {})
        if not isinstance(inner, dict):
            raise _contradicts(name)
        place = inner
    if is_list:
        entries = place.setdefault(keys[-1], [])
        if not isinstance(entries, list):
            raise _contradicts(name)
        entries.append(value)
    elif keys[-1] in place:
        raise _contradicts(name)
    else:
        place[keys[-1]] = value


def _contradicts(name: str) -> ServiceError:
    return ServiceError(f"the field {name[:100]!r} contradicts another", reason="invalid")


async def pieces_of(file: UploadFile) -> AsyncIterator[bytes]:
    """Read an uploaded file in pieces."""
    while piece := await file.read(_PIECE):
        yield piece
