"""Fetch a checkpoint: resumable, only what is pinned or trusted on purpose, every file verified."""

import fnmatch
import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from worldgen.errors import WeightsError, disk_errors
from worldgen.weights import hub
from worldgen.weights.manifest import PICKLES, FilePin, Manifest, WeightsEntry, checked_path, load_manifest
from worldgen.weights.store import (
    Receipt,
    Store,
    Tell,
    read_receipt,
    sha256_of_file,
    size_of,
    stamp,
    tell_nobody,
    write_receipt,
)
from worldgen.weights.verify import Standing, refuse_pickles, standing_of

_ROOM: Final = 1 << 30
"""Bytes that must be left on the disk afterwards."""
_PLAN: Final = ".worldgen.json"
"""In a partial folder: what is being fetched, so that a resumed fetch stays at the same commit."""


def pull(
    name: str,
    *,
    trust_first_use: bool = False,
    manifest: Manifest | None = None,
    store: Store | None = None,
    tell: Tell = tell_nobody,
) -> Standing:
    """Fetch a checkpoint and verify it; what is whole already is left as it is.

    Killed or cut off at any point, the same call goes on where it stopped. Nothing appears under its name in
    the store before every file has the sha256 that it must have.

    Args:
        name: As in the manifest.
        trust_first_use: Take weights that the manifest does not pin as they are now, and hold this machine to
            them from then on.
        manifest: By default the one that ships.
        store: By default that of this user.
        tell: Called with a file's name, its bytes done and in all; may raise to stop.

    Raises:
        WeightsError: `unpinned` without `trust_first_use`; `gated`, `not_found`, `offline`, `unreachable`;
            `damaged` when a file has another sha256; `refused_format` when there are only pickles;
            `disk_full`; `busy` while another process fetches it.
    """
    entry = (manifest or load_manifest()).entry(name)
    store = store or Store()
    standing = standing_of(entry, store)
    if standing.state in ("ships", "installed"):
        return standing
    if not entry.is_pinned and not trust_first_use:
        raise _unpinned(entry)
    if hub.is_offline():
        raise hub.offline(entry)
    with store.alone(name):
        partial = store.partial(name)
        plan, expected = _plan(entry, partial)
        _check_room(entry, expected, store, partial)
        pins = tuple(_fetched(entry, plan.revision, file, partial, tell) for file in expected)
        receipt = plan.model_copy(
            update={
                "files": pins,
                "trust": "manifest" if entry.is_pinned else "first_use",
                "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
        _publish(store, name, receipt, partial)
    return standing_of(entry, store)


def pin_of(name: str, *, manifest: Manifest | None = None, store: Store | None = None) -> str:
    """Write what this machine took on first use as lines of the manifest, for a person to check and commit.

    Raises:
        WeightsError: `missing` when it was not fetched.
    """
    entry = (manifest or load_manifest()).entry(name)
    receipt = (store or Store()).receipt(entry.name)
    if receipt is None:
        message = f"{name} was not fetched, so there is nothing to pin"
        raise WeightsError(message, reason="missing", hint=f"worldgen models pull {name} --trust-first-use")
    return f'revision = "{receipt.revision}"\n{_lines(receipt.files)}'


def pin_of_folder(folder: Path) -> str:
    """Write the files of a folder as lines of the manifest: for weights that ship beside it.

    Raises:
        WeightsError: `refused_format` when it holds anything but safetensors and plain text.
    """
    refuse_pickles(folder)
    found = sorted(p for p in folder.rglob("*") if p.is_file())
    return _lines(
        tuple(
            FilePin(path=p.relative_to(folder).as_posix(), size=p.stat().st_size, sha256=sha256_of_file(p))
            for p in found
        )
    )


def _lines(files: tuple[FilePin, ...]) -> str:
    rows = (f'  {{ path = "{f.path}", size = {f.size}, sha256 = "{f.sha256}" }},' for f in files)
    return "\n".join(("files = [", *rows, "]"))


def _plan(entry: WeightsEntry, partial: Path) -> tuple[Receipt, tuple[hub.RemoteFile, ...]]:
    """Decide the commit and the files; an earlier start of the same fetch is continued at its commit."""
    earlier = read_receipt(partial / _PLAN)
    commit = entry.revision or (earlier.revision if earlier else "")
    if entry.is_pinned:
        files = tuple(
            hub.RemoteFile(path=f.path, size=f.size, sha256=f.sha256, git_sha1="") for f in entry.files
        )
    else:
        commit, listed = hub.list_files(entry, commit or entry.branch)
        files = _wanted(entry, listed)
    plan = Receipt(
        repository=entry.repository,
        revision=commit,
        endpoint=hub.endpoint(),
        trust="first_use",
        fetched="",
        files=entry.files,
    )
    if earlier is not None and earlier.revision != commit:
        shutil.rmtree(partial)
    write_receipt(partial / _PLAN, plan)
    return plan, files


def _wanted(entry: WeightsEntry, listed: tuple[hub.RemoteFile, ...]) -> tuple[hub.RemoteFile, ...]:
    """Choose the files that the patterns name; pickles and code are never among them."""
    named = [f for f in listed if any(fnmatch.fnmatchcase(f.path, p) for p in entry.patterns)]
    safe, refused = [], []
    for file in named:
        try:
            checked_path(file.path)
        except (WeightsError, ValueError):
            refused.append(file.path)
        else:
            safe.append(file)
    if not any(f.path.endswith(".safetensors") for f in safe):
        pickles = [p for p in refused if Path(p).suffix.lower() in PICKLES]
        if pickles:
            message = f"{entry.repository} offers only {', '.join(pickles[:4])}: pickles are never fetched"
            raise WeightsError(message, reason="refused_format")
        message = f"{entry.repository} has no *.safetensors among {', '.join(entry.patterns)}"
        raise WeightsError(message, reason="not_found")
    return tuple(sorted(safe, key=lambda f: f.path))


def _check_room(entry: WeightsEntry, files: tuple[hub.RemoteFile, ...], store: Store, partial: Path) -> None:
    whole = sum(f.size for f in files)
    needed = max(0, whole - size_of(partial)) + _ROOM
    free = store.free_bytes()
    if free < needed:
        message = (
            f"{entry.name} needs {whole / 1e9:.1f} GB and 1 GB to spare, "
            f"{free / 1e9:.1f} GB are free in {store.root}"
        )
        raise WeightsError(message, reason="disk_full", hint="WORLDGEN_WEIGHTS names another place")


def _fetched(entry: WeightsEntry, commit: str, file: hub.RemoteFile, partial: Path, tell: Tell) -> FilePin:
    """Fetch one file unless it is there and right; continued and found wrong, it is fetched anew once."""
    done = partial / file.path
    part = done.with_name(done.name + ".part")
    if done.is_file() and (sha256 := _right(done, file)):
        tell(file.path, file.size, file.size)
        return FilePin(path=file.path, size=file.size, sha256=sha256)
    continued = hub.fetch_file(entry, commit, file.path, file.size, part, tell)
    sha256 = _right(part, file)
    if not sha256 and continued:
        part.unlink()
        hub.fetch_file(entry, commit, file.path, file.size, part, tell)
        sha256 = _right(part, file)
    if not sha256:
        found = sha256_of_file(part)
        part.unlink()
        message = (
            f"{file.path} of {entry.repository} has sha256 {found[:16]}..., "
            f"not the {(file.sha256 or file.git_sha1)[:16]}... that it must have; it was deleted"
        )
        hint = "a damaged transfer, a wrong mirror, or somebody changed the file: do not use it"
        raise WeightsError(message, reason="damaged", hint=hint)
    with disk_errors(part.parent):
        part.replace(done)
    return FilePin(path=file.path, size=file.size, sha256=sha256)


def _right(path: Path, file: hub.RemoteFile) -> str:
    """Return the sha256 of a file that is what it should be, else nothing."""
    if path.stat().st_size != file.size:
        return ""
    sha256 = sha256_of_file(path)
    if file.sha256:
        return sha256 if sha256 == file.sha256 else ""
    if not file.git_sha1:
        return ""
    # Small files are named by git: sha1 of a header and the content (they hold no weights).
    content = path.read_bytes()
    git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return sha256 if git == file.git_sha1 else ""


def _publish(store: Store, name: str, receipt: Receipt, partial: Path) -> None:
    """Move the verified files to their name, then write the receipt that makes them count."""
    folder = store.folder(name)
    with disk_errors(store.root):
        (store.root / f"{name}.json").unlink(missing_ok=True)
        if folder.exists():
            shutil.rmtree(folder)
        (partial / _PLAN).unlink(missing_ok=True)
        keep = {f.path for f in receipt.files}
        for stray in [p for p in partial.rglob("*") if p.is_file()]:
            if stray.relative_to(partial).as_posix() not in keep:
                stray.unlink()
        partial.replace(folder)
    seen = {f.path: stamp(folder / f.path) for f in receipt.files}
    store.write_receipt(name, receipt.model_copy(update={"seen": seen}))


def _unpinned(entry: WeightsEntry) -> WeightsError:
    message = (
        f"{entry.name} is not pinned: this project has not seen {entry.repository}, so it cannot promise "
        "what its files hold"
    )
    hint = (
        f"worldgen models pull {entry.name} --trust-first-use takes what is there now, checks it against the "
        "hub's own digests, and holds this machine to it from then on"
    )
    return WeightsError(message, reason="unpinned", hint=hint)
