"""How deep a modality would have been measured, given how deep the others were and what the cell is.

For every target and every set of other modalities that cells were measured in beside it, the log exposure of the target
is regressed on those of the others, on the latent state that they give and on the batch; cells are told by the largest
set that they have. Cell types differ in how much RNA, open chromatin or protein they yield, so the latent state says
more than the source's depth alone.
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
from multiome.predict.depth_regression import Regression, added_by_levels, fitted_to_all, subsets

BLOCK = 4096
"""Cells encoded at a time."""


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
        n_levels = [len(covariate.levels) for covariate in spec.covariates]
        regressions = {}
        for target, z in states.items():
            own = {key: residual[:, j] for j, key in enumerate(keys) if key != target}
            above = y[:, keys.index(target)] - mean[keys.index(target)]
            regressions[target] = fitted_to_all(
                own, z, above, held_out=member, batch_index=cells.batch_index, n_levels=n_levels
            )
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
        shift, there = self.expected_in(batch_index), batch_index if predicted_in is None else predicted_in
        loc = self.expected_in(there)[:, j]
        scale = np.full(len(shift), self.scale[j])
        x = {key: sources[key] - shift[:, self.keys.index(key)] for key in sources if key != target}
        left = np.any([~np.isnan(value) for value in x.values()], axis=0) if x else np.zeros(len(shift), dtype=bool)
        for regression in self.regressions.get(target, ()):
            if not set(regression.sources) <= set(x):
                continue
            told = np.column_stack([np.empty((len(shift), 0)), *(x[key] for key in regression.sources)])
            rows = np.flatnonzero(left & ~np.isnan(told).any(1))
            loc[rows] = self.mean[j] + regression.predict(told[rows], state[rows], there[rows])
            scale[rows] = regression.scale
            left[rows] = False
        return loc, scale

    def expected_in(self, batch_index: np.ndarray) -> np.ndarray:
        """Mean log exposure of every modality in some batches (cells x modalities)."""
        if not self.effects:
            return np.tile(self.mean, (len(batch_index), 1))
        return self.mean + added_by_levels(self.effects, batch_index)

    def to_json(self) -> dict[str, Any]:
        """A value of plain lists."""
        return {
            "keys": list(self.keys),
            "mean": self.mean.tolist(),
            "effects": [effect.tolist() for effect in self.effects],
            "scale": self.scale.tolist(),
            "regressions": {key: [r.to_json() for r in each] for key, each in self.regressions.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DepthModel:
        """The inverse of `to_json`."""
        keys, mean, effects = shared_by_formats(value)
        regressions = {}
        for target, found in value["regressions"].items():
            of_target = [effect[:, keys.index(target)] for effect in effects]
            regressions[target] = tuple(Regression.from_json(each, of_target) for each in found)
        return cls(keys, mean, effects, np.asarray(value["scale"]), regressions)

    @classmethod
    def from_covariance(cls, value: Mapping[str, Any]) -> DepthModel:
        """What older files hold: per target, the covariance of all log exposures and of the latent state."""
        keys, means, effects = shared_by_formats(value)
        regressions, scale = {}, np.zeros(len(keys))
        for target, covariance in value["covariance"].items():
            joint, mean, j = np.asarray(covariance), np.asarray(value["state_mean"][target]), keys.index(target)
            scale[j] = np.sqrt(joint[j, j])
            regressions[target] = tuple(
                Regression.from_covariance(
                    [keys[k] for k in chosen],
                    joint,
                    mean,
                    used=chosen,
                    target=j,
                    effects=[effect[:, j] for effect in effects],
                )
                for chosen in subsets(k for k in range(len(keys)) if k != j)
            )
        return cls(keys, means, effects, scale, regressions)


def shared_by_formats(value: Mapping[str, Any]) -> tuple[tuple[str, ...], np.ndarray, tuple[np.ndarray, ...]]:
    """Keys, mean and effects, which files of every format hold alike."""
    keys = tuple(value["keys"])
    effects = tuple(np.asarray(effect).reshape(-1, len(keys)) for effect in value["effects"])
    return keys, np.asarray(value["mean"]), effects


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
