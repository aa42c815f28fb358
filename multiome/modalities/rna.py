"""Gene expression counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp

from multiome.errors import MultiomeError, listed
from multiome.likelihoods.negative_binomial import NegativeBinomial
from multiome.modalities.base import Choices, Modality
from multiome.nn.transform import LogNormalise

N_TOP_GENES = 4000


def select_variable_genes(modality: Modality, counts: sp.csr_matrix, var: pd.DataFrame) -> Choices:
    """The genes marked in ``var["highly_variable"]`` if that column exists, else the 4,000 most variable ones.

    Variable means scanpy's ``flavor="seurat"`` on log CP10k. Up to 4,000 genes are all kept.

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
    import anndata as ad
    import scanpy as sc

    normalised = ad.AnnData(counts.astype(np.float32, copy=True))
    sc.pp.normalize_total(normalised, target_sum=1e4)
    sc.pp.log1p(normalised)
    table = sc.pp.highly_variable_genes(normalised, n_top_genes=N_TOP_GENES, flavor="seurat", inplace=False)
    selected = table["highly_variable"].to_numpy(dtype=bool)
    return Choices(
        selected, modality.likelihood, notes=(f"the {selected.sum():,} most variable of {n_genes:,} genes are used.",)
    )


def marked(column: pd.Series) -> np.ndarray:
    """A boolean column (missing values are False) that is True somewhere."""
    if not pd.api.types.is_bool_dtype(column.dtype):
        raise MultiomeError(
            f"var['highly_variable'] must hold booleans, got {column.dtype} (first: {listed(column[:3])}). Convert it, "
            "for example var['highly_variable'] = var['highly_variable'] == 'True', or drop the column to have the "
            "most variable genes chosen."
        )
    selected = column.fillna(False).to_numpy(dtype=bool)  # noqa: FBT003
    if not selected.any():
        raise MultiomeError(
            f"var['highly_variable'] marks none of the {len(column):,} genes. Drop the column to have the most "
            "variable genes chosen."
        )
    return selected


RNA = Modality(
    name="rna",
    aliases=("rna", "gex", "gene", "genes", "gene expression"),
    recipe=select_variable_genes,
    transform=LogNormalise,
    likelihood=NegativeBinomial,
)
