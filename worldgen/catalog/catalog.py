"""The catalogue: where results are published by one function and found again by name.

    out/
      catalog.json                         the version of this layout
      variants/<what>-<id>/                one per variant, written once, never changed
      failures/<id>.json                   specs without a variant; replaced by a later success
      sources/<sha256>/                    the source, also as a browser plays it
      audits/<id>/                         what people said, one file per decision
      .partial/                            unfinished; swept

The folder of a variant is its own index: a look-up by id is one listing, and there is no table that could
disagree with the files.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from worldgen.catalog.files import commit_folder, partial_folder, replace_json, sha256_of, sweep
from worldgen.catalog.folder import Published, Writer, difference, fill_folder, read_value
from worldgen.catalog.record import FORMAT_VERSION, Record
from worldgen.catalog.sources import SourceShelf
from worldgen.datatypes import Audit, Failure, Labels, Provenance, Source, Variant, Verdict, digest
from worldgen.datatypes.naming import folder_name
from worldgen.errors import OutputError, PublishError, boundary, disk_errors

_MARK: Final = "worldgen-catalog"


class Catalog:
    """Results in a folder. Safe for many processes; opening one writes nothing.

    Args:
        root: The folder; made by the first thing that is written.

    Raises:
        OutputError: `not_a_folder`, or `other_version` when the folder holds another layout.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sources = SourceShelf(root / "sources", partial=root / ".partial")
        self._variants = root / "variants"
        self._failures = root / "failures"
        self._audits = root / "audits"
        self._is_prepared = False
        if root.exists() and not root.is_dir():
            message = f"{root} is a file; results need a folder"
            raise OutputError(message, reason="not_a_folder")
        self._check_version()

    def publish(
        self, variant: Variant, source: Source, *, writers: Mapping[str, Writer] | None = None
    ) -> Published:
        """Put a variant into the catalogue, exactly once, whole or not at all.

        The folder is filled under a temporary name, the copied video is decoded to its last frame, counted
        and compared with its digest, everything is flushed, and one rename commits it. A kill at any point
        before leaves nothing to be found; after it, a second call finds the same result. Rejected variants
        are kept like all others. The candidate's own file is left where it is.

        Args:
            variant: Judged, whatever the verdict.
            source: What it was made from.
            writers: File name such as `labels.coco.json` -> what writes it.

        Raises:
            PublishError: `verification` when the file is not what was generated; `conflict` when the same
                id holds other content.
            OutputError: `disk_full`, `not_writable`; nothing half-written is left.
        """
        with boundary(PublishError, f"publish variant {variant.id}"), disk_errors(self.root):
            self._prepare()
            known = self.find(variant.id)
            place = known.folder if known else self._variants / folder_name(variant.id, variant.spec)
            if place.exists():
                return self._existing(place, variant)
            self._keep_source(source, variant)
            with partial_folder(self.root / ".partial", variant.id[:12]) as partial:
                record = fill_folder(partial, variant, writers or {})
                is_new = commit_folder(partial, place)
            if not is_new:
                return self._existing(place, variant)
            (self._failures / f"{variant.id}.json").unlink(missing_ok=True)
            return Published(folder=place, record=record, is_new=True)

    def record_failure(self, failure: Failure, source: Source | None = None) -> Path:
        """Record that a spec has no variant, and why; a later variant or failure replaces it.

        With a source, `details` get its name and digest, so that the report can say whose failure it is.

        Raises:
            OutputError: `disk_full`, `not_writable`.
        """
        with boundary(PublishError, f"record failure {failure.id}"), disk_errors(self.root):
            self._prepare()
            if source is not None:
                self.sources.keep(source, None)
                whose = {"source_uri": source.uri, "source_sha256": source.sha256}
                failure = failure.model_copy(update={"details": {**failure.details, **whose}})
            path = self._failures / f"{failure.id}.json"
            if self.find(failure.id) is None:
                replace_json(path, failure)
            return path

    def find(self, variant_id: str) -> Published | None:
        """Look a variant up by name; nothing is decoded and no index has to be read."""
        for folder in self._variants.glob(f"*-{variant_id[:12]}"):
            record = read_value(folder / "variant.json", Record)
            if record.id == variant_id:
                return Published(folder=folder, record=record, is_new=False)
        return None

    def load(self, variant_id: str) -> Variant:
        """Read a variant back; its video's `uri` is where it is now.

        Raises:
            PublishError: `not_found`, or `damaged` when a file is missing or was changed by hand.
        """
        found = self.find(variant_id)
        if found is None:
            message = f"no variant {variant_id} in {self.root}"
            raise PublishError(message, reason="not_found")
        candidate = found.record.candidate
        if found.video is not None:
            video = candidate.video.model_copy(update={"uri": str(found.video)})
            candidate = candidate.model_copy(update={"video": video})
        has_labels = "labels.json" in found.record.files
        return Variant(
            id=variant_id,
            spec=found.record.spec,
            candidate=candidate,
            verdict=read_value(found.folder / "verdict.json", Verdict),
            labels=read_value(found.folder / "labels.json", Labels) if has_labels else None,
            provenance=read_value(found.provenance, Provenance),
        )

    def entries(self, *, known: Mapping[str, object] | None = None) -> Iterator[Published]:
        """Yield every variant, in the order of folder names; videos and labels stay closed.

        Args:
            known: Names of folders that are left out: a published variant never changes.
        """
        fresh = (
            path for path in self._variants.glob("*/variant.json") if path.parent.name not in (known or ())
        )
        for path in sorted(fresh):
            yield Published(folder=path.parent, record=read_value(path, Record), is_new=False)

    def entries_by_id(self, after: str = "") -> Iterator[Published]:
        """Yield the variants whose ids follow `after`, in the order of their ids, for lists in pages."""
        if not self._variants.is_dir():
            return
        found = (path.name for path in self._variants.iterdir())
        names = (name for name in found if name[-12:] > after[:12])
        for name in sorted(names, key=lambda name: name[-12:]):
            path = self._variants / name / "variant.json"
            yield Published(folder=path.parent, record=read_value(path, Record), is_new=False)

    def failures(self) -> tuple[Failure, ...]:
        """Read every spec that has no variant."""
        made = {path.name[-12:] for path in self._variants.glob("*")}
        found = (read_value(path, Failure) for path in sorted(self._failures.glob("[!.]*.json")))
        return tuple(failure for failure in found if failure.id[:12] not in made)

    def finished_ids(self) -> frozenset[str]:
        """Name what need not be made again: every variant, and every `unsupported` and `no change`.

        A fault (out of memory, a full disk) is not finished: running again tries it again.
        """
        answers = (failure.id for failure in self.failures() if failure.is_expected)
        return frozenset(published.id for published in self.entries()).union(answers)

    def source(self, sha256: str) -> Source | None:
        """Read the description of a source that variants here were made from."""
        return self.sources.find(sha256)

    def source_video(self, sha256: str) -> Path | None:
        """Find the copy of a source that a browser plays."""
        return self.sources.video(sha256)

    def audits(self, variant_id: str) -> tuple[Audit, ...]:
        """Read what people said about a variant, in the order in which they said it."""
        found = (read_value(path, Audit) for path in (self._audits / variant_id).glob("[!.]*.json"))
        return tuple(sorted(found, key=lambda audit: (audit.at, audit.by)))

    def audited_ids(self) -> frozenset[str]:
        """Name the variants that anybody has said something about."""
        return frozenset(path.name for path in self._audits.glob("[!.]*"))

    def add_audits(self, audits: tuple[Audit, ...]) -> tuple[Audit, ...]:
        """Store what people said, one file each: nothing is ever changed, and the same is stored once.

        Returns:
            The audits that were not here before.

        Raises:
            OutputError: `disk_full`, `not_writable`.
        """
        new: list[Audit] = []
        with boundary(PublishError, f"store audits in {self.root}"), disk_errors(self.root):
            for audit in audits:
                path = self._audits / audit.variant_id / f"{digest(*audit.key)[:24]}.json"
                if not path.exists():
                    replace_json(path, audit)
                    new.append(audit)
        return tuple(new)

    def damaged(self) -> tuple[str, ...]:
        """Read every file again and name those that are missing or changed since they were published."""
        found = []
        for entry in self.entries():
            for name, expected in entry.record.files.items():
                path = entry.folder / name
                if not path.is_file() or sha256_of(path) != expected:
                    found.append(f"{entry.folder.name}/{name}")
        return tuple(found)

    def _existing(self, place: Path, variant: Variant) -> Published:
        record = read_value(place / "variant.json", Record)
        differs = difference(record, variant)
        if differs:
            message = f"{place.name} already holds {differs}; it is kept, and {variant.id} was not published"
            hint = "results are never overwritten: use a new folder"
            raise PublishError(message, reason="conflict", hint=hint)
        return Published(folder=place, record=record, is_new=False)

    def _keep_source(self, source: Source, variant: Variant) -> None:
        plan = variant.provenance.plan
        wanted = (plan.source, source.video, *(control.video for control in plan.controls[:1]))
        # Far runners may name files that are not readable here; the variant is published all the same.
        readable = (video for video in wanted if video is not None and Path(video.uri).is_file())
        self.sources.keep(source, next(readable, None))

    def _prepare(self) -> None:
        if self._is_prepared:
            return
        self._variants.mkdir(parents=True, exist_ok=True)
        self._failures.mkdir(exist_ok=True)
        if not (self.root / "catalog.json").exists():
            replace_json(self.root / "catalog.json", {"format": _MARK, "version": FORMAT_VERSION})
        sweep(self.root / ".partial")
        self._is_prepared = True

    def _check_version(self) -> None:
        path = self.root / "catalog.json"
        if not path.exists():
            return
        try:
            mark = _Mark.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as exc:
            message = f"{path} was not written by worldgen; results would be mixed with something else"
            raise OutputError(message, reason="other_version", hint="choose an empty folder") from exc
        if mark.format != _MARK or mark.version != FORMAT_VERSION:
            message = (
                f"{self.root} holds results in layout {mark.version}, this worldgen writes {FORMAT_VERSION}"
            )
            raise OutputError(message, reason="other_version", hint="choose another folder")


class _Mark(BaseModel):
    format: str
    version: int
