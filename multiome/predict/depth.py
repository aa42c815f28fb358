"""How deep a modality would have been measured, given how deep the others were and what the cell is.

For every target and every set of other modalities that cells were measured in beside it, the log exposure of the target
is regressed on those of the others and on the latent state that they give; cells are told by the largest set that they
have. Cell types differ in how much RNA, open chromatin or protein they yield, so the latent state says more than the
source's depth alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch

from multiome.data.dataset import CellDataset
from multiome.data.spec import DataSpec
from multiome.model.vae import MultiomeVAE
from multiome.nn.fusion import product_of_experts

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
BLOCK = 4096
"""Cells encoded at a time."""


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


@dataclass(frozen=True, eq=False)
class DepthModel:
    """Means of log exposures over the training cells, and what tells more of them."""

    keys: tuple[str, ...]
    mean: np.ndarray
    """Mean log exposure (modalities)."""
    effects: tuple[np.ndarray, ...]
    """Additive effect of each level, one array (levels x modalities) per covariate; near 0 on average."""
    scale: np.ndarray
    """Standard deviation of the log exposure around its mean in a batch (modalities)."""
    regressions: Mapping[str, tuple[Regression, ...]]
    """Per target, those on most modalities first."""

    @classmethod
    def fit(
        cls, cells: CellDataset, spec: DataSpec, states: Mapping[str, np.ndarray], held_out: np.ndarray
    ) -> DepthModel:
        """Estimate from all cells of a fit, some of which (positions) were held out.

        ``states`` holds, per target, the latent state given the other modalities (cells x latent), NaN without any.
        """
        keys = tuple(spec.modalities)
        y = np.full((len(cells), len(keys)), np.nan)
        for j, key in enumerate(keys):
            there = cells.observed(key)
            y[there, j] = np.log(cells.exposure[key][cells.rows[key][there]])
        mean = np.nanmean(y, axis=0)
        residual = y - mean
        effects = []
        for i, covariate in enumerate(spec.covariates):
            effect = np.zeros((len(covariate.levels), len(keys)))
            for level in range(len(covariate.levels)):
                part = residual[cells.batch_index[:, i] == level]
                n = (~np.isnan(part)).sum(0)
                effect[level] = np.nansum(part, axis=0) / np.maximum(n + 1, 1)
            effects.append(effect)
            residual = residual - effect[cells.batch_index[:, i]]
        member = np.zeros(len(cells), dtype=bool)
        member[held_out] = True
        regressions = {key: fitted_to_all(keys, key, residual, z, member) for key, z in states.items()}
        return cls(keys, mean, tuple(effects), np.nanstd(residual, axis=0), regressions)

    def predict(
        self,
        target: str,
        sources: Mapping[str, np.ndarray],
        batch_index: np.ndarray,
        state: np.ndarray,
        *,
        predicted_in: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Expected log exposure of the target, and its standard deviation.

        Parameters
        ----------
        target
            The modality to predict.
        sources
            Log exposure of each measured modality, NaN where a cell lacks it.
        batch_index
            Level per covariate (cells x covariates) in which the sources were measured; -1 has no effect.
        state
            Latent state given the sources (cells x latent).
        predicted_in
            Levels in which the target is predicted, where it is not in those of the sources.

        Returns
        -------
        Two arrays (cells).
        """
        j = self.keys.index(target)
        shift = self.expected_in(batch_index)
        loc = (shift if predicted_in is None else self.expected_in(predicted_in))[:, j].copy()
        scale = np.full(len(shift), self.scale[j])
        x = {key: sources[key] - shift[:, self.keys.index(key)] for key in sources if key != target}
        left = np.any([~np.isnan(value) for value in x.values()], axis=0) if x else np.zeros(len(shift), dtype=bool)
        for regression in self.regressions.get(target, ()):
            if not set(regression.sources) <= set(x):
                continue
            told = np.column_stack([np.empty((len(shift), 0)), *(x[key] for key in regression.sources)])
            rows = np.flatnonzero(left & ~np.isnan(told).any(1))
            loc[rows] += regression.predict(told[rows], state[rows])
            scale[rows] = regression.scale
            left[rows] = False
        return loc, scale

    def expected_in(self, batch_index: np.ndarray) -> np.ndarray:
        """Mean log exposure of every modality in some batches (cells x modalities)."""
        shift = np.tile(self.mean, (len(batch_index), 1))
        for i, effect in enumerate(self.effects):
            shift += np.vstack([effect, np.zeros_like(effect[:1])])[batch_index[:, i]]
        return shift

    def to_json(self) -> dict[str, Any]:
        """A value of plain lists."""
        return {
            "keys": list(self.keys),
            "mean": self.mean.tolist(),
            "effects": [effect.tolist() for effect in self.effects],
            "scale": self.scale.tolist(),
            "regressions": {
                key: [{"sources": list(r.sources), "weights": r.weights.tolist(), "scale": r.scale} for r in each]
                for key, each in self.regressions.items()
            },
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DepthModel:
        """The inverse of `to_json`."""
        n = len(value["keys"])
        return cls(
            tuple(value["keys"]),
            np.asarray(value["mean"]),
            tuple(np.asarray(effect).reshape(-1, n) for effect in value["effects"]),
            np.asarray(value["scale"]),
            {
                key: tuple(Regression(tuple(r["sources"]), np.asarray(r["weights"]), r["scale"]) for r in each)
                for key, each in value["regressions"].items()
            },
        )

    @classmethod
    def from_covariance(cls, value: Mapping[str, Any]) -> DepthModel:
        """What older files hold: per target, the covariance of all log exposures and of the latent state."""
        keys, n = list(value["keys"]), len(value["keys"])
        regressions, scale = {}, np.zeros(n)
        for target, covariance in value["covariance"].items():
            joint, at, j = np.asarray(covariance), value["state_mean"][target], keys.index(target)
            scale[j] = np.sqrt(joint[j, j])
            each = []
            for chosen in subsets(k for k in range(n) if k != j):
                used = [*chosen, *range(n, len(joint))]
                slope = np.linalg.solve(joint[np.ix_(used, used)], joint[used, j])
                weights = np.concatenate([[-slope[len(chosen) :] @ np.asarray(at)], slope])
                left = np.sqrt(max(joint[j, j] - slope @ joint[used, j], 1e-8))
                each.append(Regression(tuple(keys[k] for k in chosen), weights, float(left)))
            regressions[target] = tuple(each)
        effects = tuple(np.asarray(effect).reshape(-1, n) for effect in value["effects"])
        return cls(tuple(keys), np.asarray(value["mean"]), effects, scale, regressions)


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


@torch.no_grad()
def depth_model(vae: MultiomeVAE, cells: CellDataset, spec: DataSpec, held_out: np.ndarray) -> DepthModel:
    """The depth model of a trained model's own cells, some of which (positions) were held out."""
    states = {key: np.full((len(cells), vae.n_latent), np.nan) for key, s in spec.modalities.items() if s.has_depth}
    device = next(vae.parameters()).device
    for start in range(0, len(cells), BLOCK):
        index = np.arange(start, min(start + BLOCK, len(cells)))
        batch = cells.take(index).to(device)
        experts = vae.encode(batch).per_modality
        for target, z in states.items():
            others = {key: q for key, q in experts.items() if key != target}
            if others:
                measured = torch.stack([batch.observed[key] for key in others]).any(0)[:, None]
                loc = product_of_experts(others, batch.observed).loc
                z[index] = torch.where(measured, loc, torch.nan).cpu().numpy()
    return DepthModel.fit(cells, spec, states, held_out)
