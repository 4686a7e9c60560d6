"""Probing: what the sources of requests are, looked at once and remembered."""

import asyncio
from collections import OrderedDict
from pathlib import Path
from typing import Final

from serving.addresses import Addresses
from serving.config import ServiceConfig
from serving.http.contract import check_source
from worldgen.datatypes import ModelProfile, Source, digest
from worldgen.errors import WorldgenError
from worldgen.sources.open import open_source, read_source_clip
from worldgen.wire import JobRequest

ADDRESSES: Final = ("source", "labels", "calibration")
"""Fields of a request that name files."""
_PROBES: Final = 512
_PROBING: Final = 2
"""Files that are probed at once; each takes a process."""


class Prober:
    """Opens sources; one per ingress replica.

    Args:
        config: Of the service.
        addresses: Finds files.
    """

    def __init__(self, config: ServiceConfig, addresses: Addresses) -> None:
        self._config = config
        self._addresses = addresses
        self._probed: OrderedDict[str, Source | WorldgenError] = OrderedDict()
        self._probing = asyncio.Semaphore(_PROBING)

    def probed(self, request: JobRequest) -> Source | None:
        """Return what is known of a request's source without looking again."""
        try:
            places = {n: getattr(request, n) for n in ADDRESSES if getattr(request, n) is not None}
            if any(self._addresses.kind(address) == "remote" for address in places.values()):
                return None
            paths = {name: self._addresses.path_of(address) for name, address in places.items()}
        except WorldgenError:
            return None
        found = self._probed.get(_name_of(request, paths))
        return found if isinstance(found, Source) else None

    async def probe(
        self,
        request: JobRequest,
        paths: dict[str, Path],
        profile: ModelProfile,
        profiles: tuple[ModelProfile, ...],
    ) -> Source:
        """Open a request's source, and hold it against the contract of a world model.

        Args:
            request: Names the files as its client does.
            paths: Where they are.
            profile: The contract.
            profiles: Of the other world models, which may fit better.

        Raises:
            BadInput: The source is none.
            Refused: It does not fit; with the nearest that would.
        """
        name = _name_of(request, paths)
        found = None if paths["source"].is_dir() else self._probed.get(name)
        if found is None:
            async with self._probing:
                # Whoever waited here may find that the one before has looked already.
                known = None if paths["source"].is_dir() else self._probed.get(name)
                found = known or await asyncio.to_thread(self._open, request, paths)
            self._probed[name] = found
            while len(self._probed) > _PROBES:
                self._probed.popitem(last=False)
        if isinstance(found, WorldgenError):
            raise found
        check_source(found, profile, profiles)
        return found

    def _open(self, request: JobRequest, paths: dict[str, Path]) -> Source | WorldgenError:
        try:
            source = open_source(
                paths["source"],
                camera=request.camera,
                labels=paths.get("labels"),
                calibration=paths.get("calibration"),
                # Nothing here needs the content's name, and reading a recording for it takes long.
                digest=lambda _: "",
            )
            size = source.frames * source.width * source.height * 3
            if source.kind == "video" and size <= self._config.http.check_decode_bytes:
                read_source_clip(source)
        except WorldgenError as error:
            return _told(error, request, paths)
        return source


def state_of(address: str, path: Path) -> str:
    """Name what an address holds now: a file of this machine may become another under the same name."""
    if address.startswith("blob:"):
        return address
    try:
        about = path.stat()
    except OSError:
        return address
    return f"{path}:{about.st_size}:{about.st_mtime_ns}"


def _name_of(request: JobRequest, paths: dict[str, Path]) -> str:
    return digest(
        request.camera, [state_of(str(getattr(request, name)), path) for name, path in paths.items()]
    )


def _told(error: WorldgenError, request: JobRequest, paths: dict[str, Path]) -> WorldgenError:
    """Say of the file what the client calls it: where uploads lie here is nobody's business."""
    message, hint = error.message, error.hint
    for name, path in paths.items():
        address = str(getattr(request, name))
        for said in (str(path), path.name):
            if not said or said == address:
                continue
            replacement = f"the {name}" if address.startswith("blob:") else address
            message, hint = message.replace(said, replacement), hint.replace(said, replacement)
    return type(error)(message, reason=error.reason, hint=hint)
