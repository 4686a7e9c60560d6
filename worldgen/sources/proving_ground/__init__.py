"""The proving ground: our own procedural driving scenes, with everything a simulator knows."""

from worldgen.sources.proving_ground.drive import Drive, render_drive
from worldgen.sources.proving_ground.edits import (
    AddActor,
    Edit,
    FreezeActor,
    LampChange,
    LosePart,
    MarkingChange,
    RecolourActor,
    RemoveActor,
    RemoveObject,
    ResizeActor,
    SwapActor,
    TeleportActor,
    TrafficLightChange,
)
from worldgen.sources.proving_ground.layout import scene_of
from worldgen.sources.proving_ground.record import record
from worldgen.sources.proving_ground.scene import Scene

__all__ = [
    "AddActor",
    "Drive",
    "Edit",
    "FreezeActor",
    "LampChange",
    "LosePart",
    "MarkingChange",
    "RecolourActor",
    "RemoveActor",
    "RemoveObject",
    "ResizeActor",
    "Scene",
    "SwapActor",
    "TeleportActor",
    "TrafficLightChange",
    "record",
    "render_drive",
    "scene_of",
]
