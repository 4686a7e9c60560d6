"""Hardly any ground in sight: a lorry ahead, a wall, a ramp. Every effect that lies on it still works."""

from dataclasses import replace

import numpy as np
import pytest

from tests.situations_physics import street
from worldgen.datatypes import Condition, Spec, Tag
from worldgen.datatypes.tags import FLAT
from worldgen.models.physics.renderer import FrameRenderer

SPECS = {
    "snow": Spec(seed=1, snow_cover=0.8, snow_mm_h=2),
    "sand": Spec(seed=1, sand_cover=0.6),
    "wet": Spec(seed=1, wetness=0.9),
    "rain": Spec(seed=1, rain_mm_h=10, wetness=0.9, spray=0.5, clouds_okta=8),
    "fog": Spec(seed=1, fog_mor_m=100),
    "night": Spec(seed=1, sun_elevation_deg=-18),
    "low sun": Spec(seed=1, sun_elevation_deg=6),
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize(
    ("rows", "columns"), [(0, 0), (1, 192), (2, 192), (3, 192), (4, 3), (7, 192), (60, 2)]
)
def test_a_frame_with_little_ground_is_rendered(spec: Spec, rows: int, columns: int) -> None:
    clip, geometry = street(frames=1)
    assert geometry.tags is not None
    ground = np.isin(geometry.tags, list(FLAT))
    kept = np.zeros_like(ground)
    if rows:
        kept[:, -rows:, :columns] = True
    tags = np.where(ground & ~kept, np.uint8(Tag.BUILDING), geometry.tags)
    hidden = replace(geometry, tags=tags)
    frame = FrameRenderer(clip, hidden, spec, Condition(has_hard_shadows=True), 1).render(0)
    assert frame.shape == clip.frames[0].shape
    assert frame.std() > 1
