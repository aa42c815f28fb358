"""Transcription factors and genes, through motifs in linked peaks."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import multiome as mo
from multiome.errors import MultiomeError, UnknownName
from multiome.predict.multiple_tests import bh

COLUMNS = ["tf", "gene", "score", "peak", "n_peaks", "p", "q"]


def linked(*rows: tuple) -> mo.Links:
    table = pd.DataFrame(list(rows), columns=["source", "target", "score", "p"])
    return mo.Links(table.assign(q=bh(table["p"]), distance=np.nan, weight=1.0, sign=1), "rna", "atac")


@pytest.fixture
def links() -> mo.Links:
    return linked(
        ("A", "p1", 1.0, 0.01), ("A", "p2", -2.0, 0.04), ("A", "p3", 0.1, 0.9),
        ("B", "p3", 0.3, 0.2), ("B", "p4", np.nan, np.nan), ("C", "p4", np.nan, np.nan),
    )  # fmt: skip


@pytest.fixture
def motifs() -> pd.DataFrame:
    """T1 in three peaks of A (p2 twice) and one of B, T2 in one that both have and one that was never tested."""
    hits = [("T1", "p1"), ("T1", "p2"), ("T1", "p3"), ("T1", "p2"), ("T2", "p3"), ("T2", "p4"), ("T2", "elsewhere")]
    return pd.DataFrame(hits, columns=["tf", "peak"])


def test_by_hand(links, motifs):
    found = links.regulons(motifs)
    assert list(found.columns) == COLUMNS
    rows = found.set_index(["tf", "gene"])
    assert len(rows) == 5
    assert rows.loc[("T1", "A"), ["score", "peak", "n_peaks"]].tolist() == [-2.0, "p2", 3]
    assert rows.loc[("T1", "A"), "p"] == pytest.approx(0.03)  # 3 * 0.01
    assert rows.loc[("T1", "B"), ["score", "peak", "n_peaks", "p"]].tolist() == [0.3, "p3", 1, 0.2]
    assert rows.loc[("T2", "B"), ["score", "peak", "n_peaks", "p"]].tolist() == [0.3, "p3", 2, 0.2]
    assert rows.loc[("T2", "A"), "p"] == pytest.approx(0.9)
    assert np.isnan(rows.loc[("T2", "C"), "p"])
    assert rows.loc[("T2", "C"), "n_peaks"] == 1
    np.testing.assert_allclose(found["q"], bh(found["p"]))
    assert found[["tf", "gene"]].to_numpy().tolist() == [
        ["T1", "A"],
        ["T1", "B"],
        ["T2", "B"],
        ["T2", "A"],
        ["T2", "C"],
    ]
    assert found.dtypes[["score", "n_peaks", "p"]].tolist() == [np.float64, np.int64, np.float64]


def test_a_level_keeps_rows_and_their_q(links, motifs):
    every, found = links.regulons(motifs), links.regulons(motifs, q=0.15)
    pd.testing.assert_frame_equal(found, every[:1])
    assert links.regulons(motifs, q=0.01).empty
    assert list(links.regulons(motifs, q=0.01).columns) == COLUMNS


def test_further_columns_and_categories(links, motifs):
    wanted = links.regulons(motifs)
    pd.testing.assert_frame_equal(links.regulons(motifs.assign(score=3.5).astype("category")), wanted)
    pd.testing.assert_frame_equal(links.regulons(motifs.sample(frac=1, random_state=0)), wanted)


@pytest.mark.parametrize("kind", ["bool", "int", "sparse", "sparse of bool", "sparse with NaN"])
def test_a_matrix_says_the_same(links, motifs, kind):
    matrix = pd.crosstab(motifs["peak"], motifs["tf"]) > 0
    if kind == "int":
        matrix = matrix.astype(int)
    elif kind == "sparse":
        matrix = pd.DataFrame.sparse.from_spmatrix(sp.csr_matrix(matrix * 1.0), matrix.index, matrix.columns)
    elif kind == "sparse of bool":
        matrix = matrix.astype(pd.SparseDtype(bool, fill_value=False))
    elif kind == "sparse with NaN":
        matrix = matrix.astype(float).replace(0, np.nan).astype(pd.SparseDtype(float))
    pd.testing.assert_frame_equal(links.regulons(matrix), links.regulons(motifs))


def test_against_loops():
    rng = np.random.default_rng(0)
    pairs = {(f"G{g}", f"p{p}") for g, p in rng.integers(0, 12, (80, 2))}
    links = linked(*[(gene, peak, rng.normal(), rng.random()) for gene, peak in sorted(pairs)])
    motifs = pd.DataFrame(
        {"tf": [f"T{i}" for i in rng.integers(0, 5, 40)], "peak": [f"p{i}" for i in rng.integers(0, 12, 40)]}
    )
    found = links.regulons(motifs).set_index(["tf", "gene"])
    n = 0
    for tf, hits in motifs.groupby("tf"):
        for gene, rows in links.table[links.table["target"].isin(hits["peak"])].groupby("source"):
            n += 1
            p = np.sort(rows["p"])
            best = rows.iloc[rows["score"].abs().argmax()]
            row = found.loc[(tf, gene)]
            assert row["p"] == pytest.approx((len(p) * p / np.arange(1, len(p) + 1)).min())
            assert (row["peak"], row["score"], row["n_peaks"]) == (best["target"], best["score"], len(p))
    assert n == len(found)


def test_peaks_that_are_not_known(links, motifs):
    with pytest.raises(
        UnknownName, match=r"None of the 4 peaks .*such as 'chr-p1', .* the links 'p1', 'p2', 'p3'\. Names"
    ):
        links.regulons(motifs.assign(peak="chr-" + motifs["peak"])[:6])


def test_what_are_no_motifs(links, motifs):
    with pytest.raises(
        MultiomeError, match=r"lacks the columns 'tf'; it has 'TF', 'peak'\. It must have one row per hit"
    ):
        links.regulons(motifs.rename(columns={"tf": "TF"}))
    with pytest.raises(MultiomeError, match=r"lacks the columns 'peak'; it has 'tf', 'peaks'\. Did you mean 'peaks'"):
        links.regulons(motifs.rename(columns={"peak": "peaks"}))
    with pytest.raises(MultiomeError, match=r"lacks the columns 'tf', 'peak'; it has 'a', 'b'"):
        links.regulons(motifs.set_axis(["a", "b"], axis=1))
    with pytest.raises(MultiomeError, match="`motifs` has 0 rows, but no hit of a motif in a peak"):
        links.regulons(motifs[:0])
    with pytest.raises(MultiomeError, match="no hit of a motif in a peak"):
        links.regulons(pd.DataFrame(0, index=["p1"], columns=["T1", "T2"]))


def test_a_matrix_of_scores_is_no_matrix_of_hits(links, motifs):
    matrix = pd.crosstab(motifs["peak"], motifs["tf"]) > 0
    for scores in (
        matrix * 2.5,
        pd.DataFrame.sparse.from_spmatrix(sp.csr_matrix(matrix * 2.5), matrix.index, matrix.columns),
    ):
        with pytest.raises(MultiomeError, match=r"holds 2\.5, where only 0 and 1"):
            links.regulons(scores)


def test_stored_zeros_of_a_sparse_matrix_are_no_hits(links, motifs):
    matrix = pd.crosstab(motifs["peak"], motifs["tf"]).clip(upper=1)
    stored = sp.csr_matrix(np.ones(matrix.shape))
    stored.data[:] = matrix.to_numpy(float).ravel()
    sparse = pd.DataFrame.sparse.from_spmatrix(stored, matrix.index, matrix.columns)
    pd.testing.assert_frame_equal(links.regulons(sparse), links.regulons(motifs))
