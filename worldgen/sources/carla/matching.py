"""Joins a simulator's instance ids to actor ids: CARLA's instance camera numbers objects its own way."""

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Float64, Int32

from worldgen.datatypes import Camera
from worldgen.datatypes.scene import SceneBox, array_of
from worldgen.imaging.boxes import corners_of, outline_of
from worldgen.imaging.rle import decode_mask
from worldgen.sources.carla.truth import Picture, see_box


def match_instances(
    instances: Int32[npt.NDArray[np.int32], "h w"],
    boxes: tuple[SceneBox, ...],
    pose: Float64[npt.NDArray[np.float64], "4 4"],
    camera: Camera,
    depth_m: Float32[npt.NDArray[np.float32], "h w"] | None,
) -> Int32[npt.NDArray[np.int32], "h w"]:
    """Renumber one frame's instance pixels by the actor whose box they lie in; 0 where none does.

    A recorded id belongs to the actor in whose box most of its pixels lie (by depth; by outline when there
    is no depth), if that is at least half of them. Several ids may belong to one actor (a rider, a bicycle).
    """
    total = np.bincount(instances.ravel(), minlength=1)
    best: dict[int, tuple[float, int]] = {}
    camera_from_world = np.linalg.inv(pose)
    for box in boxes:
        camera_from_box = camera_from_world @ array_of(box.world_from_box)
        outline = outline_of(corners_of(box.size_m, camera_from_box), camera)
        if outline is None:
            continue
        middle = np.float32(camera_from_box[2, 3])
        depth = depth_m if depth_m is not None else np.full(instances.shape, middle, np.float32)
        seen = see_box(box.size_m, camera_from_box, outline, camera, Picture(depth_m=depth), box.id)
        if seen is None:
            continue
        inside = instances[decode_mask(seen.mask_rle, width=camera.width, height=camera.height)]
        for identity, count in zip(*np.unique(inside, return_counts=True), strict=True):
            share = float(count / total[identity])
            if identity and share >= 0.5 and share > best.get(int(identity), (0.0, 0))[0]:
                best[int(identity)] = (share, box.id)
    table = np.zeros(len(total), np.int32)
    for identity, (_, actor) in best.items():
        table[identity] = actor
    return np.asarray(table[instances], np.int32)
