"""Predicted totals of each RNA or ATAC count that come near the counted ones.

A feature's average, as training leaves it, is off: where a step evaluates a random sample of the features each is
learnt from few of the steps (some 10 %), and what is averaged over uncertain states is not what each state says (some
5 %). Afterwards it can be set at once: over all cells, what is predicted adds up to what was counted, but for features
with few counts. Binary peaks, proteins and methylation are left as they are.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from multiome.data.dataset import CellDataset
from multiome.model.panels import where_known
from multiome.model.vae import MultiomeVAE
from multiome.nn.fusion import product_of_experts
from multiome.predict.embed import blocks, parts
from multiome.predict.shrinkage import Shrinkage

MAX_CELLS = 20_000
"""Cells looked at."""
BELIEF = 10.0
"""Counts' worth of belief that training got a feature right."""


@torch.no_grad()
def match_totals(vae: MultiomeVAE, cells: CellDataset, shrinkage: Shrinkage, *, seed: int) -> None:
    """Correct, in place, the averages of all modalities whose likelihood lets them be multiplied."""
    rng = np.random.default_rng(seed)
    for key in vae.keys:
        likelihood = vae.channel(key).likelihood
        if likelihood.scales_means:
            rows = rng.permutation(np.flatnonzero(cells.observed(key)))[:MAX_CELLS]
            noise = torch.Generator().manual_seed(int(rng.integers(2**31)))
            counted, predicted = totals(vae, cells, shrinkage, key, rows=np.sort(rows), noise=noise)
            likelihood.scale_means((counted + BELIEF) / (predicted + BELIEF))


def totals(
    vae: MultiomeVAE, cells: CellDataset, shrinkage: Shrinkage, key: str, *, rows: np.ndarray, noise: torch.Generator
) -> tuple[Float[Tensor, " feature"], Float[Tensor, " feature"]]:
    """Of each feature over some cells: counted, and predicted from the other modalities; from itself where alone."""
    channel, device = vae.channel(key), next(vae.parameters()).device
    n_features = channel.likelihood.n_features
    counted, predicted = torch.zeros(2, n_features, dtype=torch.float64, device=device)
    looked_at, every = cells.part(rows), torch.arange(n_features, device=device)
    for index in blocks(looked_at):
        batch = looked_at.take(index).to(device)
        others = [seen for other, seen in batch.observed.items() if other != key]
        alone = ~torch.stack(others).any(0) if others else batch.observed[key]
        q = product_of_experts(vae.encode(batch).per_modality, {**batch.observed, key: alone})
        z = q.loc + q.scale * torch.randn(q.loc.shape, generator=noise).to(device)
        h = shrinkage.apply(vae.hidden(z, batch), shrinkage.centre(vae, batch.batch_index, key), key)
        for part in parts(len(index), n_features):
            mean = channel.decode(h, vae.exposure(batch, key, every[part]), every[part]).mean
            predicted[part] += where_known(mean, batch.known(key, every[part])).sum(0)
        counted += batch.counts[key].column_sum()
    return counted.float(), predicted.float()
