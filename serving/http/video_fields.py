"""The fields of the OpenAI client, and of servers of its shape, as a request for a job."""

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from serving.http.problems import Refused
from worldgen.datatypes import Spec
from worldgen.wire import JobRequest

_PASSED_ON: Final = ("camera", "labels", "calibration", "priority", "deadline_seconds")


def request_of(fields: Mapping[str, Any]) -> JobRequest:
    """Make a request of a form's fields.

    `prompt` names the condition in words, unless `spec` (words, or the fields of a spec) does; then it is
    the prompt of a model that reads text. Whatever is not a field of the OpenAI client may come beside
    the others, nested, or as JSON in `extra_params`.

    Raises:
        Refused: What is missing or cannot be read, with the field's name.
    """
    said = {**_json(fields.get("extra_params"), "extra_params"), **fields}
    prompt = _text(said, "prompt")
    if not prompt and "spec" not in said:
        raise _wrong("prompt", "the prompt names the condition, such as 'heavy rain at night'")
    seed = _seed(said.get("seed", 0))
    body: dict[str, Any] = {
        "source": _source(said),
        "specs": [_spec(said, prompt, seed)],
        "model": _text(said, "model"),
        "seed": seed,
    }
    body |= {name: said[name] for name in _PASSED_ON if said.get(name) not in (None, "")}
    try:
        return JobRequest.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _wrong(where, f"{where}: {first['msg']}") from error


def _source(said: Mapping[str, Any]) -> str:
    reference = said.get("input_reference")
    if isinstance(reference, str) and reference.lstrip().startswith("{"):
        reference = _json(reference, "input_reference")
    more = _json(said.get("video_reference"), "video_reference")
    named = {**reference, **more} if isinstance(reference, Mapping) else more
    found = said.get("source") or named.get("video_url") or named.get("file_id") or reference
    if isinstance(found, Mapping) and "url" in found:
        found = found["url"]
    if isinstance(found, str) and found:
        return found
    message = "a variant is made of a clip: send it as the file input_reference, or name a source"
    raise _wrong("input_reference", message)


def _spec(said: Mapping[str, Any], prompt: str, seed: int) -> str | Spec:
    given = said.get("spec")
    if given is None:
        return prompt
    if isinstance(given, str) and not given.lstrip().startswith("{"):
        return given
    fields = {"seed": seed, **_json(given, "spec")}
    if prompt:
        fields.setdefault("prompt", prompt)
    try:
        # From text: a form's numbers are text.
        return Spec.model_validate_strings(_as_text(fields))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(("spec", *(str(part) for part in first["loc"])))
        raise _wrong(where, f"{where}: {first['msg']}") from error


def _as_text(value: Any) -> Any:  # noqa: ANN401 -- JSON
    if isinstance(value, Mapping):
        return {str(name): _as_text(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _json(value: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 -- what a form holds
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, Mapping):
        raise _wrong(name, f"{name} is a JSON object")
    return {str(key): inner for key, inner in value.items()}


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(name, f"{name} is text")
    return value.strip()


def _seed(value: Any) -> int:  # noqa: ANN401 -- what a form holds
    try:
        seed = int(str(value))
    except ValueError:
        seed = -1
    if not 0 <= seed < 2**32:
        raise _wrong("seed", "seed is a whole number from 0 to 4294967295")
    return seed


def _wrong(param: str, message: str) -> Refused:
    return Refused(message, reason="invalid", param=param)
