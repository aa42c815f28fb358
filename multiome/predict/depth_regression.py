"""Ridge regressions of one modality's log exposure on those of others and on the latent state that they give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

MIN_CELLS = 20
"""Below so many cells with a target and other modalities, these say nothing of its depth."""
SHRINKAGES = (10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0)
"""Cells' worth of belief that the latent state says nothing about depth, of which the best is chosen."""
SHRINKAGE_OF_DEPTHS = 1.0
"""Cells' worth of belief that depths say nothing of each other."""
BELIEF = 100.0
"""Cells' worth of belief that held-out cells are as far off as those that were trained with."""
MAX_CELLS = 50_000
"""Cells that a regression looks at."""


@dataclass(frozen=True, eq=False)
class Regression:
    """The log exposure of a target on those of some modalities and on the latent state."""

    sources: tuple[str, ...]
    weights: np.ndarray
    """Of 1, of the sources' centred log exposures, and of the latent state."""
    scale: float
    """Standard deviation of what is left in cells that it was not fitted to."""

    @classmethod
    def fit(
        cls, sources: Sequence[str], x: np.ndarray, state: np.ndarray, y: np.ndarray, *, held_out: np.ndarray
    ) -> Regression:
        """Ridge regression, shrunk as it predicts each cell from all others best.

        With few cells it would follow the noise of all latent dimensions, and take what it leaves for too little. What
        is left is larger in cells that the encoders were not trained with, which are ``held_out``.

        Cells are left out by the identity for linear smoothers (Golub et al. 1979, doi:10.1080/00401706.1979.10489751).
        """
        design = np.column_stack([np.ones(len(y)), x, state])
        squares, products = design.T @ design, design.T @ y
        belief = np.full(design.shape[1], SHRINKAGE_OF_DEPTHS)
        belief[1 : 1 + x.shape[1]] *= np.maximum(x.var(0), 1e-6)
        found = []
        for shrinkage in SHRINKAGES:
            belief[1 + x.shape[1] :] = shrinkage
            inverse = np.linalg.inv(squares + np.diag(belief))
            weights = inverse @ products
            own = ((design @ inverse) * design).sum(1)
            error = (y - design @ weights) / (1 - own)
            found.append(((error**2).mean(), weights, error))
        square, weights, error = min(found, key=lambda each: each[0])
        unseen = (BELIEF * square + (error[held_out] ** 2).sum()) / (BELIEF + held_out.sum())
        return cls(tuple(sources), weights, float(np.sqrt(max(square, unseen))))

    def predict(self, x: np.ndarray, state: np.ndarray) -> np.ndarray:
        """Expected log exposure above the mean of its batch (cells)."""
        return np.column_stack([np.ones(len(x)), x, state]) @ self.weights

    def to_json(self) -> dict[str, Any]:
        """A value of plain lists."""
        return {"sources": list(self.sources), "weights": self.weights.tolist(), "scale": self.scale}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Regression:
        """The inverse of `to_json`."""
        return cls(tuple(value["sources"]), np.asarray(value["weights"]), value["scale"])

    @classmethod
    def from_covariance(
        cls, sources: Sequence[str], joint: np.ndarray, mean: np.ndarray, *, used: Sequence[int], target: int
    ) -> Regression:
        """As a Gaussian tells it: the covariance ``joint`` of log exposures and of the latent state with this ``mean``.

        ``used`` are the sources' places in it, in order.
        """
        rest = [*used, *range(len(joint) - len(mean), len(joint))]
        slope = np.linalg.solve(joint[np.ix_(rest, rest)], joint[rest, target])
        weights = np.concatenate([[-slope[len(used) :] @ mean], slope])
        left = np.sqrt(max(joint[target, target] - slope @ joint[rest, target], 1e-8))
        return cls(tuple(sources), weights, float(left))


def subsets(of: Iterable[int]) -> Iterator[tuple[int, ...]]:
    """All of them, large ones first."""
    members = list(of)
    for n in range(len(members), -1, -1):
        yield from combinations(members, n)


def fitted_to_all(
    keys: Sequence[str], target: str, residual: np.ndarray, state: np.ndarray, held_out: np.ndarray
) -> tuple[Regression, ...]:
    """One regression for every set of other modalities that enough cells have beside the target, large sets first.

    ``residual`` holds centred log exposures (cells x modalities), ``state`` latent states (cells x latent), with NaN.
    """
    others = [j for j, key in enumerate(keys) if key != target]
    y = residual[:, keys.index(target)]
    told = ~np.isnan(y) & ~np.isnan(state).any(1)
    found = []
    for chosen in subsets(others):
        x = residual[:, list(chosen)]
        rows = np.flatnonzero(told & ~np.isnan(x).any(1))
        if len(rows) >= MIN_CELLS:
            rows = np.random.default_rng(0).permutation(rows)[:MAX_CELLS]
            names = [keys[j] for j in chosen]
            found.append(Regression.fit(names, x[rows], state[rows], y[rows], held_out=held_out[rows]))
    return tuple(found)
