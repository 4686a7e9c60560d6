"""A scene of the proving ground, wholly described in numbers: what stands where, and what drives how.

World axes: x along the road where the ego starts, y left, z up, metres; the road is the plane z = 0.
Road coordinates: s along the centre line (0 where the ego starts), d to the left of it.
"""

from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from worldgen.datatypes.digest import Value

Floats: TypeAlias = npt.NDArray[np.floating]
Colour: TypeAlias = tuple[float, float, float]
"""Linear reflectance per channel, 0..1."""
Place: TypeAlias = Literal["city", "suburb", "rural", "highway", "industrial"]
ActorKind: TypeAlias = Literal["car", "suv", "van", "truck", "bus", "pedestrian", "cyclist"]
LightState: TypeAlias = Literal["red", "yellow", "green", "off"]
MarkingKind: TypeAlias = Literal["solid", "dashed", "double"]
MarkingColour: TypeAlias = Literal["white", "yellow"]
Lamp: TypeAlias = Literal["head", "tail", "brake", "left", "right"]
LAMPS: tuple[Lamp, ...] = ("head", "tail", "brake", "left", "right")

X_MIN, X_MAX, X_STEP = -150.0, 700.0, 0.5


class Road(Value):
    """The main road: a centre line y(x), lanes and edges."""

    curvature: tuple[float, float, float, float] = (0.0, 0.0, 300.0, 0.0)
    """Constant part (1/m), amplitude (1/m), wave length (m) and phase of the swinging part."""
    left_m: float
    """d of the left kerb or edge of the carriageway (positive)."""
    right_m: float
    """d of the right kerb (negative)."""
    kerbs: bool = True
    pavement_m: tuple[float, float] = (2.5, 2.5)
    """Widths of the pavements left and right; 0 where there is grass."""
    tone: float = 0.09
    """Reflectance of the asphalt."""
    patches: float = 0.3
    """How much it has been mended, 0..1."""
    ground: Colour = (0.09, 0.12, 0.04)
    """Beyond the pavement."""
    pavement: Colour = (0.35, 0.34, 0.32)
    seed: int = 0

    @cached_property
    def _table(self) -> tuple[Floats, Floats, Floats, Floats]:
        x = np.arange(X_MIN, X_MAX + X_STEP, X_STEP)
        k0, k1, wave, phase = self.curvature
        # The bend sets in ahead of the ego, so that it starts aligned with its lane.
        ramp = np.clip((np.abs(x) - 5.0) / 40.0, 0.0, 1.0)
        bend = (k0 + k1 * np.sin(2 * np.pi * x / wave + phase)) * ramp
        zero = round(-X_MIN / X_STEP)
        heading = np.cumsum(bend) * X_STEP
        heading = np.clip(heading - heading[zero], -0.7, 0.7)
        y = np.cumsum(np.tan(heading)) * X_STEP
        s = np.cumsum(1 / np.cos(heading)) * X_STEP
        return x, y - y[zero], heading, s - s[zero]

    @cached_property
    def is_straight(self) -> bool:
        """Whether the centre line is the x axis."""
        return self.curvature[0] == 0.0 and self.curvature[1] == 0.0

    def world(self, s: Floats | float, d: Floats | float) -> tuple[Floats, Floats, Floats]:
        """Return x, y and heading (radians) of road coordinates."""
        x, y, heading, along = self._table
        at = np.interp(s, along, x)
        angle = np.asarray(np.interp(at, x, heading))
        return at - np.sin(angle) * d, np.interp(at, x, y) + np.cos(angle) * d, angle

    def coordinates(self, px: Floats, py: Floats) -> tuple[Floats, Floats]:
        """Return s and d of world points, by Newton steps to the foot of the perpendicular."""
        if self.is_straight:
            return px, py
        _, y, heading, along = self._table
        foot = px
        for _ in range(3):
            at = np.clip((foot - X_MIN) / X_STEP, 0, len(y) - 1.001)
            low = at.astype(np.int32)
            part = (at - low).astype(np.float32)
            angle = heading[low] + (heading[low + 1] - heading[low]) * part
            cos, sin = np.cos(angle), np.sin(angle)
            dx = px - foot
            dy = py - (y[low] + (y[low + 1] - y[low]) * part)
            foot = foot + (dx * cos + dy * sin) * cos
        return along[low] + (along[low + 1] - along[low]) * part, dy * cos - dx * sin


class Lane(Value):
    """A lane of the main road."""

    centre_m: float
    width_m: float
    direction: Literal[1, -1]
    """1 drives with the ego, -1 against it."""
    speed_m_s: float


