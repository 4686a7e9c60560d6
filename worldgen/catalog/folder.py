"""A variant's folder: what is in it, how it is filled, how it is read back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from worldgen.catalog.files import copy_file, sha256_of, write_json
from worldgen.catalog.record import Record
from worldgen.catalog.verify import verify_video, write_thumbnail
from worldgen.datatypes import Variant, digest
from worldgen.errors import PublishError
from worldgen.media.failpoint import failpoint

Writer: TypeAlias = Callable[[Path], object]
"""Writes one more file of a variant; given by the caller, because label formats belong to sources."""

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A variant in the catalogue."""

    folder: Path
    record: Record
    is_new: bool
    """False when it was there before, or another process was faster."""

    @property
    def id(self) -> str:
        """The variant's id."""
        return self.record.id

    @property
    def video(self) -> Path | None:
        """The file that users get; None when a guardrail blocked it."""
        return self.folder / "variant.mp4" if "variant.mp4" in self.record.files else None

    @property
    def thumbnail(self) -> Path | None:
        """A small JPEG of the middle frame."""
        return self.folder / "thumbnail.jpg" if "thumbnail.jpg" in self.record.files else None

    @property
    def labels(self) -> dict[str, Path]:
        """File name -> path of every labels file."""
        return {n: self.folder / n for n in sorted(self.record.files) if n.startswith("labels")}

    @property
    def provenance(self) -> Path:
        """Where the variant came from."""
        return self.folder / "provenance.json"


def fill_folder(partial: Path, variant: Variant, writers: Mapping[str, Writer]) -> Record:
    """Write every file of a variant; its video is verified by decoding the copy.

    Raises:
        PublishError: `verification`.
        OSError: What the file system refuses.
    """
    candidate = variant.candidate
    if not candidate.blocked:
        copy_file(Path(candidate.video.uri), partial / "variant.mp4")
        failpoint("publish.after_copy")
        write_thumbnail(partial / "thumbnail.jpg", verify_video(partial / "variant.mp4", candidate.video))
        video = candidate.video.model_copy(update={"uri": "variant.mp4"})
        candidate = candidate.model_copy(update={"video": video})
    write_json(partial / "verdict.json", variant.verdict)
    write_json(partial / "provenance.json", variant.provenance)
    if variant.labels is not None:
        write_json(partial / "labels.json", variant.labels)
    for name, write in writers.items():
        write(partial / name)
    failpoint("publish.after_files")
    record = Record(
        id=variant.id,
        spec=variant.spec,
        candidate=candidate,
        state=variant.verdict.state,
        model=variant.provenance.model,
        revision=variant.provenance.revision,
        source_sha256=variant.provenance.source_sha256,
        labels_digest=_labels_digest(variant),
        created=variant.provenance.created,
        files={path.name: sha256_of(path) for path in sorted(partial.iterdir())},
    )
    write_json(partial / "variant.json", record)
    return record


def difference(record: Record, variant: Variant) -> str:
    """Name what a published variant holds that this one does not; empty when they are the same."""
    if record.id != variant.id:
        return "another id"
    if record.candidate.video.sha256 != variant.candidate.video.sha256:
        return "another video"
    return "" if record.labels_digest == _labels_digest(variant) else "other labels"


def _labels_digest(variant: Variant) -> str:
    return "" if variant.labels is None else digest(variant.labels)


def read_value(path: Path, kind: type[M]) -> M:
    """Read a JSON file as a value.

    Raises:
        PublishError: `damaged`.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as exc:
        message = f"{path} cannot be read as {kind.__name__}: {exc}"
        raise PublishError(message, reason="damaged") from exc
