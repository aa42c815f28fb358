"""Cells that every test of bad input spoils in its own way."""

from __future__ import annotations

import anndata as ad
import pytest

from tests.bad_input.cells import Trained, counts


@pytest.fixture
def never_trains(monkeypatch):
    """Training itself is an error: whatever is refused must be refused before."""

    def optimise(*_, **__):
        raise Trained

    monkeypatch.setattr("multiome.predict.models.train", optimise)


@pytest.fixture
def rna() -> ad.AnnData:
    return counts(12, "gene")


@pytest.fixture
def atac() -> ad.AnnData:
    return counts(15, "peak", seed=1)


@pytest.fixture
def met() -> ad.AnnData:
    adata = counts(10, "site", seed=2)
    adata.layers["coverage"] = adata.X * 2
    return adata
