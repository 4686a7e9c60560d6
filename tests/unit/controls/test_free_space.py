"""What is ground: by colours learned from the clip, with cars in the way and stains on the road."""

import numpy as np

from worldgen.controls.free_space import GroundColour, with_low, without_dark

H, W = 60, 120
FOCAL = 100.0
HORIZON = 20
PLANE = (np.maximum(np.arange(H)[:, None] - HORIZON, 0) / (FOCAL * 1.5) * np.ones((1, W))).astype(np.float32)
"""Inverse depth of a road 1.5 m below the camera."""


def road_with_car() -> tuple[np.ndarray, np.ndarray]:
    """A grey road under a bright sky, with a black car in the middle of it; and where the car is."""
    rng = np.random.default_rng(0)
    picture = np.empty((H, W, 3), np.uint8)
    picture[:] = (200, 210, 230)
    picture[HORIZON:] = np.clip(rng.normal(130, 5, (H - HORIZON, W, 1)), 0, 255)
    car = np.zeros((H, W), np.bool_)
    car[24:36, 50:70] = True
    picture[car] = (22, 22, 26)
    return picture, car


def score(*, is_careful: bool) -> tuple[np.ndarray, np.ndarray]:
    picture, car = road_with_car()
    ground = np.zeros((H, W), np.float32)
    ground[HORIZON + 2 :, 20:100] = 0.7
    other = np.zeros((H, W), np.float32)
    other[: HORIZON - 2] = 0.5
    if is_careful:
        ground = without_dark(picture.mean(axis=2).astype(np.uint8), ground)
    colour = GroundColour(np.zeros((H, W), np.intp))
    colour.learn(picture, ground, other)
    return colour(picture), car


def test_a_black_car_in_the_lane_is_not_learned_as_road() -> None:
    careful, car = score(is_careful=True)
    careless, _ = score(is_careful=False)
    road = np.zeros_like(car)
    road[HORIZON + 2 :] = True
    road &= ~car
    assert careful[car].mean() < 0.5 < careful[road].mean()
    assert careless[car].mean() > 1.5, "without care the car would be road: the test can fail"


def test_bright_markings_keep_their_weight() -> None:
    grey = np.full((4, 40), 100, np.uint8)
    grey[:, 10:14] = 220
    grey[:, 20:24] = 40
    weight = without_dark(grey, np.ones((4, 40), np.float32))
    assert weight[:, 10:14].min() == 1
    assert weight[:, 20:24].max() < 0.05
    assert weight[:, :10].min() == 1


def test_a_stain_becomes_ground_and_a_car_does_not() -> None:
    ground = np.zeros((H, W), np.bool_)
    ground[HORIZON + 2 :] = True
    # At row 50 the road is 5 m away and a pixel covers 5 cm of height.
    stain, car = (slice(47, 50), slice(10, 30)), (slice(28, 50), slice(60, 90))
    ground[stain] = False
    ground[car] = False
    filled = with_low(ground, PLANE, FOCAL)
    assert filled[stain].all()
    assert not filled[car].any()


def test_what_reaches_up_to_the_horizon_stands() -> None:
    ground = np.zeros((H, W), np.bool_)
    ground[HORIZON + 2 :] = True
    ground[:26, 40:60] = False
    assert not with_low(ground, PLANE, FOCAL)[:26, 40:60].any()
