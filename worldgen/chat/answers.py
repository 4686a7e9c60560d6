"""Reading what language models answer: JSON among thoughts, fences and politeness."""

import json
import re
from typing import Any

from worldgen.errors import ServiceError


def json_in(answer: str) -> dict[str, Any]:
    """Return the JSON object in an answer: without thoughts (``<think>``), code fences and words around it.

    Raises:
        ServiceError: `bad_answer` when there is none.
    """
    text = re.sub(r"<think>.*?</think>", "", answer, flags=re.DOTALL)
    text = text.rsplit("</think>", 1)[-1]
    fenced = re.search(r"```(?:json)?\s*(\{.*\})\s*```", text, flags=re.DOTALL)
    if fenced:
        text = fenced.group(1)
    begin, end = text.find("{"), text.rfind("}")
    try:
        found = json.loads(text[begin : end + 1]) if begin >= 0 else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        message = f"the answer holds no JSON object: {answer.strip()[:120]!r}"
        raise ServiceError(message, reason="bad_answer")
    return found
