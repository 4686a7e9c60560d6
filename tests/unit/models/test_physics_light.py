"""Light, sensor and time of day."""

import numpy as np
import pytest

from tests.situations_physics import CAR, HOUSE, WALKER, Box, street
from worldgen.datatypes import Clip, Condition, Spec, Tag
from worldgen.datatypes.tags import FLAT
from worldgen.models.physics.box import box_around
from worldgen.models.physics.headlights import irradiance
from worldgen.models.physics.lamps import halo, lit_lamps, rear_lamps
from worldgen.models.physics.light import Encoder, decode, linear_to_srgb, lookup16, shoulder, srgb_to_linear
from worldgen.models.physics.look import daylight_stops, look_of
from worldgen.models.physics.renderer import FrameRenderer, render_frames
from worldgen.models.physics.scene import Scene
from worldgen.models.physics.sensor import Sensor
from worldgen.models.physics.strips import strips
from worldgen.models.physics.sun import sun_colour
from worldgen.models.physics.view import View
from worldgen.sources.proving_ground import render_drive

CLEAR = Condition()
NIGHT = Spec(seed=1, sun_elevation_deg=-20)


def grey(frame: np.ndarray) -> np.ndarray:
    return frame.astype(float).mean(axis=2)


def test_decoding_and_encoding_are_inverse() -> None:
    codes = np.arange(256) / 255
    assert linear_to_srgb(srgb_to_linear(codes)) == pytest.approx(codes, abs=1e-9)
    assert srgb_to_linear(0.5) == pytest.approx(0.21404, abs=1e-5)


def test_a_frame_comes_back_through_linear_light() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (54, 96, 3), np.uint8)
    back = Encoder((96, 54), knee=1.0, seed=1).encode(decode(frame), 0)
    difference = back.astype(int) - frame
    assert np.abs(difference).max() <= 1
    assert abs(difference.mean()) < 0.05


def test_the_dither_keeps_levels_between_levels_on_average() -> None:
    light = np.full((64, 64, 3), float(srgb_to_linear(100.5 / 255)), np.float32)
    coded = Encoder((64, 64), knee=1.0, seed=1).encode(light, 0)
    assert coded.mean() == pytest.approx(100.5, abs=0.1)
    assert set(np.unique(coded)) == {100, 101}


def test_the_shoulder_is_the_identity_below_its_knee() -> None:
    x = np.linspace(0, 4, 200)
    y = shoulder(x, 0.7)
    assert y[x <= 0.7] == pytest.approx(x[x <= 0.7])
    assert (np.diff(y) >= 0).all()
    assert y[-1] == pytest.approx(1.0)


def test_both_ways_to_look_up_agree() -> None:
    table = np.random.default_rng(0).integers(0, 65536, 65536).astype(np.uint16)
    index = np.random.default_rng(1).integers(0, 65536, (20, 30, 3)).astype(np.uint16)
    assert (lookup16(index, table, np.empty_like(index)) == table[index]).all()


@pytest.mark.parametrize("signal", [0.0, 0.05, 0.4])
def test_noise_has_the_variance_of_foi(signal: float) -> None:
    sensor = Sensor((192, 108), gain=0.002, read=0.01, seed=4)
    light = np.full((108, 192, 3), signal, np.float32)
    sensor.expose(light, 3)
    assert light.mean() == pytest.approx(signal, abs=1e-3)
    assert light.var() == pytest.approx(0.002 * signal + 0.01**2, rel=0.06)


def test_noise_of_two_frames_is_independent() -> None:
    sensor = Sensor((192, 108), gain=0.0, read=0.01, seed=4)
    one, other = np.zeros((108, 192, 3), np.float32), np.zeros((108, 192, 3), np.float32)
    sensor.expose(one, 3)
    sensor.expose(other, 4)
    assert abs(float(np.corrcoef(one.ravel(), other.ravel())[0, 1])) < 0.03


def test_daylight_falls_as_the_almanac_says() -> None:
    stops = [daylight_stops(e) for e in (60, 30, 12, 5, 0, -6, -12, -18)]
    assert stops == sorted(stops, reverse=True)
    assert stops[0] == 0
    # 1e5 lx to 400 lx at sunset.
    assert stops[4] == pytest.approx(np.log2(400 / 1e5))


