"""Addresses: what a request may name as a source, labels or calibration, and the file it stands for.

blob:<sha256>       an upload
https://..., s3://  fetched, where it is allowed
anything else       a path inside an allowed folder of this machine
"""

import re
from pathlib import Path
from typing import Final, Literal, TypeAlias

from serving.config import ServiceConfig
from serving.fetching import Fetcher
from worldgen.errors import ServiceError

Kind: TypeAlias = Literal["blob", "remote", "path"]
_BLOB: Final = re.compile(r"blob:([0-9a-f]{64})")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class Addresses:
    """Finds the files behind addresses; for the ingress and for runners.

    Args:
        config: Folders, and where sources may come from.
    """

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self.fetcher = Fetcher(config.http, config.blobs, config.max_upload_bytes)

    def kind(self, address: str) -> Kind:
        """Say what an address is.

        Raises:
            ServiceError: `invalid`: none of the three.
        """
        if _BLOB.fullmatch(address):
            return "blob"
        if address.startswith(("https://", "s3://")):
            return "remote"
        if not address or "\0" in address or len(address) > 4096 or _SCHEME.match(address):
            message = "a source is blob:<sha256>, an https or s3 address, or a path that this server allows"
            raise ServiceError(message, reason="invalid")
        return "path"

    def path_of(self, address: str) -> Path:
        """Find the file or folder of an upload or a path; a remote source is fetched first.

        Raises:
            ServiceError: `not_found` for what was never uploaded, `forbidden` for a path outside the allowed
                folders or a place that may not be fetched from, `invalid` for anything else.
            SourceError: A remote source cannot be fetched.
        """
        kind = self.kind(address)
        if kind == "remote":
            return self._config.blobs / self.fetcher.fetch(address).sha256
        if kind == "blob":
            path = self._config.blobs / address.removeprefix("blob:")
            if not path.is_file():
                message = f"no such upload: {address}"
                raise ServiceError(message, reason="not_found", hint="PUT /v1/blobs/{sha256} first")
            return path
        try:
            path = Path(address).resolve()
        except (OSError, RuntimeError) as error:
            message = "this is no path"
            raise ServiceError(message, reason="invalid") from error
        if not any(path.is_relative_to(root.resolve()) for root in self._config.source_roots):
            # The same answer whether or not something is there.
            message = "the path is outside the folders that this server allows"
            hint = "upload the clip, or start with --source-root"
            raise ServiceError(message, reason="forbidden", hint=hint)
        return path
