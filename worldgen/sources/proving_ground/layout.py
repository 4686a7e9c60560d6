"""From a seed to a scene: draws a place, its road, its houses, its plants and its traffic."""

import numpy as np

from worldgen.sources.proving_ground.carriageway import (
    draw_arrows,
    draw_crossings,
    draw_lights,
    draw_markings,
    draw_road,
)
from worldgen.sources.proving_ground.cast import draw_actors
from worldgen.sources.proving_ground.draw import Rng, draw_paint
from worldgen.sources.proving_ground.roadside import draw_buildings, draw_furniture, draw_plants
from worldgen.sources.proving_ground.scene import (
    Ego,
    Lane,
    Place,
    Scene,
    Sky,
)

PLACES: tuple[Place, ...] = ("city", "suburb", "rural", "highway", "industrial")


def scene_of(seed: int) -> Scene:
    """Draw the scene of a seed; the same seed is the same scene, everywhere and always."""
    rng = np.random.default_rng([seed, 0x5CE7E])
    place = PLACES[int(rng.choice(5, p=[0.38, 0.2, 0.16, 0.16, 0.1]))]
    road, lanes = draw_road(rng, place)
    crossings = draw_crossings(rng, place)
    ego_lane = _ego_lane(rng, lanes)
    lights = draw_lights(rng, road, crossings)
    red = next((c for c in crossings if c.signalled), None)
    stops = red is not None and lights[0].state_at(0.0) == "red"
    ego = Ego(
        lane=ego_lane,
        speed_m_s=float(lanes[ego_lane].speed_m_s * rng.uniform(0.7, 1.05)),
        brakes_at=red.s_m - red.half_width_m - 8.0 if red is not None and stops else None,
        height_m=float(rng.uniform(1.25, 1.75)),
        pitch_rad=float(rng.uniform(-0.01, 0.06)),
        hfov_deg=float(rng.uniform(52, 88)),
        shake=float(rng.uniform(0.2, 1.4)),
        bonnet=bool(rng.random() < 0.2),
        colour=draw_paint(rng),
    )
    buildings = draw_buildings(rng, place, road, crossings)
    plants = draw_plants(rng, place, road, crossings, buildings)
    furniture = draw_furniture(rng, place, road, crossings)
    actors = draw_actors(rng, place, road, lanes, crossings, ego)
    far = float(rng.uniform(420, 650))
    tall = float(rng.uniform(8, 22) if place == "rural" else rng.uniform(5, 16))
    return Scene(
        seed=seed,
        place=place,
        road=road,
        lanes=lanes,
        markings=draw_markings(rng, place, lanes, crossings),
        crossings=crossings,
        arrows=draw_arrows(rng, lanes, crossings),
        buildings=buildings,
        plants=plants,
        furniture=furniture,
        traffic_lights=lights,
        actors=actors,
        ego=ego,
        sky=Sky(
            sun_elevation_deg=float(rng.uniform(18, 62)),
            sun_azimuth_deg=float(rng.uniform(-180, 180)),
            clouds_okta=int(rng.choice([0, 1, 2, 3, 4, 5])),
            haze_mor_m=float(rng.uniform(9000, 35000)),
            warmth=float(rng.normal(0, 0.35)),
            contrast=float(rng.uniform(0.92, 1.08)),
        ),
        backdrop=(far, tall, int(rng.integers(1 << 30))),
    )


def _ego_lane(rng: Rng, lanes: tuple[Lane, ...]) -> int:
    own = [i for i, lane in enumerate(lanes) if lane.direction == 1]
    return int(rng.choice(own))
