"""Where each part of a geometry, or a control map, came from."""

from typing import Literal, TypeAlias

from worldgen.datatypes.digest import Value

Origin: TypeAlias = Literal["simulator", "sidecar", "estimated", "from_motion", "assumed", "absent"]
"""simulator: rendered truth. sidecar: measured beside the clip (LiDAR, stereo). estimated: a network.
from_motion: triangulated from the clip itself. assumed: a prior (ground plane, camera height)."""


class Origins(Value):
    """Where each part of a geometry came from."""

    depth: Origin
    scale: Origin
    """Where metres come from; depth may be from motion while its scale is an assumed camera height."""
    tags: Origin = "absent"
    instances: Origin = "absent"
    camera: Origin = "assumed"
    pose: Origin = "absent"
    flow: Origin = "absent"
