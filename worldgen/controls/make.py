"""One door to all control maps: `make_control`."""

from worldgen.controls.blur import blur_control
from worldgen.controls.depth import depth_control
from worldgen.controls.edge import edge_control, sky_of
from worldgen.controls.seg import seg_control
from worldgen.controls.settings import DEFAULT_CONTROLS, ControlSettings
from worldgen.datatypes import Clip, ControlKind, ControlMap, Geometry, Origin
from worldgen.errors import ExtractError


def make_control(
    kind: ControlKind,
    clip: Clip | None,
    geometry: Geometry | None,
    settings: ControlSettings = DEFAULT_CONTROLS,
) -> ControlMap:
    """Make one control map: a pure function of RGB (edge, blur) or geometry (depth, seg).

    Args:
        kind: edge, blur, depth or seg. World-scenario maps need a scene and come from `wsm`.
        clip: RGB frames, or None when the source has none.
        geometry: Of the same frames, or None.
        settings: Presets and palettes.

    Raises:
        ExtractError: `missing_geometry` when what the kind is made from is not there.
    """
    if kind in ("edge", "blur"):
        if clip is None:
            message = f"the {kind} control is made from RGB, which this source lacks"
            raise ExtractError(message, reason="missing_geometry")
        origin = _rgb_origin(geometry)
        if kind == "blur":
            return blur_control(clip, preset=settings.blur.preset, origin=origin)
        sky = sky_of(geometry) if settings.edge.mask_sky else None
        return edge_control(clip, preset=settings.edge.preset, sky=sky, origin=origin)
    if kind in ("depth", "seg"):
        if geometry is None:
            message = f"the {kind} control is made from geometry, which this source lacks"
            raise ExtractError(message, reason="missing_geometry")
        if kind == "depth":
            return depth_control(geometry)
        return seg_control(geometry, palette=settings.seg.palette)
    message = "a world-scenario map is rendered from boxes, lanes and camera, not from pictures"
    raise ExtractError(message, reason="missing_geometry", hint="use a recording with a scene")


def _rgb_origin(geometry: Geometry | None) -> Origin:
    """Edges of the simulator's own pictures are the simulator's."""
    from_simulator = geometry is not None and geometry.origins.depth == "simulator"
    return "simulator" if from_simulator else "estimated"
