"""Small genomes."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

GENES = pd.DataFrame(
    {
        "chrom": ["chr1", "chr1", "chr2", "chrM"],
        "chromStart": [10_000, 50_000, 10_000, 100],
        "chromEnd": [20_000, 60_000, 12_000, 900],
        "strand": ["+", "-", "+", "+"],
    },
    index=["AAA", "BBB", "CCC", "MT-X"],
)


@pytest.fixture
def genes() -> pd.DataFrame:
    """Two genes on chr1 (``+`` and ``-``), one on chr2, one on chrM; the ``.var`` of an RNA modality."""
    return GENES.copy()


@pytest.fixture
def gene_table() -> pd.DataFrame:
    """The same genes as an annotation."""
    return GENES.assign(gene_name=GENES.index, gene_id=[f"ENSG0000000000{i}" for i in range(4)]).reset_index(drop=True)


@pytest.fixture
def peaks() -> Callable[..., pd.DataFrame]:
    """``peaks("chr1:100-200", ...)``: the ``.var`` of an ATAC modality, by names alone."""
    return lambda *names: pd.DataFrame(index=pd.Index(names))


@pytest.fixture
def linked() -> Callable[..., dict]:
    """(gene, peak) -> (weight, sign, distance) of a graph."""

    def read(graph) -> dict:
        table = graph.table()
        values = zip(table["weight"], table["sign"], table["distance"], strict=True)
        return dict(zip(zip(table["source"], table["target"], strict=True), values, strict=True))

    return read
