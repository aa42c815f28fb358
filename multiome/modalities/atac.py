"""Chromatin accessibility counts: fragments, cut sites (halved to fragments) or presence.

Where counts are recognised as cut sites, everything that a model says of them, expected counts and depths, is in
fragments; measured values that it is shown later are halved too.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp

from multiome.likelihoods.bernoulli import Bernoulli
from multiome.likelihoods.poisson import Poisson
from multiome.modalities.base import Choices, Modality
from multiome.nn.transform import TfIdf


def fragments_or_presence(modality: Modality, counts: sp.csr_matrix, var: pd.DataFrame) -> Choices:
    """Every peak is kept; the counts decide what they are.

    Only zeros and ones: presence, a Bernoulli likelihood. Above 1, more even than odd counts: cut sites, two per
    fragment, halved and rounded up to fragments (Martens et al. 2024). Anything else: fragments.
    """
    every = np.ones(counts.shape[1], dtype=bool)
    values = counts.data[counts.data > 0]
    if modality.likelihood is not Poisson or not len(values):
        return Choices(every, modality.likelihood)
    if values.max() <= 1:
        return Choices(every, Bernoulli, notes=("the values are 0 and 1 only, so a Bernoulli likelihood is used.",))
    if looks_like_cut_sites(values):
        note = "counts are mostly even, so they are taken for cut sites and halved (rounded up) to fragments."
        return Choices(every, modality.likelihood, halved=True, notes=(note,))
    return Choices(every, modality.likelihood)


def looks_like_cut_sites(values: np.ndarray) -> bool:
    """Whether twos outnumber ones and fours outnumber threes: fragments counted by their two ends."""
    ones, twos, threes, fours = (int((values == n).sum()) for n in (1, 2, 3, 4))
    return twos > ones and fours > threes


ATAC = Modality(
    name="atac",
    aliases=("atac", "peaks", "peak", "chromatin", "scatac"),
    recipe=fragments_or_presence,
    transform=TfIdf,
    likelihood=Poisson,
)
