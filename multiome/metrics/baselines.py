"""What any model must beat: simple predictions of one modality's values from another's counts.

Each baseline takes the source modality of the training cells, the target values of the same cells on the scale that is
scored, and the source modality of the test cells; it returns the target values of the test cells. With
``counts=False`` the source's values are taken as they are, without log CP10k.
"""

from __future__ import annotations

import warnings
from typing import Protocol

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.neighbors import NearestNeighbors
from sklearn.neural_network import MLPRegressor

from multiome.metrics.transforms import log_cp10k
from multiome.metrics.validation import Dense, Matrix, Values, as_matrix, blocks, check_finite, dense

N_COMPONENTS = 50
N_NEIGHBOURS = 30
PENALTIES = np.logspace(-1, 4, 8)
WIDE = 2000  # targets beyond this many are fitted in parts


class Baseline(Protocol):
    """What every baseline looks like: training source, training target and test source to test target."""

    def __call__(self, train_x: Values, train_y: Values, test_x: Values, *, counts: bool = True) -> Dense:
        """Predict the target values of the test cells, cells x targets, dense."""


def components(train_x: Values, test_x: Values, *, n: int = N_COMPONENTS, counts: bool = True) -> tuple[Dense, Dense]:
    """Project both sets of cells on the truncated SVD of the training cells' log CP10k.

    Parameters
    ----------
    train_x, test_x
        Counts, cells x features, dense or sparse.
    n
        Components; fewer where there are too few cells or features.
    counts
        False for values that are not counts: they enter as they are.

    Returns
    -------
    Training cells x components, and test cells x components.
    """
    a, b = as_matrix("train_x", train_x), as_matrix("test_x", test_x)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"`train_x` and `test_x` must have the same features, got {a.shape[1]} and {b.shape[1]}.")
    n = min(n, a.shape[1] - 1, a.shape[0] - 1)
    if n < 1:
        raise ValueError(f"Components need at least 2 training cells and 2 features, got `train_x` of shape {a.shape}.")
    if counts:
        a, b = log_cp10k(a), log_cp10k(b)
    svd = TruncatedSVD(n, random_state=0).fit(a)
    return svd.transform(a), svd.transform(b)


def baseline_mean(train_x: Values, train_y: Values, test_x: Values, *, counts: bool = True) -> Dense:
    """Predict the training mean of every target; the source, and whether it is counts, changes nothing."""
    y = _targets(train_x, train_y)
    return np.tile(np.asarray(y.mean(axis=0)).reshape(1, -1), (as_matrix("test_x", test_x).shape[0], 1))


def baseline_knn(train_x: Values, train_y: Values, test_x: Values, *, counts: bool = True) -> Dense:
    """Predict the mean of the 30 training cells (all, if fewer) that are nearest on 50 components."""
    y = _targets(train_x, train_y)
    a, b = components(train_x, test_x, counts=counts)
    k = min(N_NEIGHBOURS, len(a))
    near = NearestNeighbors(n_neighbors=k).fit(a).kneighbors(b, return_distance=False)
    share = np.full(near.size, 1 / k)
    return dense(sp.csr_array((share, near.ravel(), np.arange(0, near.size + 1, k)), shape=(len(b), len(a))) @ y)


def baseline_ridge(train_x: Values, train_y: Values, test_x: Values, *, counts: bool = True) -> Dense:
    """Predict by ridge regression on 50 components, one penalty for all targets, by leave-one-out error.

    With more than 2,000 targets the penalty is chosen on 2,000 random ones, and all are fitted in parts.
    """
    y = _targets(train_x, train_y)
    a, b = components(train_x, test_x, counts=counts)
    n_targets = y.shape[1]
    if n_targets <= WIDE:
        return RidgeCV(PENALTIES).fit(a, dense(y)).predict(b).reshape(len(b), -1)
    some = np.random.default_rng(0).permutation(n_targets)[:WIDE]
    penalty = RidgeCV(PENALTIES).fit(a, dense(y[:, some])).alpha_
    parts = (Ridge(penalty).fit(a, dense(y[:, part])).predict(b) for part in blocks(n_targets, WIDE))
    return np.hstack([part.reshape(len(b), -1) for part in parts])


def baseline_mlp(train_x: Values, train_y: Values, test_x: Values, *, counts: bool = True) -> Dense:
    """Predict by a small network (128 and 64 hidden units) on 50 scaled components; slower than the others."""
    y = dense(_targets(train_x, train_y))
    a, b = components(train_x, test_x, counts=counts)
    scale = np.where(a.std(0) > 0, a.std(0), 1)
    net = MLPRegressor(hidden_layer_sizes=(128, 64), alpha=1.0, early_stopping=True, random_state=0, max_iter=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 100 rounds are the recipe
        net.fit(a / scale, y if y.shape[1] > 1 else y[:, 0])
    return net.predict(b / scale).reshape(len(b), -1)


BASELINES: dict[str, Baseline] = {
    "mean": baseline_mean,
    "knn": baseline_knn,
    "ridge": baseline_ridge,
    "mlp": baseline_mlp,
}
"""Every baseline by its name."""


def _targets(train_x: Values, train_y: Values) -> Matrix:
    x, y = as_matrix("train_x", train_x), as_matrix("train_y", train_y)
    if x.shape[0] != y.shape[0]:
        raise ValueError(f"`train_x` and `train_y` must hold the same cells, got {x.shape[0]} and {y.shape[0]}.")
    check_finite("train_y", y, "leave out cells in which the target was not measured")
    return y