def test_precipitation_brings_clouds_unless_told_otherwise() -> None:
    assert look_of(Spec(seed=1, rain_mm_h=5), CLEAR).overcast == 1
    assert look_of(Spec(seed=1, rain_mm_h=5, clouds_okta=6), CLEAR).overcast == 0.5
    assert look_of(Spec(seed=1, wetness=0.5), CLEAR).overcast == 0


def test_night_is_dark_above_and_lit_ahead() -> None:
    clip, geometry = street(frames=1, size=(320, 180), boxes=())
    night = grey(FrameRenderer(clip, geometry, NIGHT, CLEAR, 1).render(0))
    day = grey(clip.frames[0])
    sky = geometry.tags[0] == Tag.SKY  # type: ignore[index]  # the street is tagged
    assert np.median(night[sky]) < 0.25 * np.median(day[sky])
    middle = slice(150, 170)
    rows = {z: int(np.argmin(np.abs(geometry.depth_m[0][:, 160] - z))) for z in (8.0, 20.0, 45.0, 120.0)}
    levels = [float(np.median(night[r - 1 : r + 2, middle])) for r in rows.values()]
    assert levels[0] > levels[2] > levels[3]
    assert levels[0] > 60, "the road ahead is lit"
    aside = float(np.median(night[rows[8.0], :12]))
    assert aside < 0.7 * levels[0], "the beam is a cone"


def test_the_beam_falls_with_the_square_of_the_distance_on_walls() -> None:
    """Two walls in the same direction below the cut-off: four times as far is a sixteenth of the light."""
    levels = []
    for z in (11.6, 41.6):
        wall = Box(left=0.4, right=0.6, height_m=3.0, depth_m=z, colour=(128, 128, 128))
        clip, geometry = street((wall,), frames=1, size=(640, 360))
        view = View(Scene(clip, geometry), 0)
        beam = irradiance(view, 0.0)
        lamp = np.abs(view.height_m - (0.68 - 0.013 * (z - 1.6))) < 0.06
        where = lamp & (geometry.depth_m[0] == np.float32(z))
        where[:, :316] = where[:, 324:] = False
        levels.append(float(np.median(beam[where])))
    assert levels[0] / levels[1] == pytest.approx(16, rel=0.2)


def test_rear_lamps_shine_and_red_paint_does_not() -> None:
    red_car = Box(left=0.1, right=0.35, height_m=1.5, depth_m=12.0, colour=(150, 12, 12), tag=Tag.CAR)
    clip, geometry = street((CAR, red_car), frames=1, size=(480, 270))
    frames = clip.frames.copy()
    car = np.argwhere(geometry.depth_m[0] == 12.0)
    rows = slice(int(np.percentile(car[:, 0], 40)), int(np.percentile(car[:, 0], 55)))
    lamps = (rows, slice(198, 206))
    frames[0][lamps] = (170, 10, 10)
    lit = Clip(frames=frames, timestamps_seconds=np.zeros(1), fps=10.0)
    weight = rear_lamps(View(Scene(lit, geometry), 0))
    paint = weight[(frames[0] == (150, 12, 12)).all(axis=2)]
    assert weight[lamps].mean() > 0.7
    assert paint.mean() < 0.15


def test_where_no_vehicle_is_known_dull_lamps_shine_and_a_shirt_in_the_shade_does_not() -> None:
    """Colours as a camera and 4:2:0 left them on a street: a pair of unlit lamps, the duller one too."""
    dark = Box(left=0.1, right=0.35, height_m=1.5, depth_m=12.0, colour=(28, 30, 34), tag=Tag.BUILDING)
    clip, geometry = street((dark,), frames=1, size=(480, 270))
    frames = clip.frames.copy()
    car = np.argwhere(geometry.depth_m[0] == 12.0)
    middle, left, right = int(np.median(car[:, 0])), int(car[:, 1].min()), int(car[:, 1].max())
    rows = slice(middle, middle + 4)
    bright, dull = (rows, slice(left + 4, left + 9)), (rows, slice(right - 8, right - 3))
    shirt = (slice(middle + 9, middle + 14), slice(left + 40, left + 44))
    frames[0][bright], frames[0][dull], frames[0][shirt] = (190, 40, 44), (150, 95, 95), (42, 9, 18)
    filmed = Clip(frames=frames, timestamps_seconds=np.zeros(1), fps=10.0)
    weight = rear_lamps(View(Scene(filmed, geometry), 0), geometry.depth_m[0] == 12.0)
    assert weight[bright].mean() > 0.7
    assert weight[dull].mean() > 0.4
    assert weight[shirt].max() < 0.02


