"""The manifest: which weights there are, where they come from, and what exactly their files hold."""

import tomllib
from pathlib import Path, PurePosixPath
from typing import Annotated, Final, TypeAlias

from pydantic import Field, ValidationError, field_validator, model_validator

from worldgen.datatypes.digest import Value
from worldgen.errors import WeightsError

Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit: TypeAlias = Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$")]

PICKLES: Final = frozenset(
    {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".msgpack", ".h5", ".jit"}
)
"""Formats that can run code when they are opened, or that nothing of ours needs: never fetched."""
ALLOWED: Final = frozenset({"", ".json", ".txt", ".md", ".jinja", ".model", ".yaml", ".yml", ".safetensors"})
"""Everything a checkpoint needs; the rest of a repository is left where it is, and code is never fetched."""

_PACKAGE: Final = Path(__file__).resolve().parent.parent


class FilePin(Value):
    """One file of a checkpoint, exactly."""

    path: str
    """Inside the repository, with forward slashes."""
    size: Annotated[int, Field(ge=0)]
    """Bytes."""
    sha256: Sha256

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        return checked_path(path)


class WeightsEntry(Value):
    """One checkpoint that some model of worldgen needs."""

    name: str
    """The world model's own name, or that of the helper that needs it."""
    title: str
    repository: str = ""
    """``owner/name`` on the hub; empty for weights that lie in `folder`."""
    folder: str = ""
    """Beside the manifest: weights that ship with worldgen."""
    revision: Commit = ""
    """A commit; empty: nobody of this project has seen the repository yet, so nothing is promised."""
    branch: str = "main"
    """Where to look when nothing is pinned."""
    license: str
    license_url: str = ""
    gated: bool = False
    """The hub asks for a licence to be accepted, by an account, before it lets anything be downloaded."""
    gigabytes: Annotated[float, Field(gt=0)]
    """Disk space of the files below, in 10^9 bytes; as stated by the publisher while not pinned."""
    memory_gib: Annotated[float, Field(ge=0)] = 0.0
    """Of a GPU, with everything resident."""
    patterns: tuple[str, ...] = ()
    """Which files of the repository, as glob patterns."""
    files: tuple[FilePin, ...] = ()
    source: str = ""
    """Where these facts were read."""
    note: str = ""

    @model_validator(mode="after")
    def _is_whole(self) -> "WeightsEntry":
        if bool(self.repository) == bool(self.folder):
            msg = f"{self.name}: exactly one of repository and folder"
            raise ValueError(msg)
        if self.repository and bool(self.revision) != bool(self.files):
            msg = f"{self.name}: a pin is a revision and the sha256 of every file, both or none"
            raise ValueError(msg)
        if self.folder and not self.files:
            msg = f"{self.name}: what ships is pinned file by file"
            raise ValueError(msg)
        if self.repository and not self.patterns:
            msg = f"{self.name}: patterns say which files are needed"
            raise ValueError(msg)
        return self

    @property
    def is_pinned(self) -> bool:
        """Whether this project has seen these very bytes."""
        return bool(self.files)

    @property
    def size_bytes(self) -> int:
        """Disk space: exact when pinned, else as stated."""
        return sum(f.size for f in self.files) if self.files else round(self.gigabytes * 1e9)


class Manifest(Value):
    """All checkpoints that worldgen knows."""

    weights: tuple[WeightsEntry, ...]

    @model_validator(mode="after")
    def _has_unique_names(self) -> "Manifest":
        names = [entry.name for entry in self.weights]
        if len(set(names)) != len(names):
            msg = "two entries have the same name"
            raise ValueError(msg)
        return self

    def entry(self, name: str) -> WeightsEntry:
        """Return one entry.

        Raises:
            WeightsError: `unknown_model`, naming those there are.
        """
        for entry in self.weights:
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in self.weights)
        message = f"there are no weights {name!r}; there are: {known}"
        raise WeightsError(message, reason="unknown_model")


def find_checkpoints() -> Path:
    """Return the folder checkpoints/: of the checkout, or of the installed wheel.

    Raises:
        WeightsError: Neither is there; the installation is broken.
    """
    for folder in (_PACKAGE.parent / "checkpoints", _PACKAGE / "_data" / "checkpoints"):
        if (folder / "manifest.toml").is_file():
            return folder
    message = f"no checkpoints/manifest.toml beside {_PACKAGE.name} and none in the installed package"
    raise WeightsError(message, reason="missing", hint="install the package again")


def load_manifest(path: Path | None = None) -> Manifest:
    """Read the manifest.

    Raises:
        WeightsError: It is missing or not valid; the message says where.
    """
    path = path or find_checkpoints() / "manifest.toml"
    try:
        return Manifest.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as exc:
        message = f"{path} is not a manifest of weights: {exc}"
        raise WeightsError(message) from exc


def checked_path(path: str) -> str:
    """Return a path of a repository that stays inside its folder, in a format that may be fetched.

    Raises:
        WeightsError: `refused_format` for pickles, code and everything else that is not on the list.
        ValueError: The path leaves the folder.
    """
    pure = PurePosixPath(path)
    parts = pure.parts
    leaves = pure.is_absolute() or ".." in parts or "\\" in path or ":" in path
    if not path or leaves or pure.as_posix() != path:
        msg = f"not a path inside a repository: {path!r}"
        raise ValueError(msg)
    suffix = pure.suffix.lower()
    if suffix not in ALLOWED or pure.name.startswith("."):
        what = "a pickle or the like" if suffix in PICKLES else "not a format that weights are read from"
        message = f"{path} is {what}; worldgen opens safetensors and plain text only"
        raise WeightsError(message, reason="refused_format")
    return path
