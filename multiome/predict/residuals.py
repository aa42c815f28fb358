"""What cells show beside what the nearest training state expects of them."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.distributions import Normal

from multiome.data.dataset import CellDataset
from multiome.predict.embed import block_size, blocks, parts, posterior
from multiome.predict.fitted import Fitted
from multiome.predict.novelty import DISPERSION, HIGH, LOW
from multiome.types import Batch


@torch.no_grad()
def all_residuals(
    fitted: Fitted,
    cells: CellDataset,
    key: str,
    *,
    square: Float[np.ndarray, " feature"] | None = None,
    other: bool = False,
) -> tuple[Float[np.ndarray, " feature"], Float[np.ndarray, " cell"], Float[np.ndarray, " cell"]]:
    """Mean squared residual of each feature, log of each cell's over what is usual (``square``), and its log depth.

    Without ``square``, that of these cells, which are few, is usual. An ``other`` training state than the nearest is
    one at random.
    """
    parts = []
    for index in blocks(cells, compared_at_once(cells)):
        batch = cells.take(index).to(fitted.device)
        parts.append(residuals(fitted, cells, batch, posterior(fitted, cells, batch), key, other=other))
    if square is None:
        total = torch.stack([value.sum(0) for value, _, _ in parts]).sum(0)
        n = torch.stack([known.float().sum(0) for _, known, _ in parts]).sum(0)
        usual = (total / n.clamp_min(1)).clamp_min(1e-4)
    else:
        usual = torch.from_numpy(square).float()
    ratio = np.concatenate([log_ratio(value, known, usual) for value, known, _ in parts])
    return usual.double().numpy(), ratio, np.concatenate([depth for _, _, depth in parts])


def compared_at_once(cells: CellDataset) -> int:
    """How many cells are, by the modality of most features."""
    return block_size(max(matrix.values.shape[1] for matrix in cells.matrices.values()))


def log_ratio(
    value: Float[Tensor, "cell feature"], known: Bool[Tensor, "cell feature"], usual: Float[Tensor, " feature"]
) -> Float[np.ndarray, " cell"]:
    """Log of each cell's squared residuals over what is usual of the features that it was measured in."""
    return (value.sum(1) / (known.float() @ usual).clamp_min(1e-9)).clamp_min(1e-6).log().double().numpy()


def residuals(
    fitted: Fitted, cells: CellDataset, batch: Batch, q: Normal, key: str, *, other: bool = False
) -> tuple[Float[Tensor, "cell feature"], Bool[Tensor, "cell feature"], Float[np.ndarray, " cell"]]:
    """Clipped squared residuals, 0 where nothing was measured, where something was, and each cell's log depth.

    Of Booleans torch takes sums ten times as slowly as of numbers.
    """
    value, known = squared(fitted, batch, q, key, other=other)
    there = torch.from_numpy(cells.matrices[key].found) & batch.observed[key].cpu()[:, None]
    known = there if known is None else known & there
    depth = np.zeros(len(batch))
    if fitted.spec.modalities[key].has_depth:
        recorded = known.float().sum(1).double().numpy() if key in batch.coverage else total_of(fitted, batch, key)
        depth = np.log(np.maximum(recorded, 1))
    return torch.where(known, value, 0.0), known, depth


def squared(
    fitted: Fitted, batch: Batch, q: Normal, key: str, *, other: bool = False
) -> tuple[Float[Tensor, "cell feature"], Bool[Tensor, "cell feature"] | None]:
    """Clipped squared residuals, and which features were measured in which cells; None where all were."""
    vae = fitted.vae
    states = torch.from_numpy(fitted.shrinkage.states.astype(np.float32)).to(fitted.device)
    nearest = torch.cdist(q.loc, states).argmin(1)
    if other:
        steps = torch.randint(1, len(states), nearest.shape, generator=torch.Generator().manual_seed(0))
        nearest = (nearest + steps.to(nearest.device)) % len(states)
    h, exposure, value = vae.hidden(states[nearest], batch), vae.exposure(batch, key, None), batch.counts[key].dense()
    every = torch.arange(value.shape[1], device=value.device)
    for part in parts(*value.shape):
        p = vae.channel(key).decode(h, exposure if exposure.shape[1] == 1 else exposure[:, part], every[part])
        mean, variance = p.mean, p.variance
        if fitted.spec.modalities[key].has_depth:
            variance = torch.minimum(variance, mean + DISPERSION * mean**2)
        residual = ((value[:, part] - mean) / variance.clamp_min(1e-8).sqrt()).clamp(LOW, HIGH)
        value[:, part] = residual.square()
    known = batch.coverage[key].dense() > 0 if key in batch.coverage else batch.known(key)
    return value.cpu(), None if known is None else known.cpu()


def total_of(fitted: Fitted, batch: Batch, key: str) -> Float[np.ndarray, " cell"]:
    """Each cell's total count; where panels differ, what it would be of all features."""
    spec = fitted.spec.modalities[key]
    total = batch.counts[key].sum() if spec.n_panels == 1 else batch.exposure[key] * spec.median_depth
    return total[:, 0].double().cpu().numpy()
