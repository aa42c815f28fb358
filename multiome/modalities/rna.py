"""Gene expression counts."""

from __future__ import annotations

from math import isqrt

import numpy as np
import pandas as pd
import scipy.sparse as sp

from multiome.errors import MultiomeError, listed
from multiome.likelihoods.negative_binomial import NegativeBinomial
from multiome.modalities.base import Choices, Modality
from multiome.nn.transform import LogNormalise

N_TOP_GENES = 8000


def select_variable_genes(modality: Modality, counts: sp.csr_matrix, var: pd.DataFrame) -> Choices:
    """The genes marked in ``var["highly_variable"]`` if that column exists, else the 8,000 most variable ones.

    Variable means the variance of log CP10k, not relative to the mean: such genes carry the principal components, and
    dispersion-based choices leave out many of them in favour of genes that few counts tell about. Up to 8,000 genes
    are all kept.

    Raises
    ------
    MultiomeError
        If the column does not hold booleans, or marks no gene.
    """
    n_genes = counts.shape[1]
    if "highly_variable" in var:
        selected = marked(var["highly_variable"])
        return Choices(
            selected, modality.likelihood, notes=(f"{selected.sum():,} genes marked highly_variable are used.",)
        )
    if n_genes <= N_TOP_GENES:
        return Choices(np.ones(n_genes, dtype=bool), modality.likelihood)
    selected = np.zeros(n_genes, dtype=bool)
    selected[np.argsort(-log_variance(counts), kind="stable")[:N_TOP_GENES]] = True
    return Choices(
        selected, modality.likelihood, notes=(f"the {selected.sum():,} most variable of {n_genes:,} genes are used.",)
    )


def log_variance(counts: sp.csr_matrix) -> np.ndarray:
    """Variance over cells of ``log1p`` of counts per 10,000, per gene; the matrix stays sparse."""
    logged = counts.astype(np.float64)
    total = np.maximum(np.asarray(logged.sum(1)).ravel(), 1)
    logged.data = np.log1p(logged.data * np.repeat(1e4 / total, np.diff(logged.indptr)))
    mean = np.asarray(logged.mean(0)).ravel()
    return np.asarray(logged.multiply(logged).mean(0)).ravel() - mean**2


def marked(column: pd.Series) -> np.ndarray:
    """A boolean column (missing values are False) that is True somewhere."""
    if not pd.api.types.is_bool_dtype(column.dtype):
        convert = "astype('boolean')" if all(isinstance(v, bool) for v in column.dropna()) else "map(...)"
        raise MultiomeError(
            f"var['highly_variable'] must hold booleans, got {column.dtype} (first: {listed(column[:3])}). Convert it, "
            f"with var['highly_variable'] = var['highly_variable'].{convert}, or drop the column to have the most "
            "variable genes chosen."
        )
    selected = column.fillna(False).to_numpy(dtype=bool)  # noqa: FBT003
    if not selected.any():
        raise MultiomeError(
            f"var['highly_variable'] marks none of the {len(column):,} genes. Drop the column to have the most "
            "variable genes chosen."
        )
    return selected


def square_root(n_cells: int) -> int:
    """As many components as the square root of the cells: each gene is noisy, so that noise takes over early."""
    return isqrt(n_cells)


RNA = Modality(
    name="rna",
    aliases=("rna", "gex", "gene", "genes", "gene expression"),
    recipe=select_variable_genes,
    transform=LogNormalise,
    likelihood=NegativeBinomial,
    worth_seeing=square_root,
)
