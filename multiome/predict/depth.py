"""How deep a modality would have been measured, given how deep the others were: a Gaussian of log depths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from multiome.data.dataset import CellDataset
from multiome.data.spec import DataSpec

MIN_CELLS = 20
"""Below so many cells with both modalities their depths are taken to be unrelated."""


@dataclass(frozen=True)
class DepthModel:
    """Log exposures of all modalities: effects of the experimental batches, and the covariance of what is left."""

    keys: tuple[str, ...]
    mean: np.ndarray
    """Mean log exposure (modalities)."""
    effects: tuple[np.ndarray, ...]
    """Additive effect of each level, one array (levels x modalities) per covariate; they average to 0 over the training cells."""
    covariance: np.ndarray
    """Of the residuals (modalities x modalities)."""

    @classmethod
    def fit(cls, cells: CellDataset, spec: DataSpec) -> DepthModel:
        """Estimate from the training cells, each pair of modalities on the cells that have both."""
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
        covariance = np.diag(np.nanvar(residual, axis=0) + 1e-6)
        for a in range(len(keys)):
            for b in range(a):
                both = ~np.isnan(residual[:, a]) & ~np.isnan(residual[:, b])
                if both.sum() >= MIN_CELLS:
                    covariance[a, b] = covariance[b, a] = np.mean(residual[both, a] * residual[both, b])
        return cls(keys, mean, tuple(effects), nearest_positive(covariance))

    def predict(
        self, target: str, sources: Mapping[str, np.ndarray], batch_index: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Expected log exposure of the target, and its standard deviation.

        Parameters
        ----------
        target
            The modality to predict.
        sources
            Log exposure of each measured modality, NaN where a cell lacks it.
        batch_index
            Level per covariate (cells x covariates); -1 has no effect.

        Returns
        -------
        Two arrays (cells).
        """
        j = self.keys.index(target)
        shift = np.tile(self.mean, (len(batch_index), 1))
        for i, effect in enumerate(self.effects):
            shift += np.vstack([effect, np.zeros_like(effect[:1])])[batch_index[:, i]]
        loc, scale = shift[:, j].copy(), np.full(len(shift), np.sqrt(self.covariance[j, j]))
        names = [key for key in sources if key != target]
        if not names:
            return loc, scale
        at = [self.keys.index(key) for key in names]
        x = np.column_stack([sources[key] for key in names]) - shift[:, at]
        patterns, member = np.unique(~np.isnan(x), axis=0, return_inverse=True)
        for p, pattern in enumerate(patterns):
            if not pattern.any():
                continue
            rows, used = member.ravel() == p, np.asarray(at)[pattern]
            slope = np.linalg.solve(self.covariance[np.ix_(used, used)], self.covariance[used, j])
            loc[rows] += x[np.ix_(rows, np.flatnonzero(pattern))] @ slope
            scale[rows] = np.sqrt(max(self.covariance[j, j] - slope @ self.covariance[used, j], 1e-8))
        return loc, scale

    def to_json(self) -> dict[str, Any]:
        """A value of plain lists."""
        return {
            "keys": list(self.keys),
            "mean": self.mean.tolist(),
            "effects": [effect.tolist() for effect in self.effects],
            "covariance": self.covariance.tolist(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DepthModel:
        """The inverse of `to_json`."""
        n = len(value["keys"])
        return cls(
            tuple(value["keys"]),
            np.asarray(value["mean"]),
            tuple(np.asarray(effect).reshape(-1, n) for effect in value["effects"]),
            np.asarray(value["covariance"]).reshape(n, n),
        )


def nearest_positive(covariance: np.ndarray) -> np.ndarray:
    """Pairs estimated on different cells need not fit together: raise the eigenvalues that fell below zero."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors @ np.diag(np.maximum(values, 1e-6)) @ vectors.T
