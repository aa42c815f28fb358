"""Whether predicted accessibility ranks the peaks and cells in which fragments were observed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from scipy.stats import rankdata

from multiome.metrics.ranking import auroc_per_feature, average_precision
from multiome.metrics.validation import (
    Array,
    Dense,
    Matrix,
    Values,
    as_matrix,
    blocks,
    check_finite,
    check_same_shape,
    dense,
)

ENTRIES = 2_000_000  # of the matrices, dense at a time: some 50 MB with the ranks


def accessibility(predicted: Values, counts: Values, *, min_cells: int = 10) -> dict[str, float]:
    """How well predicted accessibility ranks observed presence (a count above 0).

    Parameters
    ----------
    predicted
        Predicted accessibility on any scale, cells x peaks, dense or sparse; compared in float32.
    counts
        Observed counts, cells x peaks, dense or sparse. Neither matrix is made dense as a whole.
    min_cells
        Peaks seen in fewer cells (and those seen in every cell) are left out of the scores over cells.

    Returns
    -------
    ``cell_auroc``
        AUROC over the peaks of a cell, mean over cells; a cell's scale does not matter. Cells without a positive or
        without a negative are skipped. A constant prediction scores 0.5.
    ``peak_auroc``
        AUROC over the cells of a peak, mean over peaks; a prediction that knows the cells' depth gains. Chance is 0.5.
    ``peak_auroc_depth_free``
        The same between cells of the same decile of observed depth only. Chance is 0.5.
    ``auprc``
        Average precision over all entries of those peaks. Chance is the share of positives.

    A score that no cell or no peak defines is NaN.
    """
    p, c = as_matrix("predicted", predicted), as_matrix("counts", counts)
    check_same_shape("predicted", p, "counts", c)
    check_finite("predicted", p, "leave out the cells or peaks without a prediction")
    check_finite("counts", c, "leave out the cells without this modality")
    seen, n_cells = sp.csr_array(c > 0), c.shape[0]
    seen_in = np.asarray(seen.sum(axis=0)).ravel()
    chosen = np.flatnonzero((seen_in >= min_cells) & (seen_in < n_cells))
    depth = np.asarray(c.sum(axis=1)).ravel()
    decile = (rankdata(depth, method="ordinal") - 1) * 10 // n_cells

    per_cell = [auroc_per_feature(score.T, truth.T) for score, truth in _cell_blocks(p, seen)]
    per_peak, per_peak_depth_free, positives = [], [], []
    by_peak = seen.tocsc()
    for score, truth in _peak_blocks(p, by_peak, chosen):
        per_peak.append(auroc_per_feature(score, truth))
        per_peak_depth_free.append(auroc_per_feature(score, truth, strata=decile))
        positives.append(score[truth])
    entries = (score for score, _ in _peak_blocks(p, by_peak, chosen))
    return {
        "cell_auroc": _mean(per_cell),
        "peak_auroc": _mean(per_peak),
        "peak_auroc_depth_free": _mean(per_peak_depth_free),
        "auprc": average_precision(np.concatenate(positives), entries) if positives else float("nan"),
    }


def _cell_blocks(predicted: Matrix, seen: sp.csr_array) -> Iterator[tuple[Dense, Dense]]:
    for rows in blocks(seen.shape[0], max(ENTRIES // seen.shape[1], 1)):
        yield dense(predicted[rows]).astype(np.float32), seen[rows].toarray()


def _peak_blocks(predicted: Matrix, seen: sp.csc_array, chosen: Dense) -> Iterator[tuple[Dense, Dense]]:
    for part in blocks(len(chosen), max(ENTRIES // seen.shape[0], 1)):
        columns = chosen[part]
        yield dense(predicted[:, columns]).astype(np.float32), seen[:, columns].toarray()


def _mean(parts: list[Array]) -> float:
    values = np.concatenate(parts) if parts else np.empty(0)
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")