def test_a_red_body_does_not_shine_where_the_picture_cuts_it() -> None:
    # Two drives that pass red cars: a wheel and a fender, and a strip of four pixels are left of them.
    for seed, index in ((8, 1), (19, 4)):
        drive = render_drive(seed, frames=9, size=(480, 270), fps=4.0)
        weight = rear_lamps(View(Scene(drive.clip, drive.geometry), index)) > 0.3
        assert weight.any(), "others have lamps"
        assert drive.geometry.instances is not None
        ids = drive.geometry.instances[index]
        for body in np.unique(ids[weight]):
            assert weight[ids == body].mean() < 0.12


@pytest.mark.parametrize("depth_m", [6.0, 20.0])
def test_a_red_car_does_not_shine_in_fog_and_its_lamps_do(depth_m: float) -> None:
    """Bright paint, as by day, at distances where it fills the picture and where it is small."""
    red_car = Box(left=0.3, right=0.55, height_m=1.5, depth_m=depth_m, colour=(205, 40, 45), tag=Tag.CAR)
    clip, geometry = street((red_car,), frames=1, size=(480, 270))
    lamps = lit_lamps(View(Scene(clip, geometry), 0))
    assert lamps is None or lamps[2].max() < 0.05
    frames = clip.frames.copy()
    car = np.argwhere(geometry.depth_m[0] == np.float32(depth_m))
    middle, left = int(np.median(car[:, 0])), int(car[:, 1].min())
    frames[0][geometry.depth_m[0] == np.float32(depth_m)] = (60, 62, 66)
    frames[0][middle : middle + 3, left + 4 : left + 8] = (250, 40, 30)
    lit = Clip(frames=frames, timestamps_seconds=np.zeros(1), fps=10.0)
    found = lit_lamps(View(Scene(lit, geometry), 0))
    assert found is not None
    assert found[2][..., 0].max() > 1


def test_a_yellow_car_at_the_pictures_edge_does_not_shine_in_fog() -> None:
    """Between wheel arch, pole and the edge little is left of it, no square of which is large."""
    drive = render_drive(8_000_009, frames=4, size=(256, 144))
    assert drive.geometry.instances is not None
    found = lit_lamps(View(Scene(drive.clip, drive.geometry), 3))
    assert found is not None, "the brake lamps ahead are lit"
    light = np.zeros((144, 256), np.float32)
    light[found[:2]] = found[2].max(axis=-1)
    body = drive.geometry.instances[3] == drive.geometry.instances[3][100, 250]
    yellow = body & (drive.clip.frames[3][..., 0] > 180) & (drive.clip.frames[3][..., 2] < 100)
    assert yellow.sum() > 50
    assert light[body].max() < 0.05
    assert light.max() > 1


@pytest.mark.parametrize(("metres", "least", "most"), [(4, 0.05, 0.15), (60, 0.5, 0.65), (250, 0.2, 0.45)])
def test_a_halo_is_as_bright_as_the_way_to_its_lamp_is_long(metres: float, least: float, most: float) -> None:
    emitted = np.zeros((216, 384, 3), np.float32)
    emitted[104:112, 188:196] = 1.0
    through = np.full((216, 384), np.exp(-0.02996 * metres), np.float32)
    light = halo(emitted, through, height=216)
    assert least < light.sum() / emitted.sum() < most
    assert light[108, 192].max() > light[108, 230].max() > 0


def test_thick_fog_takes_the_suns_shadows_and_thin_haze_leaves_them() -> None:
    clip, geometry = street((HOUSE,), frames=1, size=(480, 270))
    frames = clip.frames.copy()
    ground = np.isin(geometry.tags[0], list(FLAT))
    shade = np.zeros_like(ground)
    shade[190:215, 180:300] = True
    frames[0][shade & ground] = (frames[0][shade & ground] * 0.5).astype(np.uint8)
    shadowed = Clip(frames=frames, timestamps_seconds=np.zeros(1), fps=10.0)
    edge, beside = np.s_[195:210, 190:290], np.s_[195:210, 310:350]
    depth = {}
    for mor in (100.0, 3000.0):
        for hard in (True, False):
            spec = Spec(seed=1, fog_mor_m=mor)
            out = FrameRenderer(shadowed, geometry, spec, Condition(has_hard_shadows=hard), 1).render(0)
            depth[mor, hard] = 1 - grey(out)[edge].mean() / grey(out)[beside].mean()
    assert depth[100.0, True] < 0.75 * depth[100.0, False]
    assert 0.8 * depth[3000.0, False] < depth[3000.0, True] < depth[3000.0, False]


