"""From a name to a folder whose files are what they should be."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from worldgen.datatypes import digest
from worldgen.errors import WeightsError
from worldgen.weights.manifest import (
    PICKLES,
    FilePin,
    Manifest,
    WeightsEntry,
    find_checkpoints,
    load_manifest,
)
from worldgen.weights.store import (
    Receipt,
    Store,
    Tell,
    pins_of,
    sha256_of_file,
    size_of,
    stamp,
    tell_nobody,
)

State = Literal["ships", "installed", "partial", "missing", "outdated"]

_SAFE: Final = ".safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one checkpoint stands on this machine; found without reading its files."""

    entry: WeightsEntry
    state: State
    pinned_by: Literal["manifest", "first_use", ""]
    bytes_here: int
    folder: Path
    fetched: str = ""


def standing_of(entry: WeightsEntry, store: Store | None = None) -> Standing:
    """Say whether a checkpoint is here, whole, and by whose word."""
    if entry.folder:
        folder = find_checkpoints() / entry.folder
        state: State = "ships" if all((folder / f.path).is_file() for f in entry.files) else "missing"
        return Standing(
            entry=entry, state=state, pinned_by="manifest", bytes_here=size_of(folder), folder=folder
        )
    store = store or Store()
    receipt = store.receipt(entry.name)
    folder = store.folder(entry.name)
    here = size_of(folder) + size_of(store.partial(entry.name))
    pinned: Literal["manifest", "first_use", ""] = (
        "manifest" if entry.is_pinned else receipt.trust if receipt else ""
    )
    return Standing(
        entry=entry,
        state=_state(entry, receipt, folder, here),
        pinned_by=pinned,
        bytes_here=here,
        folder=folder,
        fetched=receipt.fetched if receipt else "",
    )


def find(name: str, *, manifest: Manifest | None = None, store: Store | None = None) -> Path:
    """Return the folder of a checkpoint, every file of which is what it should be.

    A file whose size and time are those of its last verification is not read again.

    Args:
        name: As in the manifest; a world model's own name.
        manifest: By default the one that ships.
        store: By default that of this user.

    Raises:
        WeightsError: `unknown_model`; `missing` with the command to run and the size on disk; `damaged`
            when a file is not what it should be; `changed` when the manifest pins another revision now.
    """
    entry = (manifest or load_manifest()).entry(name)
    store = store or Store()
    standing = standing_of(entry, store)
    if standing.state in ("missing", "partial"):
        raise missing(entry, standing)
    if entry.folder:
        check_files(standing.folder, entry.files)
        return standing.folder
    receipt = store.receipt(name)
    if standing.state == "outdated" or receipt is None:
        message = f"the weights of {name} here are of another revision than the manifest pins"
        raise WeightsError(message, reason="changed", hint=f"worldgen models pull {name}")
    changed = [f for f in receipt.files if stamp(standing.folder / f.path) != receipt.seen.get(f.path)]
    if changed:
        check_files(standing.folder, tuple(changed), name=name)
        _remember(store, name, receipt, standing.folder)
    return standing.folder


def checkpoint_of(name: str, *, manifest: Manifest | None = None, store: Store | None = None) -> str:
    """Name a checkpoint by what its files hold, without reading them: ``name@`` and 16 hexadecimal digits.

    The digest is that of every file's pinned sha256, which `find` holds the files to. So it does not change
    when what was trusted on first use is pinned later, and changes with any byte.

    Args:
        name: As in the manifest.
        manifest: By default the one that ships.
        store: By default that of this user.

    Returns:
        Empty when nobody has seen the files yet: not pinned, and not on this machine.

    Raises:
        WeightsError: `unknown_model`, or `damaged` for a receipt that cannot be read.
    """
    entry = (manifest or load_manifest()).entry(name)
    receipt = None if entry.is_pinned else (store or Store()).receipt(name)
    files = sorted((f.path, f.sha256) for f in pins_of(entry, receipt))
    return f"{name}@{digest(files)[:16]}" if files else ""


