"""The store: where fetched weights lie on this machine, and what is known of them."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from worldgen.datatypes.digest import Value
from worldgen.errors import WeightsError, disk_errors
from worldgen.weights.manifest import FilePin, WeightsEntry

_BLOCK: Final = 8 << 20

Tell = Callable[[str, int, int], None]
"""Called with a file's name, its bytes done and its bytes in all."""


def tell_nobody(file: str, done: int, total: int) -> None:
    """Report to nobody."""
    del file, done, total


class Receipt(Value):
    """What was fetched, from where, and why it is trusted. Lies beside the folder as ``<name>.json``."""

    repository: str
    revision: str
    endpoint: str
    trust: Literal["manifest", "first_use"]
    """Pinned by the project, or taken as it was when this machine first saw it."""
    fetched: str
    """ISO 8601, UTC."""
    files: tuple[FilePin, ...]
    seen: dict[str, tuple[int, int]] = Field(default_factory=dict)
    """Size and modification time (ns) of each file when its sha256 was last found right."""


class Store:
    """A folder with one folder per checkpoint.

    Args:
        root: The folder; by default ``$WORLDGEN_WEIGHTS``, else worldgen/weights in the user's cache.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or default_root()

    def folder(self, name: str) -> Path:
        """Where a checkpoint lies, or will lie."""
        return self.root / name

    def partial(self, name: str) -> Path:
        """Where a checkpoint lies while it is being fetched."""
        return self.root / f"{name}.partial"

    def receipt(self, name: str) -> Receipt | None:
        """Read what is known of a checkpoint; None when it was never fetched whole.

        Raises:
            WeightsError: `damaged` when the receipt cannot be read.
        """
        return read_receipt(self.root / f"{name}.json")

    def write_receipt(self, name: str, receipt: Receipt) -> None:
        """Write what is known, in one step."""
        write_receipt(self.root / f"{name}.json", receipt)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Hold a checkpoint's place, so that no two processes write into it; a killed holder lets go.

        Raises:
            WeightsError: `busy` when another process holds it.
        """
        with disk_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            lock = (self.root / f".{name}.lock").open("w")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                message = f"another process is fetching or removing {name}"
                raise WeightsError(message, reason="busy", hint="wait for it, then run again") from exc
            yield

    def remove(self, name: str) -> int:
        """Delete a checkpoint and what was fetched of it; return the bytes freed.

        Raises:
            WeightsError: `busy` while another process fetches it.
        """
        if not self.root.is_dir():
            return 0
        with self.alone(name):
            freed = 0
            for folder in (self.folder(name), self.partial(name)):
                freed += size_of(folder)
                if folder.is_symlink():
                    folder.unlink()
                elif folder.exists():
                    shutil.rmtree(folder)
            (self.root / f"{name}.json").unlink(missing_ok=True)
            return freed

    def free_bytes(self) -> int:
        """Space left where the store lies."""
        place = self.root
        while not place.exists():
            place = place.parent
        return shutil.disk_usage(place).free


def default_root() -> Path:
    """Return ``$WORLDGEN_WEIGHTS``, else worldgen/weights in the user's cache folder."""
    named = os.environ.get("WORLDGEN_WEIGHTS")
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "worldgen" / "weights"


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder; 0 when it is not there."""
    return sum(p.lstat().st_size for p in folder.rglob("*") if not p.is_dir()) if folder.is_dir() else 0


def sha256_of_file(path: Path, tell: Tell = tell_nobody) -> str:
    """Return a file's sha256, reporting as it goes."""
    total, done = path.stat().st_size, 0
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            state.update(block)
            done += len(block)
            tell(path.name, done, total)
    return state.hexdigest()


def stamp(path: Path) -> tuple[int, int]:
    """Return size and modification time in nanoseconds."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def read_receipt(path: Path) -> Receipt | None:
    """Read a receipt; None when there is none."""
    try:
        return Receipt.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as exc:
        message = f"{path} cannot be read: {exc}"
        hint = f"worldgen models remove {path.stem}, then pull it again"
        raise WeightsError(message, reason="damaged", hint=hint) from exc


def write_receipt(path: Path, receipt: Receipt) -> None:
    """Write a receipt beside its place and rename it, so that no reader sees half of it."""
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(receipt.model_dump(mode="json"), file, indent=1, sort_keys=True)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def pins_of(entry: WeightsEntry, receipt: Receipt | None) -> tuple[FilePin, ...]:
    """Return what the files must be: the manifest's word, else that of the first use."""
    return entry.files or (receipt.files if receipt else ())
