"""Triangle mesh of a binary mask at one half, by marching cubes whose cases are worked out here, not copied as a table.

Each cube of 2 x 2 x 2 voxel centres is cut half-way between every inside and outside corner. On a face whose inside
corners lie on a diagonal the two are joined, in both cubes that share it: so the mesh is closed, and voxels that touch
by an edge are one piece, as they are in the zones of the size zone matrix. A loop of cuts that is not planar is
triangulated with the largest area: for three corners of a face (the usual such case) that is the choice of the
published tables, a triangle and a trapezoid.

What this module does not know: intensities, features.

References
----------
Lorensen & Cline, Comput Graph 1987, 10.1145/37402.37422. IBSI 1 reference manual, morphological features.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

Triangles = NDArray[np.float64]

CORNERS: tuple[tuple[int, int, int], ...] = tuple(product((0, 1), repeat=3))
"""(z, y, x) of the cube's corners; corner c is bit c of a case."""


def triangles(mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> Triangles:
    """(T, 3, 3) vertices (z, y, x) in mm from the centre of voxel (0, 0, 0), all turned the same way round.

    The mask is taken to be surrounded by outside voxels, so the mesh is closed.
    """
    padded = np.pad(mask, 1).astype(np.uint8)
    z, y, x = (n - 1 for n in padded.shape)
    case = np.zeros((z, y, x), np.uint8)
    for bit, (dz, dy, dx) in enumerate(CORNERS):
        case |= padded[dz : dz + z, dy : dy + y, dx : dx + x] << bit
    found = [np.zeros((0, 3, 3))]
    for number in np.unique(case[(case > 0) & (case < 255)]):
        corner = np.argwhere(case == number) - 1.0  # - 1: the padding
        found.append((corner[:, None, None, :] + _case_triangles(int(number))).reshape(-1, 3, 3))
    return np.concatenate(found) * np.array(spacing_mm)


def area_mm2(mesh: Triangles) -> float:
    """Sum of the triangles' areas."""
    normal = np.cross(mesh[:, 1] - mesh[:, 0], mesh[:, 2] - mesh[:, 0])
    return float(np.linalg.norm(normal, axis=1).sum() / 2)


def volume_mm3(mesh: Triangles) -> float:
    """Volume inside a closed mesh: the signed tetrahedra from its mean vertex."""
    moved = mesh - mesh.mean(axis=(0, 1))
    return abs(float(np.einsum("ti,ti->", moved[:, 0], np.cross(moved[:, 1], moved[:, 2])) / 6))


@cache
def _case_triangles(case: int) -> Triangles:
    """(1, T, 3, 3) triangles of one of the 256 cases in a cube of edge 1."""
    found = [triangle for loop in _loops(case) for triangle in _triangulate(np.array(loop))]
    return np.array(found)[None]


def _loops(case: int) -> list[list[tuple[float, ...]]]:
    """Closed loops of cut points (edge midpoints) of a case."""
    following: dict[tuple[float, ...], tuple[float, ...]] = {}
    for face in _faces():
        inside = [bool(case >> CORNERS.index(c) & 1) for c in face]
        cut = [tuple((a + b) / 2 for a, b in zip(face[k], face[(k + 1) % 4], strict=True)) for k in range(4)]
        for k in range(4):
            if inside[k] and not inside[(k + 1) % 4]:  # walking round the face, leave the inside here ...
                back = next(m for m in range(k + 1, k + 5) if not inside[m % 4] and inside[(m + 1) % 4])
                following[cut[k]] = cut[back % 4]  # ... and come back there
    loops = []
    while following:
        start, at = following.popitem()
        loop = [start]
        while at != start:
            loop.append(at)
            at = following.pop(at)
        loops.append(loop)
    return loops


@lru_cache(maxsize=1)
def _faces() -> list[list[tuple[int, int, int]]]:
    """Corners of the six faces, each in order round the face, anticlockwise seen from outside."""
    faces = []
    for axis, side in product(range(3), (0, 1)):
        ring = [(0, 0), (1, 0), (1, 1), (0, 1)]
        corners = []
        for u, v in ring if side else ring[::-1]:
            corner = [0, 0, 0]
            corner[axis], corner[(axis + 1) % 3], corner[(axis + 2) % 3] = side, u, v
            corners.append((corner[0], corner[1], corner[2]))
        faces.append(corners)
    return faces


def _triangulate(loop: Triangles) -> list[Triangles]:
    """Triangles of a loop (K, 3), K >= 3, whose areas sum to the most; of equal sums the one with the most inside.

    Both figures do not change when the cube is turned, so neither does the mesh of a turned mask.
    """
    centred = loop - 0.5

    @cache
    def best(first: int, last: int) -> tuple[float, float, tuple[int, ...]]:
        if last - first < 2:
            return 0.0, 0.0, ()
        options = []
        for middle in range(first + 1, last):
            a, b, c = centred[first], centred[middle], centred[last]
            left, right = best(first, middle), best(middle, last)
            area = float(np.linalg.norm(np.cross(b - a, c - a))) + left[0] + right[0]
            inside = float(np.dot(a, np.cross(b, c))) + left[1] + right[1]
            options.append((area, inside, (*left[2], first, middle, last, *right[2])))
        # a planar loop has many equal sums; rounding them keeps the choice the same on every machine
        return max(options, key=lambda option: (round(option[0], 9), round(option[1], 9), option[2]))

    order = best(0, len(loop) - 1)[2]
    return [loop[list(order[k : k + 3])] for k in range(0, len(order), 3)]
