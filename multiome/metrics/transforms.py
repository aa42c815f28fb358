"""The scales on which predictions are compared: log CP10k for RNA, centred log ratio for proteins."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from multiome.metrics.validation import Array, Matrix, Values, as_matrix, dense, stored


def log_cp10k(counts: Values) -> sp.csr_array:
    """Natural log of 1 + counts per 10,000 counts of the cell; a cell without counts stays 0.

    Parameters
    ----------
    counts
        Counts, cells x genes, sparse or dense, none negative.

    Returns
    -------
    Cells x genes, CSR; float32 counts give float32.
    """
    x = _counts(counts)
    found = sp.csr_array(x, dtype=x.dtype if x.dtype.kind == "f" else np.float64, copy=True)
    total = np.asarray(found.sum(axis=1))
    total[total == 0] = 1
    found.data *= np.repeat(1e4 / total, np.diff(found.indptr))
    np.log1p(found.data, out=found.data)
    return found


def clr(counts: Values) -> Array:
    """Centred log ratio per cell: log of 1 + count, less its mean over the cell's proteins.

    Parameters
    ----------
    counts
        Counts, cells x proteins, dense or sparse, none negative.

    Returns
    -------
    Cells x proteins, dense; each cell has mean 0.
    """
    x = _counts(counts)
    y = np.log1p(dense(x).astype(np.float64))
    return y - y.mean(1, keepdims=True)


def _counts(x: Values) -> Matrix:
    found = as_matrix("counts", x)
    entries = stored(found)
    bad = ~((entries >= 0) & np.isfinite(entries))
    if bad.any():
        raise ValueError(
            f"`counts` must be finite and not negative, but {bad.sum()} entries are not (first: {entries[bad][0]})."
        )
    return found
