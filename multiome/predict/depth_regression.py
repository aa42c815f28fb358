"""Ridge regressions of one modality's log exposure on those of others and on the latent state that they give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

MIN_CELLS = 20
"""Below so many cells with a target and other modalities, these say nothing of its depth."""
SHRINKAGES = (10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0)
"""Cells' worth of belief that the latent state says nothing about depth, of which the best is chosen."""
SHRINKAGE_OF_DEPTHS, SHRINKAGE_OF_BATCHES = 1.0, 1.0
"""Cells' worth of belief that depths say nothing of each other, and that a batch is like the others."""
NO_BELIEF = 1e-6
"""The intercept is free: what all batches share is no effect of theirs."""
BELIEF = 100.0
"""Cells' worth of belief that held-out cells are as far off as those that were trained with."""
MAX_CELLS = 50_000
"""Cells that a regression looks at."""


@dataclass(frozen=True, eq=False)
class Regression:
    """The log exposure of a target on those of some modalities, on the latent state and on the experimental batch.

    Batches are told apart at equal state: where those of a batch that have the target are of other types than the rest,
    their mean says how deep these types are, not how deep the batch is.
    """

    sources: tuple[str, ...]
    weights: np.ndarray
    """Of 1, of the sources' centred log exposures, and of the latent state."""
    scale: float
    """Standard deviation of what is left in cells that it was not fitted to."""
    effects: tuple[np.ndarray, ...]
    """What each level adds, one array per covariate."""

    @classmethod
    def fit(
        cls,
        sources: Sequence[str],
        x: np.ndarray,
        state: np.ndarray,
        y: np.ndarray,
        *,
        held_out: np.ndarray,
        batch: Sequence[np.ndarray] = (),
    ) -> Regression:
        """Ridge regression, shrunk as it predicts each cell from all others best.

        With few cells it would follow the noise of all latent dimensions, and take what it leaves for too little. What
        is left is larger in cells that the encoders were not trained with, which are ``held_out``. ``batch`` says per
        covariate which level each cell has (cells x levels, 0 and 1).

        Cells are left out by the identity for linear smoothers (Golub et al. 1979, doi:10.1080/00401706.1979.10489751).
        """
        design = np.column_stack([np.ones(len(y)), x, state, *batch])
        squares, products = design.T @ design, design.T @ y
        ends = np.cumsum([1, x.shape[1], state.shape[1], *(levels.shape[1] for levels in batch)])
        belief = np.full(design.shape[1], SHRINKAGE_OF_BATCHES)
        belief[0] = NO_BELIEF
        belief[1 : ends[1]] = SHRINKAGE_OF_DEPTHS * np.maximum(x.var(0), 1e-6)
        found = []
        for shrinkage in SHRINKAGES:
            belief[ends[1] : ends[2]] = shrinkage
            inverse = np.linalg.inv(squares + np.diag(belief))
            weights = inverse @ products
            own = ((design @ inverse) * design).sum(1)
            error = (y - design @ weights) / (1 - own)
            found.append(((error**2).mean(), weights, error))
        square, weights, error = min(found, key=lambda each: each[0])
        unseen = (BELIEF * square + (error[held_out] ** 2).sum()) / (BELIEF + held_out.sum())
        effects = tuple(np.split(weights[ends[2] :], ends[3:] - ends[2])[: len(batch)])
        return cls(tuple(sources), weights[: ends[2]], float(np.sqrt(max(square, unseen))), effects)

    def predict(self, x: np.ndarray, state: np.ndarray, batch_index: np.ndarray) -> np.ndarray:
        """Expected log exposure above the mean of all cells (cells); a level of -1 has no effect."""
        told = np.column_stack([np.ones(len(x)), x, state]) @ self.weights
        return told + added_by_levels(self.effects, batch_index)

    def to_json(self) -> dict[str, Any]:
        """A value of plain lists."""
        return {
            "sources": list(self.sources),
            "weights": self.weights.tolist(),
            "scale": self.scale,
            "effects": [effect.tolist() for effect in self.effects],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], effects: Sequence[np.ndarray]) -> Regression:
        """The inverse of `to_json`; older files have only ``effects`` that were not told apart from the states'."""
        own = tuple(np.asarray(effect) for effect in value.get("effects", effects))
        return cls(tuple(value["sources"]), np.asarray(value["weights"]), value["scale"], own)

    @classmethod
    def from_covariance(
        cls,
        sources: Sequence[str],
        joint: np.ndarray,
        mean: np.ndarray,
        *,
        used: Sequence[int],
        target: int,
        effects: Sequence[np.ndarray],
    ) -> Regression:
        """As a Gaussian tells it: the covariance ``joint`` of log exposures and of the latent state with this ``mean``.

        ``used`` are the sources' places in it, in order.
        """
        rest = [*used, *range(len(joint) - len(mean), len(joint))]
        slope = np.linalg.solve(joint[np.ix_(rest, rest)], joint[rest, target])
        weights = np.concatenate([[-slope[len(used) :] @ mean], slope])
        left = np.sqrt(max(joint[target, target] - slope @ joint[rest, target], 1e-8))
        return cls(tuple(sources), weights, float(left), tuple(effects))


def added_by_levels(effects: Sequence[np.ndarray], batch_index: np.ndarray) -> np.ndarray:
    """The sum of what the levels of each cell add (cells x ...)."""
    total = np.zeros((len(batch_index), *effects[0].shape[1:])) if effects else np.zeros(len(batch_index))
    for i, effect in enumerate(effects):
        total += np.concatenate([effect, np.zeros_like(effect[:1])])[batch_index[:, i]]
    return total


def subsets(of: Iterable[T]) -> Iterator[tuple[T, ...]]:
    """All of them, large ones first."""
    members = list(of)
    for n in range(len(members), -1, -1):
        yield from combinations(members, n)


def fitted_to_all(
    sources: Mapping[str, np.ndarray],
    state: np.ndarray,
    y: np.ndarray,
    *,
    held_out: np.ndarray,
    batch_index: np.ndarray,
    n_levels: Sequence[int],
) -> tuple[Regression, ...]:
    """One regression for every set of other modalities that enough cells have beside the target, large sets first.

    ``sources`` hold log exposures centred in their batches and ``y`` those of the target, centred (cells), ``state``
    latent states (cells x latent), all with NaN; ``batch_index`` levels (cells x covariates), -1 for none.
    """
    told = ~np.isnan(y) & ~np.isnan(state).any(1)
    found = []
    for chosen in subsets(sources):
        x = np.column_stack([np.empty((len(y), 0)), *(sources[key] for key in chosen)])
        rows = np.flatnonzero(told & ~np.isnan(x).any(1))
        if len(rows) >= MIN_CELLS:
            rows = np.random.default_rng(0).permutation(rows)[:MAX_CELLS]
            levels = [np.eye(n + 1)[:, :-1][level] for n, level in zip(n_levels, batch_index[rows].T, strict=True)]
            found.append(Regression.fit(chosen, x[rows], state[rows], y[rows], held_out=held_out[rows], batch=levels))
    return tuple(found)
