"""Features that an experimental batch was not measured in: what that batch would do to them, nothing tells.

A decoder has learnt the effect of a batch from other features, and would make something up. They are predicted as in
the batch that has most cells of those in which they were measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from multiome.data.spec import Covariate, ModalitySpec


def elsewhere(
    spec: ModalitySpec, covariates: Sequence[Covariate], batch_index: Int[Tensor, "cell covariate"]
) -> Iterator[tuple[Int[Tensor, " some"], Int[Tensor, "cell covariate"]]]:
    """Some features at a time, of those that a cell's batch was not measured in, and the batches to take instead."""
    if not spec.lacking:
        return
    lacks = np.zeros((sum(len(levels) for levels in spec.lacking), len(spec.features)), dtype=bool)
    for row, features in enumerate(features for levels in spec.lacking for features in levels):
        lacks[row, list(features)] = True
    patterns, group = np.unique(lacks, axis=1, return_inverse=True)
    ends = np.cumsum([len(levels) for levels in spec.lacking])[:-1]
    for g, pattern in enumerate(patterns.T):
        instead = batch_index.clone()
        for i, (covariate, lacking) in enumerate(zip(covariates, np.split(pattern, ends), strict=True)):
            levels = torch.from_numpy(replacing(covariate, lacking)).to(batch_index.device)
            instead[:, i] = levels[batch_index[:, i]]
        if not torch.equal(instead, batch_index):
            yield torch.from_numpy(np.flatnonzero(group.ravel() == g)).to(batch_index.device), instead


def replacing(covariate: Covariate, lacking: np.ndarray) -> Int[np.ndarray, " level"]:
    """The level to take for each, last for none: another one where it lacks the feature, for none where any does."""
    levels = np.append(np.arange(len(lacking)), -1)
    if lacking.any() and not lacking.all():
        most = int(np.argmax(np.where(lacking, -1, covariate.n_cells)))
        levels[np.append(lacking, True)] = most
    return levels
