"""Weather in the proving ground obeys its physics, and changes only what it should."""

import numpy as np
import pytest

from worldgen.datatypes import Spec, Tag
from worldgen.sources.proving_ground import render_drive
from worldgen.sources.proving_ground.light import weather_of
from worldgen.sources.proving_ground.scene import Building, Ego, Lane, Road, Scene, Sky


def to_linear(frames: np.ndarray) -> np.ndarray:
    x = frames / 255.0
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def scene_with_black_walls() -> Scene:
    """Matt black halls at known distances on the left, beside a road."""
    walls = tuple(
        Building(
            s_m=float(s),
            d_m=12.0 + s * 0.12,
            length_m=4.0,
            depth_m=12.0,
            height_m=14.0,
            style="hall",
            colour=(0.0, 0.0, 0.0),
            trim=(0.0, 0.0, 0.0),
            seed=1,
        )
        for s in (25, 45, 70, 100)
    )
    return Scene(
        seed=1,
        place="rural",
        road=Road(left_m=3.5, right_m=-3.5, kerbs=False, pavement_m=(0.0, 0.0)),
        lanes=(Lane(centre_m=-1.75, width_m=3.5, direction=1, speed_m_s=10.0),),
        markings=(),
        buildings=walls,
        ego=Ego(lane=0, speed_m_s=0.0, height_m=1.5, pitch_rad=0.0, hfov_deg=60.0, shake=0.0),
        sky=Sky(clouds_okta=8),
    )


@pytest.mark.parametrize("mor", [60.0, 120.0, 250.0])
def test_fog_transmits_what_its_range_says(mor: float) -> None:
    """Measured back from the 8-bit frame: airlight from the sky, transmission from black walls."""
    spec = Spec(seed=1, fog_mor_m=mor)
    drive = render_drive(1, frames=1, spec=spec, scene=scene_with_black_walls())
    light = to_linear(drive.clip.frames[0].astype(float))[..., 1]
    camera = drive.geometry.camera
    depth = drive.geometry.depth_m[0]
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    length = depth * np.sqrt(
        1 + ((columns - camera.cx) / camera.fx) ** 2 + ((rows - camera.cy) / camera.fy) ** 2
    )
    wall = (drive.geometry.tags[0] == Tag.BUILDING) & (rows > 40) & (rows < 66)
    air = light[drive.geometry.tags[0] == Tag.SKY].mean()
    near = wall & (length < mor * 0.9)
    assert near.sum() > 60
    through = 1 - light[near] / air
    slope = -(np.log(np.clip(through, 1e-3, 1)) * length[near]).sum() / (length[near] ** 2).sum()
    assert 2.996 / slope == pytest.approx(mor, rel=0.15)


def test_weather_changes_no_geometry() -> None:
    clear = render_drive(4, frames=1)
    for spec in (
        Spec(seed=1, fog_mor_m=80),
        Spec(seed=1, rain_mm_h=20, wetness=0.8),
        Spec(seed=1, sun_elevation_deg=-20),
        Spec(seed=1, snow_mm_h=3, snow_cover=0.8),
    ):
        other = render_drive(4, frames=1, spec=spec)
        assert np.array_equal(clear.geometry.depth_m, other.geometry.depth_m)
        assert np.array_equal(clear.geometry.tags, other.geometry.tags)
        assert np.array_equal(clear.geometry.instances, other.geometry.instances)
        assert not np.array_equal(clear.clip.frames, other.clip.frames)
        assert other.condition.label == spec.asks_for


def test_night_is_dark_and_headlights_light_the_road() -> None:
    day, night = (
        render_drive(2, frames=1),
        render_drive(2, frames=1, spec=Spec(seed=1, sun_elevation_deg=-25)),
    )
    assert to_linear(night.clip.frames).mean() < 0.25 * to_linear(day.clip.frames).mean()
    tags, depth = night.geometry.tags[0], night.geometry.depth_m[0]
    light = to_linear(night.clip.frames[0].astype(float)).mean(-1)
    lit = light[(tags == Tag.ROAD) & (depth < 14)].mean()
    beyond = light[np.isin(tags, [Tag.TERRAIN, Tag.GROUND, Tag.VEGETATION])].mean()
    assert lit > 3 * beyond
    assert "head" in set().union(*night.lamp_states[0].values())
    assert "head" not in set().union(*day.lamp_states[0].values())


def test_wet_road_mirrors_what_stands_behind_it() -> None:
    """The bright far sky must reappear in the road: wet and grazing, the road is brighter than dry and near."""
    dry = render_drive(12, frames=1, spec=Spec(seed=1, clouds_okta=8))
    wet = render_drive(12, frames=1, spec=Spec(seed=1, clouds_okta=8, wetness=0.9))
    road = dry.geometry.tags[0] == Tag.ROAD
    near, far = road & (dry.geometry.depth_m[0] < 5), road & (dry.geometry.depth_m[0] > 25)
    change = wet.clip.frames[0].astype(float).mean(-1) - dry.clip.frames[0].astype(float).mean(-1)
    assert np.median(change[near]) < -4
    assert change[far].mean() > change[near].mean() + 8
    assert wet.clip.frames[0][far].astype(float).std() > dry.clip.frames[0][far].astype(float).std()


def test_snow_whitens_what_faces_up() -> None:
    bare = render_drive(2, frames=1, spec=Spec(seed=1, clouds_okta=8))
    snow = render_drive(2, frames=1, spec=Spec(seed=1, clouds_okta=8, snow_cover=0.9))
    change = snow.clip.frames[0].astype(float).mean(-1) - bare.clip.frames[0].astype(float).mean(-1)
    ground = np.isin(bare.geometry.tags[0], [Tag.TERRAIN, Tag.GROUND])
    assert change[ground].mean() > 60


def test_rain_falls_and_streams() -> None:
    """Streaks are where the air is, move from frame to frame, and brighten what is dark behind them."""
    wet = Spec(seed=1, clouds_okta=8, wetness=0.8, spray=0.0)
    rain = Spec(seed=1, clouds_okta=8, wetness=0.8, spray=0.0, rain_mm_h=30)
    without, with_ = render_drive(2, frames=2, spec=wet), render_drive(2, frames=2, spec=rain)
    change = with_.clip.frames.astype(float).mean(-1) - without.clip.frames.astype(float).mean(-1)
    sharp = change - np.stack([np.median([np.roll(c, k, 1) for k in (-3, -2, 2, 3)], axis=0) for c in change])
    streaks = sharp > 12
    assert 0.001 < streaks.mean() < 0.12
    both = (streaks[0] & streaks[1]).sum() / streaks.sum()
    assert both < 0.4  # a layer stuck to the screen would be 1


def test_lens_drops_are_ignore_regions() -> None:
    drive = render_drive(2, frames=1, spec=Spec(seed=1, lens_drops=0.5))
    regions = drive.labels.frames[0].ignore
    assert regions
    assert {r.reason for r in regions} == {"lens_drop"}


def test_sun_casts_shadows_and_clouds_take_them() -> None:
    sunny = weather_of(Sky(), Spec(seed=1, clouds_okta=0, sun_elevation_deg=40))
    dull = weather_of(Sky(), Spec(seed=1, clouds_okta=8, sun_elevation_deg=40))
    assert sunny.sun_rgb.min() > 0.5
    assert dull.sun_rgb.max() == 0.0
