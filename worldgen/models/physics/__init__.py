"""Weather physics: a world model without weights, in linear light, on geometry."""

from worldgen.models.physics.model import PhysicsWorldModel
from worldgen.models.physics.renderer import FrameRenderer, render_frames

__all__ = ["FrameRenderer", "PhysicsWorldModel", "render_frames"]
