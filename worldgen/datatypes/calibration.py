"""A camera: how points in front of it become pixels, and where it sits on the vehicle."""

from typing import Literal, TypeAlias

from worldgen.datatypes.digest import Value

CameraModel: TypeAlias = Literal["pinhole", "fisheye", "ftheta"]


class Camera(Value):
    """Intrinsics and mounting. Camera axes: x right, y down, z forward; metres and radians.

    Pinhole: u = fx x/z + cx, with optional Brown-Conrady distortion (k1, k2, p1, p2, k3).
    Fisheye: OpenCV's equidistant model (Kannala and Brandt 2006), distortion (k1, k2, k3, k4).
    F-theta: radius in pixels is the polynomial of the angle in radians, coefficients lowest first. fx and fy
    equal the linear coefficient at the calibrated size; when they differ, the frames were scaled since.
    """

    model: CameraModel = "pinhole"
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()
    height_m: float = 1.5
    """Height of the optical centre above the road."""
    pitch_rad: float = 0.0
    """Downward tilt of the optical axis against the road; positive looks down."""
    roll_rad: float = 0.0

    def scaled(self, width: int, height: int) -> "Camera":
        """Return the same camera for frames of another size (whole image scaled, no crop)."""
        sx, sy = width / self.width, height / self.height
        return self.model_copy(
            update={
                "width": width,
                "height": height,
                "fx": self.fx * sx,
                "fy": self.fy * sy,
                "cx": (self.cx + 0.5) * sx - 0.5,
                "cy": (self.cy + 0.5) * sy - 0.5,
            }
        )
