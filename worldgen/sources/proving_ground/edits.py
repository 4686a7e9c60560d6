"""Edits: one thing about a drive is different, and everything else is the same to the last sample."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from worldgen.datatypes.digest import Value
from worldgen.sources.proving_ground.scene import (
    ActorKind,
    Colour,
    Lamp,
    LightState,
    MarkingColour,
    MarkingKind,
)


class RemoveActor(Value):
    """Somebody is not there, from a frame on."""

    op: Literal["remove"] = "remove"
    id: int
    from_frame: int = 0


class AddActor(Value):
    """Somebody is there who was not; the id is the next free one unless given."""

    op: Literal["add"] = "add"
    kind: ActorKind = "car"
    lane: int = 0
    distance_m: float = 20.0
    """Along the road from where the ego starts."""
    offset_m: float = 0.0
    """From the middle of the lane, to the left."""
    speed_m_s: float = 0.0
    colour: Colour = (0.35, 0.02, 0.02)
    seed: int = 0
    id: int = 900
    from_frame: int = 0


class RecolourActor(Value):
    """Somebody has another colour, from a frame on or drifting there frame by frame."""

    op: Literal["recolour"] = "recolour"
    id: int
    colour: Colour
    from_frame: int = 0
    drifts: bool = False


class TeleportActor(Value):
    """Somebody jumps: along the road, across it, up."""

    op: Literal["teleport"] = "teleport"
    id: int
    frame: int
    delta_m: tuple[float, float, float] = (6.0, 0.0, 0.0)


class FreezeActor(Value):
    """Somebody stays where he was at a frame, in the world."""

    op: Literal["freeze"] = "freeze"
    id: int
    frame: int


class ResizeActor(Value):
    """Somebody grows or shrinks, at once or frame by frame."""

    op: Literal["resize"] = "resize"
    id: int
    scale: float
    from_frame: int = 0
    drifts: bool = False


class SwapActor(Value):
    """Somebody becomes another kind of thing (a car becomes a van), from a frame on."""

    op: Literal["swap"] = "swap"
    id: int
    kind: ActorKind
    from_frame: int = 0


class LosePart(Value):
    """A vehicle loses a part: its wheels, its lamps, its plates, its windows."""

    op: Literal["lose_part"] = "lose_part"
    id: int
    part: Literal["wheels", "lamps", "plate", "windows"]
    from_frame: int = 0


class MarkingChange(Value):
    """A line on the road has another type or colour, or is not there."""

    op: Literal["marking"] = "marking"
    index: int
    kind: MarkingKind | Literal["none"] | None = None
    colour: MarkingColour | None = None
    shift_m: float = 0.0


class LampChange(Value):
    """A vehicle's lamp is lit or dark."""

    op: Literal["lamp"] = "lamp"
    id: int
    lamp: Lamp
    state: Literal["on", "off"]
    from_frame: int = 0


class TrafficLightChange(Value):
    """A traffic light shows another state."""

    op: Literal["traffic_light"] = "traffic_light"
    id: int
    state: LightState
    from_frame: int = 0


class RemoveObject(Value):
    """Something beside the road is not there: a sign or light by id, a building or plant by index."""

    op: Literal["remove_object"] = "remove_object"
    kind: Literal["sign", "traffic_light", "building", "plant"]
    key: int
    from_frame: int = 0


Edit: TypeAlias = Annotated[
    RemoveActor
    | AddActor
    | RecolourActor
    | TeleportActor
    | FreezeActor
    | ResizeActor
    | SwapActor
    | LosePart
    | MarkingChange
    | LampChange
    | TrafficLightChange
    | RemoveObject,
    Field(discriminator="op"),
]
"""One change to a drive."""
