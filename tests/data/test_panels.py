"""NaN in whole proteins of a set of cells is a panel; how deep cells are does not depend on which panel they had."""

from __future__ import annotations

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from multiome.data.build import prepare_modality
from multiome.data.depth import depth_of
from multiome.data.matrix import read_matrix
from multiome.data.panels import Panels, depth_shares, filled, panel_totals, without_nan
from multiome.errors import InvalidCounts, MultiomeWarning, SpecMismatch
from multiome.modalities.protein import PROTEIN

N, M = 900, 12
MEMBER = (np.arange(N) >= 300).astype(int)


def panels_of(first: list[int], second: list[int]) -> Panels:
    """The first 300 cells lack ``first``, the others ``second``."""
    measured = np.ones((2, M), dtype=bool)
    measured[0, first], measured[1, second] = False, False
    return Panels(measured, MEMBER)


def measured_counts(panels: Panels, *, deeper: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts with NaN, each cell's true depth, and each protein's true share of it; later cells are ``deeper``."""
    rng = np.random.default_rng(0)
    share = np.linspace(1, 6, M) / np.linspace(1, 6, M).sum()
    depth = rng.lognormal(7, 0.3, N) * np.where(MEMBER, deeper, 1)
    counts = rng.poisson(depth[:, None] * share).astype(np.float32)
    return np.where(panels.of(np.arange(N)), counts, np.nan).astype(np.float32), depth, share


def adata_of(x) -> ad.AnnData:
    names = [f"cell{i}" for i in range(x.shape[0])], [f"p{j}" for j in range(x.shape[1])]
    return ad.AnnData(x, obs=pd.DataFrame(index=names[0]), var=pd.DataFrame(index=names[1]))


@pytest.mark.parametrize("deeper", [1.0, 3.0])
def test_depths_are_those_of_all_proteins_whichever_panel_a_cell_had(deeper):
    panels = panels_of([0, 1, 2, 11], [3, 4, 10])
    x, depth, share = measured_counts(panels, deeper=deeper)
    spec, matrix = prepare_modality("prot", adata_of(x), PROTEIN, drop_empty=False)
    np.testing.assert_allclose(spec.share, share, rtol=0.03)
    for member in (0, 1):
        ratio = matrix.depth[member == MEMBER] / depth[member == MEMBER]
        assert ratio.mean() == pytest.approx(1, abs=0.02)
    assert spec.n_panels == 2
    assert "2 different panels, of 8 and 9 of the 12 features, of which all have 5" in spec.notes[-1]


def test_panels_without_a_common_protein_are_taken_to_be_equally_deep():
    panels = panels_of(list(range(6)), list(range(6, 12)))
    x, _, _ = measured_counts(panels, deeper=3)
    counts, _ = without_nan(sp.csr_matrix(x))
    share = depth_shares(panel_totals(counts, panels), panels)
    depth = np.asarray(counts.sum(1)).ravel() / panels.worth(share)
    assert share.sum() == pytest.approx(1)
    assert depth[MEMBER == 0].mean() == pytest.approx(depth[MEMBER == 1].mean(), rel=1e-6)


def test_without_nan_there_are_no_panels():
    x = np.random.default_rng(0).poisson(3.0, (N, M)).astype(np.float32)
    values, panels = without_nan(sp.csr_matrix(x))
    assert panels is None
    spec, matrix = prepare_modality("prot", adata_of(x), PROTEIN, drop_empty=False)
    assert (matrix.panels, spec.n_panels, spec.notes) == (None, 1, ())
    np.testing.assert_array_equal(matrix.values.toarray(), values.toarray())


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix, sp.csc_matrix], ids=["dense", "csr", "csc"])
def test_reading_panels_changes_nothing_in_the_data(form):
    x, _, _ = measured_counts(panels_of([0, 1], [5]))
    adata = adata_of(form(x))
    spec, matrix = prepare_modality("prot", adata, PROTEIN, drop_empty=False)
    again = read_matrix("prot", adata[:, ::-1], spec)
    after = adata.X.toarray() if sp.issparse(adata.X) else adata.X
    np.testing.assert_array_equal(after, x)
    for one in (matrix, again):
        np.testing.assert_array_equal(one.values.toarray(), np.nan_to_num(x))
        np.testing.assert_array_equal(one.panels.of(np.arange(N)), ~np.isnan(x))
        np.testing.assert_allclose(one.depth, matrix.depth, rtol=1e-5)


def test_joining_with_anndata_makes_panels():
    x, _, _ = measured_counts(panels_of([], []))
    whole = adata_of(x)
    parts = [whole[MEMBER == 0, :9].copy(), whole[MEMBER == 1, 3:].copy()]
    joined = ad.concat(parts, join="outer", fill_value=np.nan)
    spec, matrix = prepare_modality("prot", joined, PROTEIN, drop_empty=False)
    assert spec.n_panels == 2
    assert matrix.panels.of(np.array([0, N - 1])).sum(1).tolist() == [9, 9]


def test_a_query_of_one_panel_reads_as_if_the_other_proteins_were_not_listed():
    x, _, _ = measured_counts(panels_of([0, 1, 2], [9, 10]))
    adata = adata_of(x)
    spec, matrix = prepare_modality("prot", adata, PROTEIN, drop_empty=False)
    first = adata[MEMBER == 0]
    blank, absent = read_matrix("prot", first, spec), read_matrix("prot", first[:, 3:], spec)
    assert blank.panels is None
    np.testing.assert_array_equal(blank.found, absent.found)
    np.testing.assert_allclose(blank.depth, absent.depth, rtol=1e-5)
    np.testing.assert_allclose(blank.depth, matrix.depth[MEMBER == 0], rtol=1e-5)
    one = read_matrix("prot", adata[[0, N - 1]], spec)  # so few cells do for a query
    np.testing.assert_array_equal(one.panels.of(np.arange(2)), ~np.isnan(x[[0, -1]]))
    with pytest.raises(SpecMismatch, match=r"25% found"):
        read_matrix("prot", adata_of(np.where(np.arange(M) < 3, np.nan_to_num(x) + 1, np.nan)), spec)


def test_depth_of_a_query_that_lists_fewer_proteins_still_knows_the_panels():
    x, depth, _ = measured_counts(panels_of([0, 1, 2], [9, 10]))
    adata = adata_of(x)
    spec, _ = prepare_modality("prot", adata, PROTEIN, drop_empty=False)
    part = adata[:, 1:]
    values, panels = without_nan(sp.csr_matrix(part.X))
    found = depth_of(values, part.var_names, spec, panels)
    assert found[MEMBER == 0].mean() == pytest.approx(depth[MEMBER == 0].mean(), rel=0.02)
    assert found[MEMBER == 1].mean() == pytest.approx(depth[MEMBER == 1].mean(), rel=0.02)


def test_scattered_nan_are_no_panels():
    x, _, _ = measured_counts(panels_of([], []))
    few = x.copy()
    few[[1, 4], 3] = np.nan
    with pytest.raises(
        InvalidCounts,
        match=r"'prot' holds NaN in 1 features \(first: 'p3'\).* differ in 2 ways .*, 1 of them of fewer than 5 cells; "
        r".*at least 5 cells each.*fill_value=np.nan",
    ):
        prepare_modality("prot", adata_of(few), PROTEIN, drop_empty=False)
    many = np.where(np.random.default_rng(0).random(x.shape) < 0.3, np.nan, x)
    spec, _ = prepare_modality("prot", adata_of(x), PROTEIN, drop_empty=False)
    for read in (
        lambda a: prepare_modality("prot", a, PROTEIN, drop_empty=False),
        lambda a: read_matrix("prot", a, spec),
    ):
        with pytest.raises(InvalidCounts, match=r"NaN in 12 features .* differ in \d{3} ways .* at most 50 panels"):
            read(adata_of(many))


def test_a_protein_that_is_nan_in_every_cell_is_left_out():
    x, _, _ = measured_counts(panels_of([], []))
    x[:, 4] = np.nan
    with pytest.warns(MultiomeWarning, match=r"'prot': 1 of 12 features are NaN in every cell \(first: 'p4'\)"):
        spec, matrix = prepare_modality("prot", adata_of(x), PROTEIN, drop_empty=False)
    assert "p4" not in spec.features + spec.other_features
    assert matrix.panels is None
    assert matrix.values.shape == (N, M - 1)


def test_cells_of_nan_alone_are_as_empty_ones():
    x, _, _ = measured_counts(panels_of([0], [1]))
    x[[3, 600]] = np.nan
    with pytest.raises(InvalidCounts, match=r"2 of 900 cells have not a single count .*'cell3', 'cell600'.*drop_empty"):
        prepare_modality("prot", adata_of(x), PROTEIN, drop_empty=False)
    spec, matrix = prepare_modality("prot", adata_of(x), PROTEIN, drop_empty=True)
    assert (spec.n_panels, spec.n_cells) == (2, N - 2)
    assert np.flatnonzero(matrix.empty).tolist() == [3, 600]
    with pytest.raises(InvalidCounts, match="'prot' holds nothing but NaN"):
        prepare_modality("prot", adata_of(np.full_like(x, np.nan)), PROTEIN, drop_empty=True)


@pytest.mark.parametrize("modality", [PROTEIN.continuous()], ids=["normal likelihood"])
def test_other_values_must_not_be_nan(modality):
    x, _, _ = measured_counts(panels_of([0], [1]))
    with pytest.raises(InvalidCounts, match="NaN or infinite"):
        prepare_modality("prot", adata_of(x), modality, drop_empty=False)


def test_infinite_counts_stay_an_error_beside_panels():
    x, _, _ = measured_counts(panels_of([0], [1]))
    x[2, 3] = np.inf
    with pytest.raises(InvalidCounts, match=r"'prot' holds NaN or infinite values: 1 values, .* inf at cell 'cell2'"):
        prepare_modality("prot", adata_of(x), PROTEIN, drop_empty=False)


def test_filled_values_of_an_additive_table_are_exact():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(40, 1)) + rng.normal(size=(1, 8))
    measured = np.where(np.arange(40)[:, None] < 15, np.arange(8) < 5, np.arange(8) > 2)
    whole = table - table.mean(1, keepdims=True)
    shown = table - np.where(measured, table, 0).sum(1, keepdims=True) / measured.sum(1, keepdims=True)
    np.testing.assert_allclose(filled(shown, measured, relative=True), whole, atol=1e-4)
    usual = filled(table, measured, relative=False)
    np.testing.assert_array_equal(usual[measured], table[measured])
    np.testing.assert_allclose(usual[0, 7], table[15:, 7].mean())


def test_nothing_is_warned_of_panels():
    x, _, _ = measured_counts(panels_of([0, 1], [5]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare_modality("prot", adata_of(x), PROTEIN, drop_empty=False)


def test_every_panel_of_a_query_has_enough_of_the_features():
    x = np.random.default_rng(0).poisson(5, (N, 6)).astype(np.float32)
    spec, _ = prepare_modality("prot", adata_of(x), PROTEIN, drop_empty=False)
    x[: N // 2, 1:] = np.nan
    with pytest.raises(SpecMismatch, match=rf"5 of the 6 features .* In {N // 2} cells, whose panel that is"):
        read_matrix("prot", adata_of(x), spec)
    assert read_matrix("prot", adata_of(x), spec, min_features=0.1, drop_empty=True).panels is not None
