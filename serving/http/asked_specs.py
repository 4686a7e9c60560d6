"""The specs of a request: words, presets and typed specs, as they come from outside."""

from pydantic import ValidationError

from worldgen.config.specs import parse_specs
from worldgen.datatypes import Spec
from worldgen.errors import SpecError
from worldgen.wire import JobRequest


def specs_of_request(request: JobRequest, most: int) -> tuple[Spec, ...]:
    """Read the specs of a request: words, presets and typed specs, each once; never a file.

    Raises:
        SpecError: As `parse_specs`, or too many.
    """
    specs: list[Spec] = []
    for item in request.specs:
        specs.extend((item,) if isinstance(item, Spec) else _words(item, request.seed))
        if len(specs) > 10 * most:
            break
    distinct = tuple({spec.identity: spec for spec in specs}.values())
    if len(distinct) > most:
        message = f"a job may have at most {most} specs"
        raise SpecError(message, reason="out_of_range", hint="send several jobs")
    return distinct


def _words(text: str, seed: int) -> tuple[Spec, ...]:
    if len(text) > 4000 or text.strip().lower().endswith((".yaml", ".yml", ".json")):
        message = "a spec is words, a preset's name, or a typed spec; files are read by clients"
        raise SpecError(message, reason="unknown_word")
    try:
        return parse_specs(text, seed=seed)
    except ValidationError as error:
        message = f"a spec cannot be read: {error.errors()[0]['msg']}"
        raise SpecError(message, reason="out_of_range") from error
