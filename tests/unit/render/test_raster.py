"""The rasteriser covers the right samples with the right values, nearest first."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgen.render.mesh import bar, box, disc, prism, tyre
from worldgen.render.raster import Lens, Polygons, ZBuffer, fragments_of, plan_polygons, view_polygons

LENS = Lens(80, 60, 60.0, 60.0, 39.5, 29.5)


def shown(faces: np.ndarray, *, two_sided: bool = True, lens: Lens = LENS) -> tuple[np.ndarray, np.ndarray]:
    buffer = ZBuffer(np.zeros(lens.width * lens.height, np.float32))
    polygons = view_polygons(faces, lens, np.full(len(faces), two_sided))
    buffer.draw(polygons, lens.width, np.arange(1, len(faces) + 1))
    shape = (lens.height, lens.width)
    with np.errstate(divide="ignore"):
        return buffer.face.reshape(shape), (1 / buffer.value).reshape(shape)


def square(z: float, half: float, x: float = 0.0) -> np.ndarray:
    return np.array([[x - half, -half, z], [x + half, -half, z], [x + half, half, z], [x - half, half, z]])


def test_square_covers_exactly_its_samples() -> None:
    face, depth = shown(square(10.0, 2.0)[None])
    columns, rows = np.meshgrid(np.arange(80), np.arange(60))
    inside = (np.abs((columns - 39.5) / 6.0) <= 2.0) & (np.abs((rows - 29.5) / 6.0) <= 2.0)
    assert np.array_equal(face > 0, inside)
    assert np.allclose(depth[inside], 10.0, rtol=1e-6)
    assert np.isinf(depth[~inside]).all()


@pytest.mark.parametrize("slope", [5e-324, -5e-324, 1e-300, -1e-300])
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_face_that_is_cut_at_infinity_covers_nothing_or_all(slope: float, side: float) -> None:
    planes = np.array([[[slope, 0.0, side]]])
    polygons = Polygons(planes, np.array([[0.0, 0.0, 1.0]]), np.array([[0, 59]]), np.array([0]))
    covered = sum(len(bits.pixel) for bits in fragments_of(polygons, 80))
    assert covered == (60 * 80 if side > 0 else 0)


def test_nearest_wins_in_any_order() -> None:
    for order in ([0, 1], [1, 0]):
        faces = np.stack((square(10.0, 3.0), square(6.0, 0.5)))[order]
        face, depth = shown(faces)
        assert depth[30, 40] == pytest.approx(6.0, rel=1e-5)
        assert face[30, 40] == order.index(1) + 1
        assert depth[20, 40] == pytest.approx(10.0, rel=1e-5)


def test_faces_that_cross_are_cut_where_they_cross() -> None:
    tilted = np.array([[-4.0, -2, 6], [4.0, -2, 14], [4.0, 2, 14], [-4.0, 2, 6]])
    face, depth = shown(np.stack((square(10.0, 3.5), tilted)))
    assert face[30, 20] == 2
    assert face[30, 58] == 1
    assert depth[30, 20] < 10.0


def test_what_reaches_behind_the_camera_is_drawn_ahead_of_it_only() -> None:
    floor = np.array([[-50.0, 1.5, -20.0], [50.0, 1.5, -20.0], [50.0, 1.5, 500.0], [-50.0, 1.5, 500.0]])
    face, depth = shown(floor[None])
    rows = np.arange(32, 60)
    assert (face[33:] == 1).all()
    assert (face[:29] == 0).all()
    expected = 1.5 * 60.0 / (rows - 29.5)
    assert np.allclose(depth[rows, 40], expected, rtol=1e-5)


def test_back_faces_are_left_out_unless_two_sided() -> None:
    away = square(10.0, 2.0)[::-1]
    toward = square(10.0, 2.0)
    seen = [int((shown(q[None], two_sided=False)[0] > 0).sum()) for q in (toward, away)]
    assert min(seen) == 0
    assert max(seen) > 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-6, 6), min_size=6, max_size=6), st.lists(st.floats(1, 40), min_size=3, max_size=3))
def test_triangles_agree_with_ray_casting(xy: list[float], z: list[float]) -> None:
    corners = np.array([[xy[0], xy[1], z[0]], [xy[2], xy[3], z[1]], [xy[4], xy[5], z[2]]])
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    if np.linalg.norm(normal) < 1e-2:
        return
    face, depth = shown(corners[[0, 1, 2, 2]][None])
    rays = LENS.rays().astype(float)
    distance = normal @ corners[0] / (rays @ normal + 1e-12)
    points = rays * distance[..., None]
    sides = [np.cross(corners[(i + 1) % 3] - corners[i], points - corners[i]) @ normal for i in range(3)]
    least = np.min(sides, axis=0)
    scale = np.abs(sides).max() * 1e-4 + 1e-6
    hit, miss = (least > scale) & (distance > 0.2), (least < -scale) | (distance < 0.1)
    assert (face[hit] == 1).all()
    assert (face[miss] == 0).all()
    assert np.allclose(depth[hit], distance[hit], rtol=1e-3)


@pytest.mark.parametrize(
    "faces",
    [
        box((-1, 1), (-1, 1), (0, 2), bottom=True),
        prism((0, 0), (1.0, 0.6), (0, 2), 8),
        tyre((0, 0, 1), 0.8, 0.4),
        bar(np.array([0, 0, 0]), np.array([1, 0.5, 2]), 0.2),
    ],
)
def test_solids_are_wound_outwards(faces: np.ndarray) -> None:
    middle = faces.reshape(-1, 3).mean(0)
    if len(faces) == 10:
        middle = np.array([0.0, 0.0, 1.0])
    normal = np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0])
    assert (np.einsum("ni,ni->n", normal, faces.mean(1) - middle) > -1e-9).all()


def test_discs_look_to_their_side() -> None:
    for side in (1, -1):
        quads = disc((0, 0, 0), 1.0, side)
        normal = np.cross(quads[:, 1] - quads[:, 0], quads[:, 2] - quads[:, 0])
        assert (normal[:, 1] * side > 0).all()


def test_plan_view_keeps_the_highest() -> None:
    low = np.array([[2.0, 2, 1], [20, 2, 1], [20, 20, 1], [2, 20, 1]])
    slope = np.array([[5.0, 5, 0], [15, 5, 10], [15, 15, 10], [5, 15, 0]])
    polygons = plan_polygons(np.stack((low, slope)), 30, 30)
    buffer = ZBuffer(np.zeros(900, np.float32))
    buffer.draw(polygons, 30, np.array([1, 2]))
    value = buffer.value.reshape(30, 30)
    assert value[10, 3] == pytest.approx(1.0)
    assert value[10, 10] == pytest.approx(5.0, abs=1e-4)
    assert value[10, 25] == 0.0