def test_the_side_that_faces_a_low_sun_is_the_warmer_one() -> None:
    """A wall across the road: lit when the sun stands behind the camera, in shade when it stands ahead."""
    wall = Box(left=0.2, right=0.8, height_m=9.0, depth_m=25.0, colour=(150, 150, 150))
    clip, geometry = street((wall,), frames=1, size=(480, 270))
    where = geometry.depth_m[0] == 25.0
    tone = {}
    for azimuth in (10.0, 170.0):
        spec = Spec(seed=1, sun_elevation_deg=5, sun_azimuth_deg=azimuth)
        red, _, blue = (
            FrameRenderer(clip, geometry, spec, CLEAR, 1).render(0)[where].astype(float).mean(axis=0)
        )
        tone[azimuth] = red / blue
    assert tone[170.0] > 1.15 * tone[10.0]


def test_a_low_sky_is_warm_towards_the_sun_and_bluer_far_up() -> None:
    clip, geometry = street((), frames=1, size=(480, 270))
    spec = Spec(seed=1, sun_elevation_deg=2, sun_azimuth_deg=-25)
    frame = FrameRenderer(clip, geometry, spec, CLEAR, 1).render(0).astype(float)
    horizon = int(np.flatnonzero(np.isinf(geometry.depth_m[0]).all(axis=1)).max())
    ratio = frame[..., 0] / frame[..., 2]
    low, high = slice(horizon - 12, horizon - 2), slice(0, 10)
    assert ratio[low, :120].mean() > 1.1 * ratio[low, -120:].mean()
    assert ratio[low].mean() > 1.1 * ratio[high].mean()


def test_hard_shadows_are_lifted_only_on_the_ground() -> None:
    clip, geometry = street((WALKER,), frames=1, size=(320, 180))
    frames = clip.frames.copy()
    shade = np.zeros((180, 320), np.bool_)
    shade[110:150, 60:130] = True
    frames[0][shade] = frames[0][shade] * 0.55
    shadowed = Clip(frames=frames, timestamps_seconds=np.zeros(1), fps=10.0)
    ratios = []
    for hard in (False, True):
        condition = Condition(has_hard_shadows=hard)
        out = FrameRenderer(shadowed, geometry, Spec(seed=1, clouds_okta=8), condition, 1).render(0)
        lit = np.zeros_like(shade)
        lit[110:150, 150:220] = True
        light = srgb_to_linear(out / 255).mean(axis=2)
        ratios.append(float(np.median(light[shade]) / np.median(light[lit])))
    assert ratios[1] > 1.5 * ratios[0]


@pytest.mark.parametrize(
    ("seed", "spec"),
    [
        (7_000_024, Spec(seed=1, clouds_okta=8)),
        (10_000_049, Spec(seed=1, clouds_okta=8)),
        (10_000_049, Spec(seed=1, fog_mor_m=100)),
    ],
    ids=["shadows", "crossing", "crossing in fog"],
)
def test_the_road_does_not_pump_as_shadows_and_markings_pass(seed: int, spec: Spec) -> None:
    """Where the source's ground stays as it is from frame to frame, the candidate's does, too."""
    drive = render_drive(seed, frames=14, size=(256, 144), fps=10.0)
    assert drive.condition.has_hard_shadows
    painted = np.stack(list(render_frames(drive.clip, drive.geometry, spec, drive.condition, 1)))
    before, after = (f.astype(np.float32).mean(axis=-1) for f in (drive.clip.frames, painted))
    gain = np.log2((after + 8) / (before + 8))
    ground = np.isin(drive.geometry.tags, list(FLAT))
    steps = []
    for i in range(len(gain) - 1):
        same = ground[i] & ground[i + 1] & (np.abs(before[i + 1] - before[i]) < 3)
        steps.append(float(np.median((gain[i + 1] - gain[i])[same])))
    assert np.abs(steps).max() < 0.02


