"""The extractor: a source becomes material (geometry, control maps, condition), once for all specs."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from worldgen.controls.densify import densified, has_holes
from worldgen.controls.from_clip import estimate_geometry
from worldgen.controls.make import make_control
from worldgen.controls.network import DepthNetwork, network_revision, with_network
from worldgen.controls.passed import geometry_of_control, passed_control
from worldgen.controls.settings import DEFAULT_EXTRACTOR, ExtractorSettings
from worldgen.controls.wsm import wsm_control
from worldgen.datatypes import (
    CONTROL_KINDS,
    Clip,
    Condition,
    ControlKind,
    ControlRef,
    Geometry,
    Material,
    Progress,
    Source,
    VideoRef,
    digest,
)
from worldgen.datatypes.scene import Scene
from worldgen.errors import ExtractError
from worldgen.media.scratch import Scratch
from worldgen.media.video import sha256_of

REVISION: Final = "3"
"""Changes whenever the same source and settings would give other material."""

ReadClip: TypeAlias = Callable[[Source], Clip]
ReadGeometry: TypeAlias = Callable[[Source], Geometry | None]
EstimateCondition: TypeAlias = Callable[[Clip, Geometry], Condition]
Report: TypeAlias = Callable[[Progress], None]


ReadScene: TypeAlias = Callable[[Source], Scene | None]


def _no_scene(source: Source) -> Scene | None:
    del source
    return None


def _silent(progress: Progress) -> None:
    del progress


class MaterialExtractor:
    """Makes material of real clips, recordings and control videos.

    Args:
        scratch: Where arrays are kept; results are references into it.
        read_clip: Decodes a source's RGB frames.
        read_geometry: Reads the geometry that lies beside a source; None when nothing does. Its depth may
            hold NaN where a sidecar measured nothing.
        estimate_condition: Estimates weather and light from pictures and geometry.
        read_scene: Reads the map elements and actors that came with a source, for world-scenario maps.
        settings: How everything is made.
        report: Told after every step.
    """

    def __init__(
        self,
        scratch: Scratch,
        *,
        read_clip: ReadClip,
        read_geometry: ReadGeometry,
        estimate_condition: EstimateCondition,
        read_scene: ReadScene = _no_scene,
        settings: ExtractorSettings = DEFAULT_EXTRACTOR,
        report: Report = _silent,
    ) -> None:
        self._scratch = scratch
        self._read_clip = read_clip
        self._read_geometry = read_geometry
        self._estimate_condition = estimate_condition
        self._read_scene = read_scene
        self._settings = settings
        self._report = report
        self._network: DepthNetwork | None = None

    def recipe(self, source: Source, kinds: frozenset[ControlKind]) -> str:
        """Name how the material of `source` is made; nothing is decoded."""
        settings = self._settings
        # A recording's sensors are part of its own digest; what lies beside a video is not.
        is_beside = source.kind in ("video", "images")
        sensors = sorted(source.sensors.items())
        beside = {name: _digest_of(path) if is_beside else "" for name, path in sensors}
        return digest(
            "material",
            REVISION,
            sorted(kinds),
            settings.model_dump(mode="json", exclude={"network"}),
            network_revision(settings.network),
            beside,
            source.calibration.model_dump(mode="json") if source.calibration else None,
            # Other labels are other results: what may be trained on is part of a variant.
            digest(source.labels) if source.labels else None,
            source.condition.model_dump(mode="json") if source.condition else None,
        )

    def extract(self, source: Source, kinds: frozenset[ControlKind]) -> Material:
        """Make geometry, the asked control maps and the condition of a source.

        Raises:
            ExtractError: `missing_geometry` when a control map cannot be made from what the source has.
            SourceError: The source does not hold what it promised.
        """
        if source.kind == "controls":
            return self._extract_from_controls(source, kinds)
        steps = _Steps(self._report, total=3 + len(kinds))
        clip = self._read_clip(source)
        steps.done("decode")
        geometry = self._geometry(source, clip)
        steps.done("geometry")
        condition = source.condition or self._estimate_condition(clip, geometry)
        steps.done("condition")
        video = self._video_of(source, clip)
        controls: list[ControlRef] = []
        for kind in _in_order(kinds):
            controls.append(self._control(kind, source, clip, geometry))
            steps.done(kind)
        return Material(
            video=video,
            geometry=self._scratch.put_geometry(geometry),
            controls=tuple(controls),
            condition=condition,
            labels=source.labels,
            recipe=self.recipe(source, kinds),
            seconds=steps.seconds,
        )

    def _geometry(self, source: Source, clip: Clip) -> Geometry:
        """Take what lies beside the source; estimate what is missing from the clip, or with a network."""
        beside = self._read_geometry(source)
        if beside is not None and not has_holes(beside):
            return beside
        settings = self._settings
        geometry = estimate_geometry(clip, calibration=source.calibration, settings=settings.geometry)
        if settings.network.folder:
            if self._network is None:
                self._network = DepthNetwork(settings.network)
            geometry = with_network(clip, geometry, self._network, settings.geometry)
        return geometry if beside is None else densified(beside, geometry, clip)

    def _control(
        self, kind: ControlKind, source: Source, clip: Clip | None, geometry: Geometry | None
    ) -> ControlRef:
        """Pass the user's own control map through, else make it."""
        if kind in source.sensors and (source.kind in ("controls", "carla_clip") or kind == "wsm"):
            return passed_control(kind, Path(source.sensors[kind]), source)
        if kind == "wsm":
            control = wsm_control(self._read_scene(source), geometry)
        else:
            control = make_control(kind, clip, geometry, self._settings.controls)
        return self._scratch.put_control(control, fps=source.fps)

    def _video_of(self, source: Source, clip: Clip) -> VideoRef:
        """Refer to the user's own file where it is one; else write the frames as one."""
        if source.video is not None and Path(source.video.uri).is_file():
            self._scratch.remember_clip(source.video, clip)
            return source.video
        return self._scratch.put_clip(clip)

    def _extract_from_controls(self, source: Source, kinds: frozenset[ControlKind]) -> Material:
        """Control videos without RGB: passed through; depth gives a relative geometry."""
        steps = _Steps(self._report, total=1 + len(kinds))
        missing = sorted(kinds - set(source.sensors))
        if missing:
            have = ", ".join(sorted(source.sensors)) or "none"
            message = (
                f"{source.uri} has no {', '.join(missing)} control and no RGB to make it from; it has: {have}"
            )
            raise ExtractError(message, reason="missing_geometry")
        geometry = None
        if "depth" in source.sensors:
            geometry = geometry_of_control(Path(source.sensors["depth"]), source, self._settings.geometry)
        steps.done("geometry")
        controls: list[ControlRef] = []
        for kind in _in_order(kinds):
            controls.append(passed_control(kind, Path(source.sensors[kind]), source))
            steps.done(kind)
        return Material(
            video=None,
            geometry=self._scratch.put_geometry(geometry) if geometry is not None else None,
            controls=tuple(controls),
            condition=source.condition or Condition(),
            labels=source.labels,
            recipe=self.recipe(source, kinds),
            seconds=steps.seconds,
        )


class _Steps:
    """Times the steps of one extraction and reports them."""

    def __init__(self, report: Report, *, total: int) -> None:
        self.seconds: dict[str, float] = {}
        self._report = report
        self._total = total
        self._since = time.perf_counter()

    def done(self, name: str) -> None:
        """Note that a step has ended."""
        now = time.perf_counter()
        self.seconds[name] = now - self._since
        self._since = now
        self._report(Progress(stage=name, step=len(self.seconds), steps=self._total))


def _in_order(kinds: frozenset[ControlKind]) -> list[ControlKind]:
    return [kind for kind in CONTROL_KINDS if kind in kinds]


def _digest_of(path: str) -> str:
    """Name a file or a folder of files by content."""
    place = Path(path)
    files = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
    return digest([[str(p.relative_to(place.parent)), sha256_of(p)] for p in files])
