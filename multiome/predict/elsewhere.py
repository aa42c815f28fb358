"""Modalities and features that an experimental batch was not measured in: what it would do to them, nothing tells.

A decoder has learnt the effect of a batch from other features, and would make something up. They are predicted as in
the batch that has most cells of those in which they were measured.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from multiome.data.spec import Covariate, DataSpec, ModalitySpec
from multiome.errors import MultiomeWarning, listed


def in_measured_batches(
    spec: DataSpec, key: str, batch_index: Int[np.ndarray, "cell covariate"], *, warn: bool = False
) -> Int[np.ndarray, "cell covariate"]:
    """The batches to predict a modality in: another one for cells of those in which no training cell has it."""
    if not spec.modalities[key].absent:
        return batch_index
    moved = batch_index.copy()
    for i, (covariate, levels) in enumerate(zip(spec.covariates, spec.modalities[key].absent, strict=True)):
        lacks = np.zeros(len(covariate.levels), dtype=bool)
        lacks[list(levels)] = True
        moved[:, i] = replacing(covariate, lacks)[batch_index[:, i]]
        changed = moved[:, i] != batch_index[:, i]
        known = np.unique(batch_index[changed & (batch_index[:, i] >= 0), i])
        if warn and len(known):
            warnings.warn(
                f"{key!r} was measured in no training cell of {covariate.name!r} "
                f"{listed([covariate.levels[level] for level in known])}, so nothing tells how it would look there; it "
                f"is predicted as in {covariate.levels[moved[changed, i][0]]!r}. Pass batch=... to say another one.",
                MultiomeWarning,
                stacklevel=5,
            )
    return moved


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