def test_a_sun_in_the_open_burns_and_a_hidden_one_does_not() -> None:
    wall = Box(left=0.3, right=0.7, height_m=20.0, depth_m=25.0, colour=(120, 110, 100))
    spec = Spec(seed=1, sun_elevation_deg=8, sun_azimuth_deg=0)
    brightest = {}
    for name, boxes in {"open": (), "hidden": (wall,)}.items():
        clip, geometry = street(boxes, frames=1, size=(480, 270))
        renderer = FrameRenderer(clip, geometry, spec, CLEAR, 1)
        frame = renderer.render(0)
        brightest[name] = (grey(frame) > 250).mean()
        told = renderer.rendered["sun_seen_share"]
        assert told == pytest.approx(1.0 if name == "open" else 0.0, abs=0.01)
        assert frame[..., 0].mean() > frame[..., 2].mean() + 8, "warm light in both"
    assert brightest["open"] > 0.001
    assert brightest["hidden"] == 0


def test_the_sun_stands_where_it_was_asked() -> None:
    clip, geometry = street((), frames=1, size=(480, 270))
    for azimuth in (-15.0, 15.0):
        spec = Spec(seed=1, sun_elevation_deg=9, sun_azimuth_deg=azimuth)
        frame = grey(FrameRenderer(clip, geometry, spec, CLEAR, 1).render(0))
        column = np.argwhere(frame > 252)[:, 1].mean()
        expected = geometry.camera.cx + geometry.camera.fx * np.tan(np.radians(azimuth))
        assert column == pytest.approx(expected, abs=12)


def test_sunlight_reddens_towards_the_horizon() -> None:
    low, high = sun_colour(2.0), sun_colour(30.0)
    assert low[2] < low[1] < low[0] == 1
    assert low[2] < 0.5 * high[2]


def test_dusk_lies_between_day_and_night() -> None:
    clip, geometry = street((HOUSE,), frames=1)
    levels = [
        grey(FrameRenderer(clip, geometry, Spec(seed=1, sun_elevation_deg=e), CLEAR, 1).render(0)).mean()
        for e in (-1.0, -4.0, -8.0, -15.0)
    ]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] < grey(clip.frames[0]).mean()


def test_exposure_is_in_stops() -> None:
    clip, geometry = street(frames=1)
    darker = FrameRenderer(clip, geometry, Spec(seed=1, exposure_stops=-1), CLEAR, 1).render(0)
    before, after = srgb_to_linear(clip.frames[0] / 255), srgb_to_linear(darker / 255)
    assert after.mean() / before.mean() == pytest.approx(0.5, rel=0.01)


def test_some_windows_are_lit_at_night_and_stay_with_their_house() -> None:
    wall = Box(left=0.0, right=1.0, height_m=30.0, depth_m=20.0, colour=(170, 150, 130))
    clip, geometry = street((wall,), frames=2, size=(640, 360), moving=False)
    frames = clip.frames.copy()
    panes = np.zeros((360, 640), np.bool_)
    panes[10:140:26, :] = True
    panes = np.logical_or.reduce([np.roll(panes, k, axis=0) for k in range(12)]) & (np.arange(640) % 40 < 22)
    panes &= geometry.depth_m[0] == 20.0
    frames[:, panes] = (25, 28, 32)
    city = Clip(frames=frames, timestamps_seconds=np.arange(2) / 10, fps=10.0)
    first, second = (grey(f) for f in render_frames(city, geometry, NIGHT, CLEAR, 3))
    lit = first > 90
    assert 0.05 < lit[panes].mean() < 0.6
    assert lit[~panes & (geometry.depth_m[0] == 20.0)].mean() < 0.1
    assert (lit & (second > 90)).sum() > 0.8 * lit.sum()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 31), (720, 1280), (2160, 3840), (5, 60_000)])
def test_strips_hold_every_row_once(height: int, width: int) -> None:
    cut = list(strips((height, width, 3)))
    assert [row for part in cut for row in range(part.start, part.stop)] == list(range(height))
    assert all(12 * width * (part.stop - part.start) <= 320 << 10 for part in cut) or width > 27_000


def test_a_box_with_a_margin_is_a_part_of_the_halved_frame() -> None:
    mask = np.zeros((90, 121), np.bool_)
    assert box_around(mask, margin=8) is None
    mask[33:41, 51:60] = True
    assert box_around(mask) == (slice(33, 41), slice(51, 60))
    assert box_around(mask, margin=8) == (slice(24, 50), slice(42, 68))
    assert box_around(mask, margin=200) == (slice(0, 90), slice(0, 121))