class Marking(Value):
    """A line along the main road."""

    kind: MarkingKind
    colour: MarkingColour
    offset_m: float
    start_m: float
    end_m: float
    width_m: float = 0.14
    dash_m: float = 3.0
    gap_m: float = 6.0


class Crossing(Value):
    """A road that crosses the main road at right angles."""

    s_m: float
    half_width_m: float
    zebra: bool = True
    signalled: bool = False


class Arrow(Value):
    """A painted arrow in a lane."""

    s_m: float
    d_m: float
    direction: Literal[1, -1]
    turn: Literal["straight", "left", "right"] = "straight"


class Building(Value):
    """A block with windows."""

    s_m: float
    d_m: float
    length_m: float
    """Along the road."""
    depth_m: float
    height_m: float
    style: Literal["flats", "glass", "brick", "house", "hall", "shop"]
    colour: Colour
    trim: Colour
    bay_m: float = 3.0
    storey_m: float = 3.2
    seed: int = 0


class Plant(Value):
    """A tree, conifer or bush."""

    kind: Literal["tree", "conifer", "bush", "poplar"]
    s_m: float
    d_m: float
    height_m: float
    radius_m: float
    colour: Colour
    seed: int = 0


class Furniture(Value):
    """A thing beside the road that does not move."""

    kind: Literal[
        "street_light", "pole", "sign", "bollard", "bin", "fence", "guard_rail", "shelter", "gantry", "cone"
    ]
    id: int = 0
    """Instance id of signs; 0 for what is not labelled."""
    s_m: float
    d_m: float
    height_m: float = 3.0
    length_m: float = 0.0
    facing: Literal[1, -1] = 1
    """1 faces drivers who drive with the ego."""
    variant: int = 0


class TrafficLight(Value):
    """A signal head on a mast, over or beside the road."""

    id: int
    s_m: float
    d_m: float
    height_m: float
    arm_m: float = 0.0
    facing: Literal[1, -1] = 1
    states: tuple[tuple[float, LightState], ...] = ((0.0, "green"),)
    """(from second, state), ascending."""

    def state_at(self, seconds: float) -> LightState:
        """Return the state at a time."""
        return next((s for t, s in reversed(self.states) if t <= seconds + 1e-9), self.states[0][1])


class Actor(Value):
    """Somebody who moves, or is parked."""

    id: int
    kind: ActorKind
    s_m: float
    d_m: float
    direction: Literal[1, -1] = 1
    yaw_rad: float = 0.0
    """Added to the road's heading."""
    speed_m_s: float = 0.0
    """Wished for; traffic may slow it down."""
    lane: int | None = None
    """Index of the lane it follows; None for the parked and those on foot."""
    colour: Colour = (0.5, 0.5, 0.5)
    trim: Colour = (0.05, 0.05, 0.06)
    seed: int = 0
    indicator: Literal["", "left", "right", "both"] = ""
    across_m_s: float = 0.0
    """Speed along d, for those who cross the road."""
    is_driven: bool = False
    """Somebody sits in it, although it follows no lane of the main road: its lamps work."""


class Ego(Value):
    """The recording vehicle and its camera."""

    lane: int
    speed_m_s: float
    brakes_at: float | None = None
    """s where it will stop, if it will."""
    height_m: float = 1.45
    pitch_rad: float = 0.02
    hfov_deg: float = 65.0
    shake: float = 1.0
    bonnet: bool = False
    colour: Colour = (0.1, 0.1, 0.12)


class Sky(Value):
    """Weather and light of the scene itself, before any spec."""

    sun_elevation_deg: float = 40.0
    sun_azimuth_deg: float = 40.0
    """Relative to the ego's first heading: 0 ahead, 90 right."""
    clouds_okta: int = 2
    haze_mor_m: float = 20000.0
    warmth: float = 0.0
    """White balance, -1 cool .. 1 warm."""
    contrast: float = 1.0


class Scene(Value):
    """Everything there is, at time zero."""

    seed: int
    place: Place
    road: Road
    lanes: tuple[Lane, ...]
    markings: tuple[Marking, ...]
    crossings: tuple[Crossing, ...] = ()
    arrows: tuple[Arrow, ...] = ()
    buildings: tuple[Building, ...] = ()
    plants: tuple[Plant, ...] = ()
    furniture: tuple[Furniture, ...] = ()
    traffic_lights: tuple[TrafficLight, ...] = ()
    actors: tuple[Actor, ...] = ()
    ego: Ego
    sky: Sky = Sky()
    backdrop: tuple[float, float, int] = (0.0, 0.0, 0)
    """Hills or skyline: distance (m), height (m), seed; distance 0 for none."""

    def actor(self, actor_id: int) -> Actor:
        """Find an actor by its id."""
        return next(a for a in self.actors if a.id == actor_id)
