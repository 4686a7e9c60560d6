"""The world-scenario control: a scene's map and boxes as the camera would see them."""

import numpy as np

from worldgen.datatypes import ControlMap, Geometry
from worldgen.datatypes.scene import Scene
from worldgen.errors import ExtractError
from worldgen.render.wsm import render_wsm


def wsm_control(scene: Scene | None, geometry: Geometry | None) -> ControlMap:
    """Render the world-scenario map of a scene package, frame for frame with its geometry.

    Raises:
        ExtractError: `missing_geometry` without a scene, a camera pose per frame, or a plain pinhole.
    """
    if scene is None or not (scene.elements or any(scene.boxes)):
        message = "a world-scenario map is rendered from boxes and lanes, which this source lacks"
        raise ExtractError(
            message, reason="missing_geometry", hint="use a recording with a scene, or bring a wsm video"
        )
    if geometry is None or geometry.pose is None:
        message = "a world-scenario map needs the camera's pose in every frame, which this source lacks"
        raise ExtractError(message, reason="missing_geometry")
    camera = geometry.camera
    if camera.model != "pinhole" or any(camera.distortion):
        message = f"a world-scenario map is rendered for plain pinhole cameras; this one is {camera.model}"
        raise ExtractError(
            message, reason="missing_geometry", hint="undistort the clip, or bring a wsm video"
        )
    if scene.boxes and len(scene.boxes) != len(geometry):
        message = f"the scene has boxes for {len(scene.boxes)} frames, the geometry has {len(geometry)}"
        raise ExtractError(message, reason="missing_geometry")
    frames = render_wsm(scene, camera, np.asarray(geometry.pose))
    return ControlMap(
        kind="wsm", frames=frames, origin=geometry.origins.pose, parameters=(("colours", "v3"),)
    )
