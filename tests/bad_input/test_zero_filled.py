"""Cells that were padded with zeros pair nothing, also once they are dropped."""

from __future__ import annotations

import mudata as md
import numpy as np
import pytest
import scipy.sparse as sp

import multiome as mo


def zeroed(adata, rows):
    """A copy with rows of zeros."""
    adata = adata.copy()
    keep = np.ones(adata.n_obs)
    keep[rows] = 0
    adata.X = sp.csr_matrix(sp.diags(keep) @ adata.X)
    return adata


def test_modalities_that_share_only_rows_of_zeros_share_no_cell(small, quick_fit):
    rna, prot = (small.truth.counts[key] for key in ("rna", "prot"))
    padded = md.MuData({"rna": zeroed(rna, np.s_[80:]), "prot": zeroed(prot, np.s_[:80])})
    with pytest.raises(mo.InvalidPairing, match="share no cell"):
        quick_fit(padded, drop_empty=True)


def test_few_cells_left_in_common_are_mentioned(small, quick_fit):
    rna, prot = (small.truth.counts[key] for key in ("rna", "prot"))
    padded = md.MuData({"rna": zeroed(rna, np.s_[80:]), "prot": zeroed(prot, np.s_[:78])})
    with pytest.warns(mo.MultiomeWarning, match="share only 2 of"):
        quick_fit(padded, drop_empty=True, steps=1)
