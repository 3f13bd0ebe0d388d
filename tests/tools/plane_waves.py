"""A band in a crystal of cosines, in plane waves up to a cutoff: the smallest thing that has a Pulay stress."""

import numpy as np

POINTS = 8
DEPTH = 8.0


def waves(a: float, cutoff: float) -> list[np.ndarray]:
    """For each point of a shifted mesh the integer vectors (n, 3) with |k + G|² < cutoff; a simple cubic cell a."""
    shifts = (np.arange(POINTS) + 0.5) / POINTS - 0.5
    reach = int(np.sqrt(cutoff) * a / (2 * np.pi)) + 2
    grid = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    # Inversion and the cube's symmetry: k and its permutations have the same band; distinct ones are enough.
    sets = []
    for k in mesh(shifts):
        kinetic = ((2 * np.pi / a) ** 2) * ((grid + k) ** 2).sum(axis=1)
        sets.append(grid[kinetic < cutoff])
    return sets


def mesh(shifts: np.ndarray) -> np.ndarray:
    """Points with 0 < k_x ≤ k_y ≤ k_z, (n, 3); weights are theirs below."""
    positive = shifts[shifts > 0]
    return np.array([(x, y, z) for x in positive for y in positive for z in positive if x <= y <= z])


def weights(points: np.ndarray) -> np.ndarray:
    """How many permutations each has, as a share."""
    count = np.array([{1: 1, 2: 3, 3: 6}[len(set(k.tolist()))] for k in points], dtype=float)
    return count / count.sum()


def energy(a: float, sets: list[np.ndarray]) -> float:
    """Mean of the lowest band with these waves; potential -DEPTH (cos x + cos y + cos z), ħ²/2m = 1."""
    points = mesh((np.arange(POINTS) + 0.5) / POINTS - 0.5)
    total = 0.0
    for k, weight, vectors in zip(points, weights(points), sets, strict=True):
        differences = vectors[:, None, :] - vectors[None, :, :]
        coupled = (np.abs(differences).sum(axis=-1) == 1) * (-DEPTH / 2)
        kinetic = (2 * np.pi / a) ** 2 * ((vectors + k) ** 2).sum(axis=1)
        total += weight * np.linalg.eigvalsh(np.diag(kinetic) + coupled)[0]
    return total
