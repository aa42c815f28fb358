"""The simple way to tell cells that carry a protein: a mixture of two normals of its log counts."""

from __future__ import annotations

import numpy as np
from sklearn.mixture import GaussianMixture


def probability_high(training: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """Of each protein, the probability of the higher component (cells x proteins)."""
    found = np.empty(scored.shape)
    for j in range(scored.shape[1]):
        mixture = GaussianMixture(2, random_state=0, reg_covar=1e-3).fit(training[:, [j]])
        found[:, j] = mixture.predict_proba(scored[:, [j]])[:, mixture.means_.ravel().argmax()]
    return found
