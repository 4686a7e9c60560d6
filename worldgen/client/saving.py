"""Variants on this machine's disk, in the layout of the catalogue: ``out/variants/<what>-<id>/``.

A folder appears under its name when all its files are there and have the sha256 that `variant.json` says, so
that `worldgen report` and a second download can rely on it.
"""

import json
import os
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from worldgen.client.downloads import download
from worldgen.client.http import Http
from worldgen.datatypes.naming import folder_name
from worldgen.datatypes.spec import Spec
from worldgen.errors import OutputError, ServiceError, disk_errors
from worldgen.wire import VariantLine

RECORD: Final = "variant.json"
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,120}")


def file_path(variant_id: str, name: str) -> str:
    """Return where a variant's file is on the server."""
    return f"/v1/variants/{variant_id}/files/{name}"


async def save(http: Http, line: VariantLine, out: Path) -> Path:
    """Fetch all files of a variant; what is here already is not fetched again.

    Args:
        http: The server.
        line: The variant.
        out: Folder of results.

    Returns:
        The variant's folder.

    Raises:
        ServiceError: The server refused, was out of reach for too long, or sent other content.
        OutputError: `not_a_folder`, `disk_full`, `not_writable`.
    """
    strange = [name for name in (*line.files, line.id) if not _NAME.fullmatch(name)]
    if strange:
        message = f"the server names a file {strange[0]!r}, which is no plain name"
        raise ServiceError(message, reason="bad_answer")
    place = find(out, line.id)
    if place is not None:
        return place
    with disk_errors(out):
        folder = await http.connection.work(partial(_prepare, out, line.id))
        digests = await _digests(http, line, folder)
        for name in line.files:
            if name != RECORD:
                await _fetch(http, line.id, folder / name, digests.get(name))
        place = out / "variants" / _folder_name(line, folder / RECORD)
        await http.connection.work(partial(_commit, folder, place, line.files))
    return find(out, line.id) or place


def find(out: Path, variant_id: str) -> Path | None:
    """Find a variant that is here already, whatever its folder is called."""
    for folder in sorted((out / "variants").glob(f"*-{variant_id[:12]}")):
        if _read_json(folder / RECORD).get("id") == variant_id:
            return folder
    return None


async def _digests(http: Http, line: VariantLine, folder: Path) -> dict[str, str]:
    """Fetch the record, which holds the sha256 of every other file."""
    if RECORD not in line.files:
        return {}
    await _fetch(http, line.id, folder / RECORD, None)
    files = _read_json(folder / RECORD).get("files")
    return {str(k): str(v) for k, v in files.items()} if isinstance(files, dict) else {}


async def _fetch(http: Http, variant_id: str, target: Path, sha256: str | None) -> None:
    is_here = sha256 is not None and await http.connection.work(target.exists)
    if not is_here:
        await download(http, file_path(variant_id, target.name), target, sha256=sha256)


def _prepare(out: Path, variant_id: str) -> Path:
    if out.exists() and not out.is_dir():
        message = f"{out} is a file; results need a folder"
        raise OutputError(message, reason="not_a_folder")
    folder = out / ".partial" / f"download-{variant_id}"
    folder.mkdir(parents=True, exist_ok=True)
    (out / "variants").mkdir(exist_ok=True)
    return folder


def _commit(folder: Path, place: Path, names: tuple[str, ...]) -> None:
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()
    try:
        os.rename(folder, place)  # noqa: PTH104 -- fails where another process was faster, as it should
    except OSError:
        if not (place / RECORD).exists():
            raise
        shutil.rmtree(folder, ignore_errors=True)


def _folder_name(line: VariantLine, record: Path) -> str:
    try:
        spec = Spec.model_validate(_read_json(record).get("spec"), extra="ignore")
    except ValidationError:
        slug = re.sub(r"[^a-z0-9]+", "-", line.spec.lower()).strip("-")[:60] or "variant"
        return f"{slug}-{line.id[:12]}"
    return folder_name(line.id, spec)


def _read_json(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
