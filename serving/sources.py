"""Sources of jobs: from a name on the wire to a file here."""

import re
from pathlib import Path
from typing import Final

from serving.config import ServiceConfig
from worldgen.errors import ServiceError

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def resolve(config: ServiceConfig, source: str) -> Path:
    """Find a source by blob or by a path inside an allowed folder.

    Raises:
        ServiceError: Not uploaded, or outside the allowed folders.
    """
    if source.startswith("blob:"):
        name = source.removeprefix("blob:")
        if not _SHA256.fullmatch(name) or not (config.blobs / name).is_file():
            message = f"no such upload: {source}"
            raise ServiceError(message, reason="not_found", hint="PUT /v1/blobs/{sha256} first")
        return config.blobs / name
    path = Path(source).resolve()
    if not any(path.is_relative_to(root.resolve()) for root in config.source_roots):
        message = "the path is outside the folders that this server allows"
        raise ServiceError(message, reason="forbidden", hint="upload the clip, or start with --source-root")
    return path
