"""What differs where cells were measured with different panels of features: nothing is learnt of what a panel lacks."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from multiome.data.panels import filled
from multiome.likelihoods.base import Likelihood
from multiome.nn.completion import centring, covariance_of, telling
from multiome.nn.transform import from_dense
from multiome.types import Found, SparseRows


def found_in(measured: Bool[Tensor, "cell feature"] | None, found: Bool[Tensor, " feature"] | None) -> Found | None:
    """What is both in a cell's panel and not hidden or missing; None where everything is."""
    if measured is None or found is None:
        return found if measured is None else measured
    return measured & found


def where_known(
    told: Float[Tensor, "cell feature"], known: Bool[Tensor, "cell feature"] | None
) -> Float[Tensor, "cell feature"]:
    """Log-probabilities of what was measured, 0 elsewhere."""
    return told if known is None else torch.where(known, told, 0.0)


def completed(
    seen: SparseRows, measured: Bool[Tensor, "cell feature"], *, relative: bool
) -> tuple[SparseRows, Float[Tensor, "feature feature"]]:
    """What an encoder would see of all features, as a cell's own tell it; and how these vary together."""
    usual = filled(seen.dense().double().numpy(), measured.numpy(), relative=relative)
    level = torch.from_numpy(usual.mean(0).astype(np.float32))
    residual = torch.from_numpy(usual.astype(np.float32)) - level
    covariance = covariance_of(residual, measured, relative=relative)
    panels, member = torch.unique(measured, dim=0, return_inverse=True)
    for p, found in enumerate(panels):
        shown = residual[member == p] @ centring(found, relative=relative)
        residual[member == p] = shown @ telling(covariance, found, relative=relative)
    return from_dense(residual + level), covariance


def initialise_by_panel(
    likelihood: Likelihood,
    rows: SparseRows,
    exposure: Float[Tensor, "cell 1"],
    measured: Bool[Tensor, "cell feature"],
) -> None:
    """Initialise a likelihood a few features at a time, each from the cells in which they were measured.

    All of a likelihood's parameters have one entry per feature, along their last axis.
    """
    counts = rows.dense().numpy()
    _, group = np.unique(measured.numpy(), axis=1, return_inverse=True)
    for g in range(int(group.max()) + 1):
        features = torch.from_numpy(np.flatnonzero(group.ravel() == g))
        cells = measured[:, features[0]]
        if not cells.any():  # none of these cells; left as it is
            continue
        part = type(likelihood)(len(features))
        block = sp.csr_matrix(counts[cells.numpy()][:, features.numpy()])
        part.initialise(SparseRows.from_scipy(block), exposure[cells])
        with torch.no_grad():
            for name, value in part.named_parameters():
                likelihood.get_parameter(name)[..., features] = value