def verify(
    name: str, *, manifest: Manifest | None = None, store: Store | None = None, tell: Tell = tell_nobody
) -> Standing:
    """Read every file of a checkpoint and compare its sha256 with the pin.

    Raises:
        WeightsError: As `find`; every damaged or missing file is named.
    """
    entry = (manifest or load_manifest()).entry(name)
    store = store or Store()
    standing = standing_of(entry, store)
    if standing.state in ("missing", "partial"):
        raise missing(entry, standing)
    receipt = store.receipt(name) if entry.repository else None
    check_files(standing.folder, pins_of(entry, receipt), name=name, tell=tell)
    if receipt is not None and receipt.files == pins_of(entry, receipt):
        _remember(store, name, receipt, standing.folder)
    return standing


def check_files(
    folder: Path, files: tuple[FilePin, ...], *, name: str = "", tell: Tell = tell_nobody
) -> None:
    """Compare files with their pins.

    Raises:
        WeightsError: `incomplete` or `damaged`, naming every file that is wrong.
    """
    absent = [f.path for f in files if not (folder / f.path).is_file()]
    again = f"worldgen models pull {name}" if name else ""
    if absent:
        message = f"{folder} lacks {', '.join(absent)}"
        raise WeightsError(message, reason="incomplete", hint=again)
    wrong = []
    for file in files:
        path = folder / file.path
        size = path.stat().st_size
        if size != file.size:
            wrong.append(f"{file.path} holds {size} bytes instead of {file.size}")
        elif (found := sha256_of_file(path, tell)) != file.sha256:
            wrong.append(f"{file.path} has sha256 {found[:16]}... instead of {file.sha256[:16]}...")
    if wrong:
        message = f"damaged weights in {folder}: {'; '.join(wrong)}"
        hint = f"worldgen models remove {name}, then pull it again" if name else ""
        raise WeightsError(message, reason="damaged", hint=hint)


def missing(entry: WeightsEntry, standing: Standing) -> WeightsError:
    """Make the error for weights that are not here: what to run, how much space it takes, what to accept."""
    part = f"; {_gigabytes(standing.bytes_here)} of it are here" if standing.state == "partial" else ""
    message = (
        f"the weights of {entry.name} are not on this machine "
        f"({_gigabytes(entry.size_bytes)} on disk, from {entry.repository or entry.folder}{part})"
    )
    gate = f"; first accept the licence at {entry.license_url}" if entry.gated else ""
    return WeightsError(message, reason="missing", hint=f"worldgen models pull {entry.name}{gate}")


def refuse_pickles(folder: Path) -> None:
    """Refuse a folder of weights, the user's own too, that holds anything but safetensors and plain text.

    Raises:
        WeightsError: `refused_format` naming the files, `missing` when there are no safetensors at all.
    """
    found = [p for p in folder.rglob("*") if p.is_file()]
    pickles = sorted(str(p.relative_to(folder)) for p in found if p.suffix.lower() in PICKLES)
    if pickles:
        message = f"{folder} holds {', '.join(pickles[:5])}: pickles and the like are never opened"
        hint = "keep safetensors only: convert what you trust, and move the rest away"
        raise WeightsError(message, reason="refused_format", hint=hint)
    if not any(p.suffix == _SAFE for p in found):
        message = f"{folder} holds no *.safetensors"
        raise WeightsError(message, reason="missing")


def _state(entry: WeightsEntry, receipt: Receipt | None, folder: Path, here: int) -> State:
    if receipt is None:
        return "partial" if here else "missing"
    if not all((folder / f.path).is_file() for f in receipt.files):
        return "partial" if here else "missing"
    if entry.is_pinned and (entry.revision, entry.files) != (receipt.revision, receipt.files):
        return "outdated"
    return "installed"


def _remember(store: Store, name: str, receipt: Receipt, folder: Path) -> None:
    seen = {f.path: stamp(folder / f.path) for f in receipt.files}
    if seen != receipt.seen:
        store.write_receipt(name, receipt.model_copy(update={"seen": seen}))


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
