"""Green things: leaves and grass by their colour alone."""

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, UInt8

from worldgen.imaging.channels import total


def is_green(picture: UInt8[npt.NDArray[np.uint8], "h w 3"]) -> Bool[npt.NDArray[np.bool_], "h w"]:
    """Leaves and grass: green over red and blue (excess green, Woebbecke et al. 1995)."""
    smooth = cv2.blur(picture, (5, 5)).astype(np.int16)
    excess = 2 * smooth[..., 1] - smooth[..., 0] - smooth[..., 2]
    return np.asarray(excess * 8 > total(smooth))
