"""Redrawn: pixels of things and of their outlines that a condition honestly draws anew.

A wet road mirrors, snow whitens, a low sun glitters and clouds take shadows away: the ground around the foot
of a thing is not the thing. Where dusk or
night was asked for, lamps light a thing before what stays dark behind it, so that its outline may turn from
dark on bright to bright on dark; and what shines has its own pattern. How much of an outline lies on the
ground, or is a lamp, depends on how large a thing is in pixels, so without this the same scene would pass at
one size and fail at another.
"""

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.critic.survey import emitters, small_lights
from worldgen.datatypes.tags import FLAT

Mask = npt.NDArray[np.bool_]


def redrawn(evidence: Evidence, frame: int) -> Mask | None:
    """Pixels of one frame that say nothing about the things' own pattern; None where all do."""
    if evidence.source is None or evidence.objects is None:
        return None
    out: Mask | None = None
    if evidence.asked.is_dark:
        out = evidence.objects[1][frame] == 0
    elif (evidence.asked.is_ground_changed or evidence.asked.is_relit) and evidence.tags is not None:
        ground = np.isin(evidence.tags[frame], list(FLAT)).astype(np.uint8)
        # What a picture shows at the edge of the ground is a mixture of both.
        out = cv2.dilate(ground, np.ones((3, 3), np.uint8)) > 0
    shining = lit(evidence, frame)
    if shining is None:
        return out
    return shining if out is None else out | shining


def lit(evidence: Evidence, frame: int) -> Mask | None:
    """Pixels around what shines that did not shine in the source; None where nothing may be lit."""
    source, candidate = evidence.source, evidence.candidate
    if source is None:
        return None
    if evidence.asked.is_dark:
        return np.asarray(emitters(source.luma[frame], candidate.luma[frame]) > 0)
    if evidence.lamps is None:
        return None
    lamps = small_lights(source.luma[frame], candidate.luma[frame], evidence.lamps[frame])
    return np.asarray(lamps > 0)
