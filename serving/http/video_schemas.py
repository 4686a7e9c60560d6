"""What OpenAPI says of `/v1/videos` beyond what FastAPI sees: forms, files, errors in its shape."""

from typing import Any, Final

_OPENAI_ERROR: Final[dict[str, Any]] = {
    "description": "Refused.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["error"],
                "properties": {
                    "error": {
                        "type": "object",
                        "required": ["message", "type", "code"],
                        "properties": {
                            "message": {"type": "string"},
                            "type": {"type": "string"},
                            "code": {"type": "string"},
                            "param": {"type": ["string", "null"]},
                        },
                    }
                },
            }
        }
    },
}
ERRORS: Final[dict[int | str, dict[str, Any]]] = {"4XX": _OPENAI_ERROR, "5XX": _OPENAI_ERROR}
FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["prompt"],
                    "properties": {
                        "prompt": {"type": "string", "example": "heavy rain at night"},
                        "model": {"type": "string"},
                        "input_reference": {"type": "string", "format": "binary"},
                        "source": {"type": "string", "description": "In place of a file: as of a job."},
                        "seed": {"type": "integer"},
                        "seconds": {"type": "string"},
                        "size": {"type": "string"},
                        "extra_params": {"type": "string", "description": "JSON: spec, labels, camera..."},
                    },
                }
            }
        },
    }
}
MP4: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"video/mp4": {"schema": {"type": "string", "format": "binary"}}}, "description": "MP4."}
}
