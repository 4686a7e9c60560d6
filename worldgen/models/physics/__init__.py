"""Weather physics: a world model without weights, in linear light, on geometry.

`PhysicsWorldModel` is in `model`: it writes videos; the renderer alone must run where no video library is.
"""

from worldgen.models.physics.renderer import FrameRenderer, render_frames

__all__ = ["FrameRenderer", "render_frames"]
