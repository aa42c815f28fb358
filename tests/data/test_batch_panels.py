"""Zeros that stand for proteins that a batch was not measured in are warned of, chance zeros are not."""

from __future__ import annotations

import warnings

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import pytest

from multiome.data.build import prepare
from multiome.errors import MultiomeWarning

N, M = 200, 6
LEVEL = np.where(np.arange(N) < 120, "a", "b")


def read(x):
    names = [f"cell{i}" for i in range(N)]
    obs = pd.DataFrame({"run": LEVEL}, index=names)
    protein = ad.AnnData(x.astype(np.float32), obs=obs, var=pd.DataFrame(index=[f"p{j}" for j in range(M)]))
    with md.set_options(pull_on_update=False):
        return prepare(md.MuData({"prot": protein}), modalities=None, batch_key="run", drop_empty=False)


def counts(mean: float = 4.0) -> np.ndarray:
    x = np.random.default_rng(0).poisson(mean, (N, M))
    x[:, 0] += 1
    return x.astype(float)


def test_zeros_in_a_whole_batch_are_warned_of():
    x = counts()
    x[LEVEL == "b", 3:5] = 0
    told = r"'prot': in 1 of 2 levels of batch_key 'run', .* \(in 'b' 2: 'p3', 'p4'\).*fill_value=np.nan"
    with pytest.warns(MultiomeWarning, match=told):
        read(x)


def test_nan_and_rare_proteins_are_not():
    x = counts()
    x[LEVEL == "b", 3:5] = np.nan
    x[:, 2] = 0
    x[:12, 2] = 1  # of so rare a protein, 8 of the 80 other cells would have a count
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spec, _ = read(x)
    assert spec.modalities["prot"].n_panels == 2
