"""Small annotated matrices whose every value says where it belongs."""

from collections.abc import Callable, Sequence

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp


def counts_of(cells: Sequence[str], features: Sequence[str]) -> np.ndarray:
    """Value 10 * (number in the cell's name) + (number in the feature's name); 0 where the sum of both is odd."""
    cell, feature = (np.array([int(name[1:]) for name in names]) for names in (cells, features))
    values = 10 * cell[:, None] + feature[None]
    return np.where((cell[:, None] + feature[None]) % 2, 0, values).astype(np.float32)


@pytest.fixture
def make_adata() -> Callable[..., ad.AnnData]:
    """``make_adata(["c1", "c2"], ["g1"], batch=[...])``; the columns of ``obs`` as keywords."""

    def make(cells: Sequence[str], features: Sequence[str] = ("g1", "g2", "g3", "g4"), **obs: object) -> ad.AnnData:
        table = pd.DataFrame(obs, index=pd.Index(list(cells), dtype=object))
        var = pd.DataFrame(index=pd.Index(list(features), dtype=object))
        return ad.AnnData(sp.csr_matrix(counts_of(cells, features)), obs=table, var=var)

    return make


@pytest.fixture
def mosaic(make_adata: Callable[..., ad.AnnData]) -> md.MuData:
    """Eight cells: c1 to c6 with RNA; c8, c6, c4, c2 and c9 (in this order) with ATAC."""
    rna = make_adata([f"c{i}" for i in range(1, 7)])
    atac = make_adata([f"c{i}" for i in (8, 6, 4, 2, 9)], ["p1", "p2", "p3"])
    with md.set_options(pull_on_update=False):
        return md.MuData({"rna": rna, "atac": atac})
