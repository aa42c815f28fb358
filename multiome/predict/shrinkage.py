"""How far predictions may lie from the average cell, learnt from cells that were held out.

A decoder knows its training cells too well: what it predicts for other cells lies too far from the average. One factor
per modality, between 0 (all cells are average) and 1 (what the decoder says), is chosen so that the values of held-out
cells are most probable given their other modalities (Copas 1983, doi:10.1111/j.2517-6161.1983.tb01258.x). Where
they say little, because they are few or the model learnt little, it stays near 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import minimize_scalar
from torch import Tensor

from multiome.data.dataset import CellDataset
from multiome.model.panels import where_known
from multiome.model.vae import MultiomeVAE
from multiome.nn.fusion import product_of_experts
from multiome.predict.draws import antithetic
from multiome.types import Batch

MIN_CELLS, MAX_CELLS = 20, 500
"""Held-out cells looked at; below the least, predictions are left as they are."""
MAX_FEATURES = 1_000
"""Features looked at; with more, the factor of SNARE-seq scatters as much from draw to draw of cells and features."""
N_DRAWS = 8
"""Latent states averaged over per held-out cell."""
BELIEF = 0.1
"""Standard deviation of the prior belief that a factor is 1."""
N_STATES = 256
"""Training cells whose average is the average cell."""


@dataclass(frozen=True)
class Shrinkage:
    """One factor per modality, and the cells that say what is average in each experimental batch."""

    factors: Mapping[str, float]
    states: np.ndarray
    """Latent states of some training cells (cells x latent)."""

    def centre(
        self, vae: MultiomeVAE, batch_index: Int[Tensor, "cell covariate"], target: str
    ) -> Float[Tensor, "cell hidden"] | None:
        """Where trunk outputs are moved to: the average cell of the same batch; None where they stay as they are."""
        return None if self.factors.get(target, 1.0) == 1 else self.average(vae, batch_index)

    def apply(
        self, h: Float[Tensor, "cell hidden"], centre: Float[Tensor, "cell hidden"] | None, target: str
    ) -> Float[Tensor, "cell hidden"]:
        """Trunk outputs, moved towards the `centre` of their cells."""
        return h if centre is None else torch.lerp(centre, h, self.factors[target])

    def average(self, vae: MultiomeVAE, batch_index: Int[Tensor, "cell covariate"]) -> Float[Tensor, "cell hidden"]:
        """Mean trunk output of all states, were they in each cell's experimental batch."""
        states = torch.from_numpy(self.states.astype(np.float32)).to(batch_index.device)
        if batch_index.shape[1]:
            batches, member = torch.unique(batch_index, dim=0, return_inverse=True)
        else:
            batches, member = batch_index[:1], torch.zeros(len(batch_index), dtype=torch.long, device=states.device)
        effect = vae.trunk.batch_effect(batches)
        return vae.trunk(states[:, None].expand(-1, len(batches), -1), effect).mean(0)[member]

    def to_json(self) -> dict[str, Any]:
        """A value of plain lists."""
        return {"factors": dict(self.factors), "states": self.states.tolist()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Shrinkage:
        """The inverse of `to_json`."""
        return cls(dict(value["factors"]), np.asarray(value["states"], dtype=float))

    @classmethod
    def none(cls, n_latent: int) -> Shrinkage:
        """Predictions as the decoder makes them."""
        return cls({}, np.zeros((0, n_latent)))


@torch.no_grad()
def learn_shrinkage(
    vae: MultiomeVAE, cells: CellDataset, rows: np.ndarray, held_out: np.ndarray, *, seed: int
) -> Shrinkage:
    """The factor of every modality that held-out cells have beside others; none where there are too few such cells."""
    rng = np.random.default_rng(seed)
    device = next(vae.parameters()).device
    some = np.sort(rng.permutation(rows)[:N_STATES])
    states = vae.encode(cells.take(some).to(device)).joint.loc.cpu().double().numpy().round(4)
    unshrunk = Shrinkage({}, states)
    factors = {}
    for key in vae.keys:
        others = [other for other in vae.keys if other != key]
        if not others:
            continue
        both = cells.observed(key) & np.any([cells.observed(other) for other in others], axis=0)
        scored = rng.permutation(held_out[both[held_out]])[:MAX_CELLS]
        if len(scored) >= MIN_CELLS:
            batch = cells.take(np.sort(scored)).to(device)
            average = unshrunk.average(vae, batch.batch_index)
            factors[key] = best_factor(vae, batch, key, average=average, rng=rng)
    return replace(unshrunk, factors=factors)


def best_factor(
    vae: MultiomeVAE, batch: Batch, key: str, *, average: Float[Tensor, "cell hidden"], rng: np.random.Generator
) -> float:
    """The most probable factor, by each value of some cells given their other modalities and by the belief in 1."""
    features = None
    n_features = vae.channel(key).likelihood.n_features
    if n_features > MAX_FEATURES:
        chosen = np.sort(rng.choice(n_features, MAX_FEATURES, replace=False))
        features = torch.from_numpy(chosen).to(average.device)
    latent = vae.encode(batch)
    q = product_of_experts({k: expert for k, expert in latent.per_modality.items() if k != key}, batch.observed)
    noises = antithetic(N_DRAWS, vae.n_latent, torch.Generator().manual_seed(int(rng.integers(2**31))))
    channel = vae.channel(key)
    # a head is linear: outputs lie between those of the average and of a cell as trunk outputs do
    centre = channel.head(average, features)
    told = [channel.head(vae.hidden(q.loc + q.scale * z.to(q.loc), batch), features) for z, _ in noises]
    x, exposure = channel.likelihood.recorded(batch.counts[key], features), vae.exposure(batch, key, features)
    known = batch.known(key, features)

    def surprise(factor: float) -> float:
        shrunk = (channel.likelihood(centre.lerp(o, factor), exposure=exposure, features=features) for o in told)
        each = [where_known(p.log_prob(x), known) for p in shrunk]
        told_so = float(torch.logsumexp(torch.stack(each), 0).sum(dtype=torch.float64))
        return ((1 - factor) / BELIEF) ** 2 / 2 - told_so

    best = minimize_scalar(surprise, bounds=(0, 1), method="bounded", options={"xatol": 0.01})
    return round(float(best.x), 3) if best.fun < surprise(1.0) else 1.0
