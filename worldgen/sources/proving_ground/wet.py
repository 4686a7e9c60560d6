"""Wet ground: the scene mirrored in it, rendered from the camera's own mirror image under the road."""

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Camera
from worldgen.render.raster import Lens
from worldgen.sources.proving_ground.setting import Setting
from worldgen.sources.proving_ground.shade import shade
from worldgen.sources.proving_ground.view import Skyline, faces_in_view, see

F32 = npt.NDArray[np.floating]
FLIP = np.array([1.0, 1.0, -1.0])
REACH_M = 160.0


def mirror_on_ground(
    light: F32,
    gloss: F32,
    setting: Setting,
    skyline: Skyline,
    pose: npt.NDArray[np.floating],
    camera: Camera,
    t: int,
) -> F32:
    """Lay the mirrored scene over ground that shines.

    Both the ground and its mirror image already hold the air on their whole paths, so mixing them is exact.

    Args:
        light: Radiance per pixel, [h, w, 3].
        gloss: Mirror-like share of the ground, [h, w].
        setting: Of the frame.
        skyline: The distant silhouette.
        pose: world_from_camera.
        camera: Of the pixels.
        t: The frame.
    """
    shining = np.flatnonzero(gloss.max(1) > 0.01)
    if len(shining) == 0:
        return light
    top = int(shining[0])
    lens = Lens(camera.width, camera.height - top, camera.fx, camera.fy, camera.cx, camera.cy - top)
    position, rotation = pose[:3, 3] * FLIP, pose[:3, :3] * FLIP[:, None]
    faces = faces_in_view(setting.stage, t, position, rotation, lens, reach=REACH_M, without="ego")
    below = see(setting.stage, faces, lens, position, rotation, skyline, mirrored=True)
    image = shade(below, setting).radiance.reshape(lens.height, lens.width, 3)
    image = np.minimum(image, 8.0)
    # A film of water on rough asphalt mirrors mostly along the line of sight: streaks stand upright.
    film = cv2.GaussianBlur(image, (0, 0), sigmaX=camera.height * 0.006, sigmaY=camera.height * 0.035)
    pool = cv2.GaussianBlur(image, (0, 0), sigmaX=0.5, sigmaY=camera.height * 0.005)
    share = gloss[top:]
    # The mirrored ray climbs as steeply as the camera's own ray to the ground falls.
    rise = below.rays[:, 2].reshape(lens.height, lens.width)
    cos = np.clip(rise / np.linalg.norm(below.rays, axis=1).reshape(rise.shape), 0, 1)
    fresnel = 0.02 + 0.98 * (1 - cos) ** 5
    smooth = np.clip((share - 0.35) / 0.4, 0, 1)[..., None]
    seen = film * (1 - smooth) + pool * smooth
    weight = (share * fresnel)[..., None]
    out = light.copy()
    out[top:] = light[top:] * (1 - weight) + seen * weight
    return out
