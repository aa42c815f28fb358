"""Modalities and features that an experimental batch was not measured in: what it would do to them, nothing tells.

A decoder has learnt the effect of a batch from other features, and would make something up. They are predicted as in
the batch that has most cells of those in which they were measured. One or two cells tell next to nothing either.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from multiome.data.spec import DataSpec, ModalitySpec
from multiome.errors import MultiomeWarning

FEW = 3
"""Cells of a batch that have a modality, below which it is predicted as in another batch."""


def in_measured_batches(
    spec: DataSpec, key: str, batch_index: Int[np.ndarray, "cell covariate"], *, warn: bool = False
) -> Int[np.ndarray, "cell covariate"]:
    """The batches to predict a modality in: another one for cells of those in which hardly a training cell has it."""
    moved = batch_index.copy()
    for i, (covariate, n) in enumerate(zip(spec.covariates, spec.modalities[key].cells_per_level, strict=False)):
        n_cells = np.asarray(n)
        moved[:, i] = replacing(n_cells)[batch_index[:, i]]
        changed = moved[:, i] != batch_index[:, i]
        if warn and changed.any():
            own = np.unique(batch_index[changed, i])
            lacking = [repr(covariate.levels[level]) if level >= 0 else "that is not of the training" for level in own]
            most = max((int(n_cells[level]) for level in own if level >= 0), default=0)
            cells = "no training cell" if most == 0 else f"fewer than {FEW} training cells"
            warnings.warn(
                f"{key!r} was measured in {cells} of a {covariate.name!r} {' or '.join(lacking)}, so nothing "
                f"tells how it would look there; it is predicted as in {covariate.levels[moved[changed, i][0]]!r}, "
                "which has most cells with it. Pass batch=... to say another one.",
                MultiomeWarning,
                stacklevel=6,
            )
    return moved


def elsewhere(
    spec: ModalitySpec, batch_index: Int[Tensor, "cell covariate"]
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
        for i, (n, lacking) in enumerate(zip(spec.cells_per_level, np.split(pattern, ends), strict=True)):
            levels = torch.from_numpy(replacing(np.where(lacking, 0, n))).to(batch_index.device)
            instead[:, i] = levels[batch_index[:, i]]
        if not torch.equal(instead, batch_index):
            yield torch.from_numpy(np.flatnonzero(group.ravel() == g)).to(batch_index.device), instead


def replacing(n_cells: Int[np.ndarray, " level"]) -> Int[np.ndarray, " and_none"]:
    """The level to take for each, by how many cells of it were measured; last for cells of none that is known.

    Fewer than `FEW` count as none, unless no level has as many. Cells of no known level stay as they are, for which the
    average of the levels stands, unless only one level was measured.
    """
    levels = np.append(np.arange(len(n_cells)), -1)
    most = int(np.argmax(n_cells))
    has = n_cells >= (FEW if n_cells[most] >= FEW else 1)
    if has.any():
        levels[:-1][~has] = most
    if has.sum() == 1:
        levels[-1] = most
    return levels
