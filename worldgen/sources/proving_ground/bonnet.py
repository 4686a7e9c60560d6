"""The recording vehicle itself, as far as its camera sees it."""

import numpy as np

from worldgen.render.mesh import PAINT, PLAIN, Mesh, box
from worldgen.sources.proving_ground.bodies import DARK
from worldgen.sources.proving_ground.scene import Colour


def bonnet_mesh(paint: Colour, height_m: float) -> Mesh:
    """The recording vehicle's own bonnet as its camera sees it, about the camera's foot on the ground."""
    mesh = Mesh()
    xs = np.array([0.95, 1.2, 1.45, 1.65, 1.78, 1.84])
    tops = height_m - np.array([0.40, 0.405, 0.42, 0.45, 0.50, 0.60])
    rows = np.array([-1.0, -0.8, -0.45, 0.0, 0.45, 0.8, 1.0])
    crown = np.array([-0.10, -0.02, 0.012, 0.02, 0.012, -0.02, -0.10])
    wide = np.array([0.86, 0.86, 0.85, 0.80, 0.72, 0.6])
    for i in range(len(xs) - 1):
        for j in range(len(rows) - 1):
            quad = [
                [xs[i + a], rows[j + b] * wide[i + a], tops[i + a] + crown[j + b]]
                for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))
            ]
            mesh.add(np.array(quad), paint, PAINT, two_sided=True)
    mesh.add(box((0.3, 0.96), (-2.5, 2.5), (tops[0] - 1.2, tops[0] - 0.03)), DARK, PLAIN)
    mesh.add(box((0.90, 0.97), (-0.78, 0.78), (tops[0] - 0.1, tops[0] + 0.012)), DARK, PLAIN)
    return mesh
