"""Small genomes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import multiome as mo

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


@pytest.fixture
def graph() -> mo.GuidanceGraph:
    """A gene and its protein, a gene and its peak and its site, and three features without an edge."""
    table = pd.DataFrame(
        [
            ("rna", "CD4", "prot", "CD4", 1.0, 1, np.nan),
            ("rna", "CD8A", "atac", "chr2:5-9", 0.5, 1, 120.0),
            ("rna", "CD8A", "met", "chr2:7-8", 0.25, -1, 0.0),
        ],
        columns=["source_modality", "source", "target_modality", "target", "weight", "sign", "distance"],
    )
    vertices = {
        "rna": ["CD4", "CD8A", "MS4A1"],
        "atac": ["chr2:5-9"],
        "prot": ["CD4", "CD8", "IgG"],
        "met": ["chr2:7-8"],
    }
    return mo.GuidanceGraph.from_table(table, vertices=vertices)


@pytest.fixture
def placed(genes, peaks) -> mo.GuidanceGraph:
    """Those four genes, two peaks that have a gene, one without, and one without a place."""
    return mo.GuidanceGraph.from_genome(
        genes, peaks("chr1:10000-10100", "chr2:11000-11500", "chr2:90000-90100", "elsewhere")
    )


@pytest.fixture
def same() -> Callable[..., None]:
    """Assert that two graphs are the same."""

    def check(a: mo.GuidanceGraph, b: mo.GuidanceGraph) -> None:
        pd.testing.assert_index_equal(a.vertices, b.vertices, exact=True)
        pd.testing.assert_frame_equal(a.edges, b.edges)
        assert a.report == b.report
        if a.places is None or b.places is None:
            assert a.places is b.places
        else:
            pd.testing.assert_frame_equal(a.places, b.places)

    return check
