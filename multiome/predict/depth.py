"""How deep a modality would have been measured, given how deep the others were and what the cell is.

For every target, one Gaussian of the log exposures of all modalities and of the latent state that the other modalities
give; it is conditioned on whatever a new cell has. Cell types differ in how much RNA, open chromatin or protein they
yield, so the latent state says more than the source's depth alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from multiome.data.dataset import CellDataset
from multiome.data.spec import DataSpec
from multiome.model.vae import MultiomeVAE
from multiome.nn.fusion import product_of_experts

MIN_CELLS = 20
"""Below so many cells with both, two variables are taken to be unrelated."""
SHRINKAGE = 10.0
"""Cells' worth of belief that the latent state says nothing about depth."""
BLOCK = 4096
"""Cells encoded at a time."""


@dataclass(frozen=True)
class DepthModel:
    """Moments of log exposures and latent states over the training cells."""

    keys: tuple[str, ...]
    mean: np.ndarray
    """Mean log exposure (modalities)."""
    effects: tuple[np.ndarray, ...]
    """Additive effect of each level, one array (levels x modalities) per covariate; near 0 on average."""
    covariance: Mapping[str, np.ndarray]
    """Per target: of the log exposures' residuals, then the latent state (modalities + latent, squared)."""
    state_mean: Mapping[str, np.ndarray]
    """Per target: mean latent state given the other modalities."""

    @classmethod
    def fit(cls, cells: CellDataset, spec: DataSpec, states: Mapping[str, np.ndarray]) -> DepthModel:
        """Estimate from the training cells, each pair of variables on the cells that have both.

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
        covariance, state_mean = {}, {}
        for key, z in states.items():
            measured = ~np.isnan(z).any(1)
            state_mean[key] = z[measured].mean(0) if measured.any() else np.zeros(z.shape[1])
            covariance[key] = pairwise_covariance(np.column_stack([residual, z - state_mean[key]]), len(keys))
        return cls(keys, mean, tuple(effects), covariance, state_mean)

    def predict(
        self,
        target: str,
        sources: Mapping[str, np.ndarray],
        batch_index: np.ndarray,
        state: np.ndarray | None = None,
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
            Latent state given the sources (cells x latent); None to go by depth alone.
        predicted_in
            Levels in which the target is predicted, where it is not in those of the sources.

        Returns
        -------
        Two arrays (cells).
        """
        j, covariance = self.keys.index(target), self.covariance[target]
        shift = self.expected_in(batch_index)
        loc = (shift if predicted_in is None else self.expected_in(predicted_in))[:, j].copy()
        scale = np.full(len(shift), np.sqrt(covariance[j, j]))
        names = [key for key in sources if key != target]
        at = [self.keys.index(key) for key in names]
        x = np.column_stack(
            [np.empty((len(shift), 0)), *(sources[key] - shift[:, a] for key, a in zip(names, at, strict=True))]
        )
        if state is not None:
            at += range(len(self.keys), len(covariance))
            x = np.column_stack([x, state - self.state_mean[target]])
        patterns, member = np.unique(~np.isnan(x), axis=0, return_inverse=True)
        for p, pattern in enumerate(patterns):
            if not pattern.any():
                continue
            rows, used = member.ravel() == p, np.asarray(at)[pattern]
            slope = np.linalg.solve(covariance[np.ix_(used, used)], covariance[used, j])
            loc[rows] += x[np.ix_(rows, np.flatnonzero(pattern))] @ slope
            scale[rows] = np.sqrt(max(covariance[j, j] - slope @ covariance[used, j], 1e-8))
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
            "covariance": {key: value.tolist() for key, value in self.covariance.items()},
            "state_mean": {key: value.tolist() for key, value in self.state_mean.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DepthModel:
        """The inverse of `to_json`."""
        n = len(value["keys"])
        return cls(
            tuple(value["keys"]),
            np.asarray(value["mean"]),
            tuple(np.asarray(effect).reshape(-1, n) for effect in value["effects"]),
            {key: np.asarray(c) for key, c in value["covariance"].items()},
            {key: np.asarray(m) for key, m in value["state_mean"].items()},
        )


def pairwise_covariance(x: np.ndarray, n_depths: int) -> np.ndarray:
    """Covariance of centred columns with NaN; latent dimensions (after the depths) are shrunk to say nothing."""
    there = ~np.isnan(x)
    filled = np.where(there, x, 0.0)
    n = there.T.astype(float) @ there
    covariance = np.where(n >= MIN_CELLS, filled.T @ filled / np.maximum(n, 1), 0.0)
    ridge = np.full(x.shape[1], 1e-6)
    ridge[n_depths:] = SHRINKAGE / np.maximum(np.diag(n)[n_depths:], 1)
    covariance += np.diag(ridge)
    values, vectors = np.linalg.eigh(covariance)  # pairs estimated on different cells need not fit together
    return vectors @ np.diag(np.maximum(values, 1e-6)) @ vectors.T


@torch.no_grad()
def depth_model(vae: MultiomeVAE, cells: CellDataset, spec: DataSpec) -> DepthModel:
    """The depth model of a trained model's own training cells."""
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
    return DepthModel.fit(cells, spec, states)
