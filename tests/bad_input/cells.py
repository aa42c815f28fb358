"""Small data that can be trained on, and the expected complaint about what cannot."""

from __future__ import annotations

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import multiome as mo

N_CELLS = 30


class Trained(Exception):
    """Training was about to start."""


def counts(n_features: int, prefix: str, *, n_cells: int = N_CELLS, first: int = 0, seed: int = 0) -> ad.AnnData:
    """Cells without an empty one, features without one that is zero everywhere."""
    x = np.random.default_rng(seed).poisson(1.0, (n_cells, n_features)) + np.eye(n_cells, n_features)
    x[0] += 1
    x[:, 0] += 1
    names = pd.Index([f"cell{i}" for i in range(first, first + n_cells)])
    var = pd.DataFrame(index=[f"{prefix}{i}" for i in range(n_features)])
    return ad.AnnData(sp.csr_matrix(x.astype(np.float32)), obs=pd.DataFrame(index=names), var=var)


def rna_only(rna: ad.AnnData) -> md.MuData:
    return md.MuData({"rna": rna})


def refused(error: type[Exception], told: str, data, **given) -> None:
    with pytest.raises(error, match=told):
        mo.fit(data, **given)
