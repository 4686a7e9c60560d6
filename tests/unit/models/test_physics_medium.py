"""Fog and dust: the range that was asked is the range that is measured."""

import numpy as np
import pytest

from tests.situations_physics import BLACK_TARGETS, CAR, TRUE, street
from worldgen.datatypes import Camera, Clip, Condition, Geometry, Spec
from worldgen.models.physics.light import srgb_to_linear
from worldgen.models.physics.look import extinction_of, look_of
from worldgen.models.physics.rays import rays_of
from worldgen.models.physics.renderer import FrameRenderer

CLEAR = Condition()


def render(clip: Clip, geometry: Geometry, spec: Spec, index: int = 0, seed: int = 1) -> np.ndarray:
    return FrameRenderer(clip, geometry, spec, CLEAR, seed).render(index)


def measured_range_m(frame: np.ndarray, geometry: Geometry, airlight: np.ndarray) -> float:
    """Koschmieder on black targets: -ln(1 - L / A) grows with the path; its slope is the extinction."""
    light = srgb_to_linear(frame / 255) @ np.array([0.2126, 0.7152, 0.0722])
    air = float(airlight @ np.array([0.2126, 0.7152, 0.0722]))
    path = geometry.depth_m[0] * rays_of(geometry.camera).length
    depths, optical = [], []
    for box in BLACK_TARGETS:
        where = geometry.depth_m[0] == np.float32(box.depth_m)
        transmission = 1 - np.median(light[where]) / air
        if transmission > 0.03:
            depths.append(float(np.median(path[where])))
            optical.append(-np.log(transmission))
    slope = float(np.dot(depths, optical) / np.dot(depths, depths))
    return 2.996 / slope


@pytest.mark.parametrize("field", ["fog_mor_m", "dust_mor_m"])
@pytest.mark.parametrize("mor_m", [60.0, 150.0, 400.0])
def test_the_range_is_measured_back_on_black_targets(field: str, mor_m: float) -> None:
    clip, geometry = street(BLACK_TARGETS, frames=1, size=(480, 270))
    renderer = FrameRenderer(clip, geometry, Spec(seed=1, **{field: mor_m}), CLEAR, 1)
    medium = renderer._medium
    assert medium is not None
    airlight = medium.airlight(renderer.scene.skies.horizon[0], is_source_sky=True)
    measured = measured_range_m(renderer.render(0), geometry, airlight)
    assert measured == pytest.approx(mor_m, rel=0.05)


def test_dense_fog_turns_far_things_and_sky_into_airlight() -> None:
    clip, geometry = street(frames=1)
    fogged = render(clip, geometry, Spec(seed=1, fog_mor_m=40)).astype(int)
    sky = np.median(fogged[:20].reshape(-1, 3), axis=0)
    house = np.median(fogged[geometry.depth_m[0] == 30.0], axis=0)
    assert np.abs(sky - house).max() < 40
    assert sky.max() < 250, "airlight is not pure white"
    assert sky.max() - sky.min() < 25, "fog is nearly grey under a blue sky"


def test_contrast_falls_with_distance_only() -> None:
    clip, geometry = street(BLACK_TARGETS, frames=1, size=(480, 270))
    fogged = render(clip, geometry, Spec(seed=1, fog_mor_m=150))
    levels = [np.median(fogged[geometry.depth_m[0] == np.float32(b.depth_m)]) for b in BLACK_TARGETS]
    assert levels == sorted(levels)
    near = np.median(fogged[geometry.depth_m[0] == 8.0])
    assert near < 0.6 * levels[-1]


def test_dust_is_brown_and_fog_is_not() -> None:
    clip, geometry = street(frames=1)
    dust, fog = (
        np.median(render(clip, geometry, Spec(seed=1, **{f: 80.0}))[:20].reshape(-1, 3), axis=0)
        for f in ("dust_mor_m", "fog_mor_m")
    )
    assert dust[0] - dust[2] > 30
    assert abs(fog[0] - fog[2]) < 25


def test_the_path_is_the_ray_and_not_the_depth() -> None:
    """A wall at one depth: its corners are farther away, so they are paler."""
    camera = Camera(width=160, height=90, fx=60, fy=60, cx=79.5, cy=44.5)
    clip = Clip(frames=np.zeros((1, 90, 160, 3), np.uint8), timestamps_seconds=np.zeros(1), fps=10.0)
    wall = np.full((1, 90, 160), 30.0, np.float32)
    wall[:, :4] = np.inf
    geometry = Geometry(depth_m=wall, origins=TRUE, camera=camera)
    frame = render(clip, geometry, Spec(seed=1, fog_mor_m=150)).astype(int)
    corner, middle = frame[-3:, :3].mean(), frame[44:47, 78:81].mean()
    assert corner > middle + 5


def test_swapping_two_depth_maps_changes_fog_rain_and_headlights() -> None:
    clip, near = street(frames=1)
    far = Geometry(
        depth_m=near.depth_m * 3, origins=near.origins, camera=near.camera, tags=near.tags, pose=near.pose
    )
    for spec in (
        Spec(seed=1, fog_mor_m=100),
        Spec(seed=1, rain_mm_h=40, clouds_okta=8),
        Spec(seed=1, sun_elevation_deg=-20),
    ):
        one, other = (render(clip, g, spec).astype(int) for g in (near, far))
        assert np.abs(one - other).mean() > 1.0, spec


def test_the_recording_vehicle_is_never_in_the_fog() -> None:
    clip, geometry = street(frames=1, ego=True)
    fogged = render(clip, geometry, Spec(seed=1, fog_mor_m=20)).astype(int)
    assert geometry.ego_mask is not None
    own = geometry.ego_mask
    assert np.abs(fogged - clip.frames[0].astype(int))[own].max() <= 1


def test_extinction_is_2_996_over_the_range() -> None:
    assert extinction_of(299.6) == pytest.approx(0.01)
    assert extinction_of(None) == 0


def test_rain_and_snow_veil_the_distance_by_their_rate() -> None:
    light, heavy = (look_of(Spec(seed=1, rain_mm_h=r), CLEAR).rain_extinction for r in (1.0, 30.0))
    # 1.076 dB/km at 1 mm/h; 30^0.67 = 9.77 times as much at 30 mm/h.
    assert light == pytest.approx(1.076 / 4.343 / 1000, rel=1e-3)
    assert heavy / light == pytest.approx(30**0.67, rel=1e-6)
    snow = look_of(Spec(seed=1, snow_mm_h=2.5), CLEAR).snow_extinction
    assert 2.996 / snow == pytest.approx(665, rel=0.02), "visibility in moderate to heavy snow"


def test_a_brake_light_outlives_the_car_that_carries_it() -> None:
    clip, geometry = street((CAR,), frames=1, size=(480, 270))
    frames = clip.frames.copy()
    car = np.argwhere(geometry.depth_m[0] == 12.0)
    row = int(car[:, 0].mean())
    lamp = (slice(row - 3, row + 3), slice(200, 206))
    frames[0][lamp] = (250, 40, 35)
    braking = Clip(frames=frames, timestamps_seconds=np.zeros(1), fps=10.0)
    fogged = render(braking, geometry, Spec(seed=1, fog_mor_m=15)).astype(int)
    body = fogged[row, 250]
    red = fogged[lamp].mean(axis=(0, 1))
    assert body.max() - body.min() < 25, "the body has gone grey"
    assert red[0] - red[2] > 40, "the lamp has not"
