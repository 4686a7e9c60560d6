"""Rain, snow, wet ground, cover and lens: laws of the particles, and what is fixed to the world."""

import numpy as np
import pytest

from tests.situations_physics import CAR, HOUSE, SPEED_M_S, UNKNOWN, WALKER, Box, street
from worldgen.datatypes import Clip, Condition, Geometry, Spec, Tag
from worldgen.errors import GenerationError
from worldgen.models.physics.ego import poses_of
from worldgen.models.physics.lens import LensDrops
from worldgen.models.physics.rain import Rain, drop_diameters_mm, fall_speed_m_s, slope_per_mm
from worldgen.models.physics.renderer import FrameRenderer, render_frames
from worldgen.models.physics.scene import Scene
from worldgen.models.physics.snow import Snow
from worldgen.models.physics.texture import Texture
from worldgen.models.physics.view import View
from worldgen.models.physics.wet import WetGround, mirror_image, schlick

CLEAR = Condition()
EVERYTHING = {
    "storm at night": Spec(
        seed=1, rain_mm_h=60, wetness=1, spray=1, lens_drops=1, clouds_okta=8, sun_elevation_deg=-30
    ),
    "blizzard": Spec(seed=1, snow_mm_h=8, snow_cover=1, fog_mor_m=100, exposure_stops=1),
    "sand": Spec(seed=1, sand_cover=0.8, dust_mor_m=60, sun_elevation_deg=5, sun_azimuth_deg=0),
    "wet dusk": Spec(seed=1, wetness=0.4, sun_elevation_deg=-3, fog_mor_m=600),
    "snowy night": Spec(seed=1, snow_mm_h=1, snow_cover=0.3, sun_elevation_deg=-12),
}


def render(spec: Spec, *boxes: Box, **options: object) -> tuple[np.ndarray, Clip, Geometry]:
    clip, geometry = street(boxes or (HOUSE, CAR, WALKER), **options)  # type: ignore[arg-type]
    return np.stack(list(render_frames(clip, geometry, spec, CLEAR, 1))), clip, geometry


@pytest.mark.parametrize(("diameter_mm", "speed"), [(1.0, 4.03), (2.0, 6.49), (3.0, 8.06), (5.0, 9.09)])
def test_drops_fall_as_gunn_and_kinzer_measured(diameter_mm: float, speed: float) -> None:
    assert fall_speed_m_s(np.array([diameter_mm]))[0] == pytest.approx(speed, rel=0.05)


@pytest.mark.parametrize("rate", [1.0, 10.0, 50.0])
def test_drop_sizes_follow_marshall_and_palmer(rate: float) -> None:
    """Above the cut-off the distribution is exponential: its mean excess is one over the slope."""
    diameters = drop_diameters_mm(rate, volume_m3=700, most=9000, seed=1)
    excess = diameters.mean() - diameters.min()
    assert excess == pytest.approx(1 / slope_per_mm(rate), rel=0.06)
    expected = 8000 * 700 / slope_per_mm(rate) * np.exp(-slope_per_mm(rate) * diameters.min())
    assert len(diameters) == pytest.approx(expected, rel=0.02)


def test_little_rain_has_small_drops() -> None:
    drizzle, downpour = (drop_diameters_mm(r, 700, 9000, 1) for r in (0.2, 50.0))
    assert drizzle.mean() < 0.6 * downpour.mean()


def test_streaks_point_down_and_away_from_where_the_camera_drives() -> None:
    clip, geometry = street(frames=2, size=(320, 180))
    rain = Rain(20, 1, night=0.0)
    smear = rain._swarm.seen(View(Scene(clip, geometry), 0), 1 / 60, blur_px_m=1.0)
    assert len(smear.depth) > 50
    now, before = smear.start, smear.end
    assert (now[:, 1] > before[:, 1]).mean() > 0.9, "drops fall"
    centre = np.array([geometry.camera.cx, geometry.camera.cy])
    outward = np.linalg.norm(now - centre, axis=1) > np.linalg.norm(before - centre, axis=1)
    below = now[:, 1] > centre[1] + 20
    assert outward[below].mean() > 0.95


