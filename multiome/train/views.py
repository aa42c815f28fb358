"""Random views of a minibatch: thinned counts, hidden features, hidden modalities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from scipy.stats import binom
from torch import Tensor

from multiome.nn.chance import BITS, chance, random_bits
from multiome.types import Batch, SparseRows, positions


def thin(batch: Batch, keep: float, *, counts: Mapping[str, bool]) -> Batch:
    """Keep each count with probability ``keep``; values that are no counts stay as they are.

    The exposure shrinks with what was kept, so that encoders see a true shallower measurement. For methylation the
    calls of a site are kept or dropped together with its coverage.
    """
    if keep == 1:
        return batch
    values, coverage, exposure = dict(batch.counts), dict(batch.coverage), dict(batch.exposure)
    for key, rows in batch.counts.items():
        if not counts[key]:
            continue
        if key in coverage:
            kept = chance(rows.values.shape, keep, device=rows.values.device).float()
            values[key] = rows.with_values(rows.values * kept)
            coverage[key] = coverage[key].with_values(coverage[key].values * kept)
        else:
            thinned = thin_counts(rows, keep)
            share = thinned.sum() / rows.sum().clamp_min(1)
            values[key], exposure[key] = thinned, exposure[key] * share
    return replace(batch, counts=values, coverage=coverage, exposure=exposure)


FEW = 16
"""Counts up to this are thinned by a table of what may be left of them."""


def thin_counts(rows: SparseRows, keep: float) -> SparseRows:
    """A binomial draw of every count; most counts are 1, where one chance is enough. A zero that is stored stays 0."""
    count = rows.values
    values = torch.minimum(chance(count.shape, keep, device=count.device).to(count.dtype), count)
    several = positions(count > 1)
    counts = count[several]
    row = (counts.long() - 1).clamp_max(FEW)
    left = left_of(keep, count.device).take((row << BITS) + random_bits(len(row), device=count.device)).to(count.dtype)
    many = positions(row == FEW)
    left[many] = torch.binomial(counts[many], torch.full_like(counts[many], keep))
    return rows.with_values(values.index_copy_(0, several, left))


@cache
def left_of(keep: float, device: torch.device) -> UInt8[Tensor, " case"]:
    """What is left of 1, 2, ... ``FEW`` counts, for every number that `BITS` random bits may make; a last row is 0."""
    edges = [binom.cdf(np.arange(n), n, keep) * (1 << BITS) for n in range(1, FEW + 1)]
    left = [np.searchsorted(edge.round(), np.arange(1 << BITS), side="right") for edge in edges]
    return torch.from_numpy(np.concatenate([*left, np.zeros(1 << BITS)]).astype(np.uint8)).to(device)


def hide_features(
    n_features: Mapping[str, int], share: float, *, device: torch.device | None = None
) -> dict[str, Bool[Tensor, " feature"]] | None:
    """Which features the encoders see in one step; how many are hidden varies from none to twice ``share``.

    Of a ``share`` above a half, as far to either side of it as there are features.
    """
    if share == 0:
        return None
    least, most = max(2 * share - 1, 0.0), min(2 * share, 1.0)
    hidden = least + float(torch.rand(())) * (most - least)
    return {key: torch.rand(n, device=device) >= hidden for key, n in n_features.items()}


def part_of(observed: Mapping[str, Bool[Tensor, " cell"]]) -> dict[str, Bool[Tensor, " cell"]]:
    """A random non-empty part of each cell's modalities, not all of them where there are several."""
    mask = torch.stack(list(observed.values()))
    n_observed = mask.sum(0)
    size = 1 + (torch.rand(mask.shape[1], device=mask.device) * (n_observed - 1).clamp_min(1)).long()
    order = torch.rand(mask.shape, device=mask.device).masked_fill(~mask, 2.0).argsort(0).argsort(0)
    chosen = (order < size) & mask
    return dict(zip(observed, chosen, strict=True))


def some_or_all(observed: Mapping[str, Bool[Tensor, " cell"]], share: float) -> dict[str, Bool[Tensor, " cell"]]:
    """A random part of the modalities for a random share of the cells, all of them for the rest."""
    part = part_of(observed)
    parted = torch.rand(len(next(iter(observed.values())))) < share
    return {key: torch.where(parted.to(mask.device), part[key], mask) for key, mask in observed.items()}