def test_flakes_stay_in_the_world_while_the_camera_passes() -> None:
    """Between two frames a flake moves as its own speed and the camera's say, not with the screen."""
    clip, geometry = street(frames=2, size=(320, 180))
    snow = Snow(2, 1, night=0.0)
    scene = Scene(clip, geometry)
    swarm = snow._swarms[1]
    first, second = (swarm.seen(View(scene, i), 1 / 160, blur_px_m=1.0) for i in (0, 1))
    moved = []
    for p in first.position[first.position[:, 2] > 4]:
        nearest = np.abs(second.position - (p - [0, 0, SPEED_M_S / 10])).sum(axis=1).min()
        moved.append(nearest)
    assert np.median(moved) < 0.35


def test_wet_ground_mirrors_what_stands_on_it() -> None:
    red = Box(left=0.4, right=0.6, height_m=2.0, depth_m=20.0, colour=(220, 20, 20), tag=Tag.STATIC)
    clip, geometry = street((red,), frames=1, size=(320, 180))
    image = mirror_image(View(Scene(clip, geometry), 0))
    box = np.argwhere(geometry.depth_m[0] == 20.0)
    foot, tall = int(box[:, 0].max()), int(np.ptp(box[:, 0]))
    below = image[(foot + tall // 2) // 2, 80]
    assert below[0] > 5 * below[2], "the box's red lies below its foot"
    beside = image[(foot + tall // 2) // 2, 20]
    assert beside[2] > beside[0], "beside it the sky is mirrored"
    wet, _, _ = render(Spec(seed=1, wetness=0.6), red, frames=1, size=(320, 180))
    patch = wet[0, foot + 3 : foot + tall // 2, 140:180].astype(float).mean(axis=(0, 1))
    dry = clip.frames[0, foot + 3 : foot + tall // 2, 140:180].astype(float).mean(axis=(0, 1))
    assert patch[0] - patch[2] > dry[0] - dry[2] + 15


def test_water_reflects_two_percent_straight_down_and_all_at_the_horizon() -> None:
    assert schlick(np.array([[1.0]], np.float32))[0, 0] == pytest.approx(0.02)
    assert schlick(np.array([[0.0]], np.float32))[0, 0] == pytest.approx(1.0)


def test_asphalt_darkens_when_it_gets_wet() -> None:
    clip, geometry = street(frames=1, size=(320, 180))
    view = View(Scene(clip, geometry), 0)
    WetGround(0.6, 1, is_raining=False).soak(view)
    road, others = view.flat, ~view.flat
    assert 0.4 < np.median(view.light[road]) / np.median(view.source[road]) < 0.8
    assert view.light[others] == pytest.approx(view.source[others], abs=1e-4)


def test_snow_covers_the_ground_and_hides_its_markings_but_nobody() -> None:
    snowy, clip, geometry = render(Spec(seed=1, snow_cover=1.0), frames=1, size=(320, 180))
    tags = geometry.tags[0]  # type: ignore[index]  # the street is tagged
    road = tags == Tag.ROAD
    assert np.median(snowy[0][road]) > 1.5 * np.median(clip.frames[0][road])
    for tag in (Tag.CAR, Tag.PEDESTRIAN):
        there = tags == tag
        assert np.abs(snowy[0][there].astype(int) - clip.frames[0][there]).max() <= 1


@pytest.mark.parametrize("spec", [Spec(seed=1, snow_cover=0.5), Spec(seed=1, wetness=0.8)])
def test_cover_and_puddles_are_fixed_to_the_world(spec: Spec) -> None:
    """What changed at a spot of the road changes alike one frame later, where the spot has gone."""
    out, clip, geometry = render(spec, HOUSE, frames=2, size=(480, 270), has_sky=False)
    light = out.astype(float).mean(axis=3) - clip.frames.astype(float).mean(axis=3)
    column = 300
    z = geometry.depth_m[0][:, column]
    rows = np.flatnonzero((z > 4.5) & (z < 9.0))
    x = (column - geometry.camera.cx) / geometry.camera.fx * z[rows]
    later = z[rows] - SPEED_M_S / 10
    rows_later = np.array([int(np.argmin(np.abs(z - d))) for d in later])
    columns_later = np.round(geometry.camera.cx + geometry.camera.fx * x / later).astype(int)
    with_world = np.corrcoef(light[0][rows, column], light[1][rows_later, columns_later])[0, 1]
    with np.errstate(invalid="ignore"):  # a column that does not change has no correlation
        with_screen = np.nan_to_num(np.corrcoef(light[0][rows, column], light[1][rows, column])[0, 1])
    assert with_world > 0.5
    assert with_world > with_screen + 0.2


def test_lens_drops_stay_on_the_screen_and_change_slowly() -> None:
    clip, geometry = street(frames=2, size=(320, 180), fps=30.0)
    scene = Scene(clip, geometry)
    drops = LensDrops(0.8, (320, 180), 5)
    masks = []
    for i in (0, 1):
        view = View(scene, i)
        before = view.light.copy()
        drops.refract(view)
        masks.append(np.abs(view.light - before).max(axis=2) > 0.02)
    assert masks[0].mean() > 0.004
    both = (masks[0] & masks[1]).sum() / max(1, (masks[0] | masks[1]).sum())
    assert both > 0.7


def test_a_texture_is_equalised_and_tiles() -> None:
    texture = Texture(3)
    u, v = np.meshgrid(np.arange(512, dtype=np.float32), np.arange(512, dtype=np.float32))
    value = texture.at(u, v)
    for share in (0.2, 0.5, 0.9):
        assert (value < share).mean() == pytest.approx(share, abs=0.01)
    assert texture.at(u + 512, v - 1024) == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("spec", EVERYTHING.values(), ids=list(EVERYTHING))
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tagged": False, "posed": False, "origins": UNKNOWN},
        {"has_sky": False, "ego": True},
        {"frames": 1, "size": (97, 55)},
    ],
    ids=["known", "nothing known", "no sky", "one odd frame"],
)
def test_every_mixture_renders_on_whatever_is_known(spec: Spec, options: dict[str, object]) -> None:
    with np.errstate(all="raise", under="ignore"):
        out, clip, _ = render(spec, **options)
    assert out.shape == clip.frames.shape
    assert out.dtype == np.uint8
    assert np.abs(out.astype(int) - clip.frames).mean() > 3, "it changed something"


def test_a_frame_does_not_depend_on_the_ones_before_it() -> None:
    clip, geometry = street(frames=4)
    spec = EVERYTHING["storm at night"]
    in_order = list(render_frames(clip, geometry, spec, CLEAR, 9))
    alone = FrameRenderer(clip, geometry, spec, CLEAR, 9).render(3)
    assert (in_order[3] == alone).all()


def test_the_seed_decides_all_that_is_random() -> None:
    clip, geometry = street(frames=2)
    spec = EVERYTHING["blizzard"]
    one, same, other = (list(render_frames(clip, geometry, spec, CLEAR, s)) for s in (1, 1, 2))
    assert (np.stack(one) == np.stack(same)).all()
    assert (np.stack(one) != np.stack(other)).any()


def test_without_a_pose_the_road_tells_how_the_camera_drives() -> None:
    clip, geometry = street((), frames=5, size=(480, 270), posed=False)
    scene = Scene(clip, geometry)
    poses, origin = poses_of(geometry, clip, scene.rays, scene.planes)
    assert origin == "from_motion"
    steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    assert steps == pytest.approx(SPEED_M_S / 10, rel=0.2)


def test_geometry_of_another_length_is_refused() -> None:
    clip, _ = street(frames=2)
    _, geometry = street(frames=3)
    with pytest.raises(GenerationError, match="2 frames"):
        Scene(clip, geometry)


def test_spray_rises_behind_vehicles_that_are_known_and_nowhere_else() -> None:
    spec = Spec(seed=1, spray=1.0)
    out, clip, geometry = render(spec, CAR, frames=1, size=(320, 180))
    changed = np.abs(out[0].astype(int) - clip.frames[0]).max(axis=2) > 3
    car = np.argwhere(geometry.depth_m[0] == 12.0)
    foot = int(car[:, 0].max())
    assert changed[foot - 4 : foot + 4, 140:190].mean() > 0.5
    assert not changed[:, :60].any()
    clip, geometry = street((CAR,), frames=1, size=(320, 180), tagged=False)
    renderer = FrameRenderer(clip, geometry, spec, CLEAR, 1)
    assert np.abs(renderer.render(0).astype(int) - clip.frames[0]).max() <= 1
    assert renderer.rendered["spray"] == 0, "what was not rendered is not claimed"


def test_what_was_rendered_is_told_for_the_labels() -> None:
    clip, geometry = street(frames=1)
    told = FrameRenderer(clip, geometry, Spec(seed=1, rain_mm_h=12, wetness=0.6), CLEAR, 1).rendered
    assert told["rain_mm_h"] == 12
    assert told["wetness"] == pytest.approx(0.6)
    assert told["clouds_okta"] == 8, "implied by the rain"
