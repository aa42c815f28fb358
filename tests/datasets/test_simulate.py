"""The simulated data: reproducible, complete, of the asked pattern, and of the stated difficulty."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from multiome.datasets import simulate
from multiome.errors import MultiomeError

SMALL = {"n_cells": 200, "n_genes": 60, "n_peaks": 150, "n_proteins": 8, "n_sites": 50, "n_tfs": 6}


@pytest.fixture(scope="module")
def default():
    return simulate()


def principal_components(rna, n=20):
    x = rna.X.toarray()
    return PCA(n, random_state=0).fit_transform(np.log1p(1e4 * x / x.sum(1, keepdims=True)))


def total(adata):
    return np.asarray(adata.layers.get("coverage", adata.X).sum(1)).ravel()


def mixing(z, batch, k=30):
    near = NearestNeighbors(n_neighbors=k).fit(z).kneighbors(return_distance=False)
    return (batch[near] != batch[:, None]).mean() / 0.5


def test_same_seed_same_data_bit_for_bit():
    one, two, other = simulate(**SMALL, seed=3), simulate(**SMALL, seed=3), simulate(**SMALL, seed=4)
    pd.testing.assert_frame_equal(one.mdata.obs, two.mdata.obs)
    pd.testing.assert_frame_equal(one.truth.edges, two.truth.edges)
    np.testing.assert_array_equal(one.truth.z, two.truth.z)
    for m in one.mdata.mod:
        np.testing.assert_array_equal(one.mdata[m].X.toarray(), two.mdata[m].X.toarray())
        assert (one.mdata[m].X.toarray() != other.mdata[m].X.toarray()).any()


def test_neither_pairing_nor_the_other_modalities_change_the_counts():
    whole, part = simulate(**SMALL), simulate(**SMALL, modalities=("met", "rna"), pairing={"met": 0.5})
    assert part.mdata["met"].n_obs == 100
    for m in ("rna", "met"):
        cells = part.mdata[m].obs_names
        np.testing.assert_array_equal(part.mdata[m].X.toarray(), whole.mdata[m][cells].X.toarray())


def test_form_of_the_mudata(default):
    mdata = default.mdata
    assert {m: a.shape for m, a in mdata.mod.items()} == {
        "rna": (2000, 500),
        "atac": (2000, 2000),
        "prot": (2000, 30),
        "met": (2000, 600),
    }
    for adata in mdata.mod.values():
        assert adata.X.format == "csr"
        assert adata.X.dtype == np.float32
        assert (adata.X.data >= 1).all()
        assert (adata.X.data % 1 == 0).all()
        assert adata.var_names.is_unique
        assert {"cell_type", "pseudotime", "batch"} <= set(adata.obs) & set(mdata.obs)
    for m in ("rna", "atac", "met"):
        assert {"chrom", "chromStart", "chromEnd", "strand"} <= set(mdata[m].var)
        assert (mdata[m].var["chromStart"] < mdata[m].var["chromEnd"]).all()
    where = mdata["atac"].var.astype(str)
    assert (where["chrom"] + ":" + where["chromStart"] + "-" + where["chromEnd"] == mdata["atac"].var_names).all()
    assert mdata["prot"].var["gene"].isin(mdata["rna"].var_names).all()
    assert {"CD3_TotalSeqB", "CD19_TotalSeqB"} <= set(mdata["prot"].var_names)
    covered = mdata["met"].layers["coverage"]
    assert 0.1 < covered.nnz / np.prod(covered.shape) < 0.25
    assert (covered - mdata["met"].X).min() >= 0


def test_a_cell_without_a_modality_is_absent_there():
    sim = simulate(**SMALL, pairing={("rna", "atac"): 0.25, ("prot",): 0.25, ("rna", "met"): 0.5})
    assert list(sim.mdata.obs_names) == list(sim.truth.obs.index)
    assert {m: a.n_obs for m, a in sim.mdata.mod.items()} == {"rna": 150, "atac": 50, "prot": 50, "met": 100}
    for m, adata in sim.mdata.mod.items():
        assert set(adata.obs_names) == set(sim.truth.obs.index[sim.truth.measured[m]])
        assert not set(adata.obs_names) & set(sim.truth.withheld(m))
        assert sim.truth.counts[m].n_obs == 200
    assert sim.mdata.obs["cell_type"].notna().all()


def test_no_claimed_modality_is_empty():
    sim = simulate(**SMALL, depth={"rna": 0.5, "atac": 0.5, "prot": 0.5, "met": 0.5})
    for adata in sim.mdata.mod.values():
        assert total(adata).min() == 1


def test_depth_is_the_stated_median_and_correlated_between_modalities():
    depth = {"rna": 700.0, "atac": 350.0, "prot": 2_000.0, "met": 150.0}
    size = {**SMALL, "n_cells": 3_000}
    sim = simulate(**size, depth=depth, batch_effect=0.0, depth_correlation=0.8, dropout=0.0)
    log = {m: np.log(total(a)) for m, a in sim.mdata.mod.items()}
    for m, wanted in depth.items():
        assert np.exp(np.median(log[m])) == pytest.approx(wanted, rel=0.1)
    assert np.corrcoef(log["rna"], log["atac"])[0, 1] == pytest.approx(0.8, abs=0.1)
    free = simulate(**size, depth=depth, batch_effect=0.0, depth_correlation=0.0)
    assert abs(np.corrcoef(*(np.log(total(free.mdata[m])) for m in ("rna", "atac")))[0, 1]) < 0.1


def test_types_are_neither_trivial_nor_hopeless(default):
    z, types = principal_components(default.mdata["rna"]), default.mdata.obs["cell_type"].astype(str).to_numpy()
    accuracy = cross_val_score(KNeighborsClassifier(15), z, types, cv=4).mean()
    assert 0.8 < accuracy < 0.99


def test_the_trajectory_is_continuous(default):
    t = default.truth.obs["pseudotime"].to_numpy()
    on = ~np.isnan(t)
    assert set(default.truth.obs["cell_type"][on]) == {"type1", "type2", "type3"}
    gaps = np.diff(np.sort(np.concatenate([t[on], [0, 1]])))
    assert gaps.max() < 0.03
    near = NearestNeighbors(n_neighbors=15).fit(default.truth.z[on]).kneighbors(return_distance=False)
    assert np.corrcoef(t[on], t[on][near].mean(1))[0, 1] > 0.85


def test_without_trajectory_there_is_no_pseudotime():
    assert simulate(**SMALL, trajectory=False).mdata.obs["pseudotime"].isna().all()


def test_batch_effect_zero_leaves_batches_exchangeable_and_one_separates_them():
    size = {"modalities": ("rna",), "n_cells": 1_000, "n_peaks": 500}
    score = {}
    for strength in (0.0, 1.0):
        rna = simulate(**size, batch_effect=strength).mdata["rna"]
        score[strength] = mixing(principal_components(rna), rna.obs["batch"].cat.codes.to_numpy())
    assert score[0.0] == pytest.approx(1, abs=0.05)
    assert score[1.0] < 0.3


def test_smallest_sizes_work():
    names = ("n_cells", "n_types", "n_genes", "n_peaks", "n_proteins", "n_sites", "n_tfs", "n_batches", "n_latent")
    sim = simulate(**dict.fromkeys(names, 1))
    assert {a.shape for a in sim.mdata.mod.values()} == {(1, 1)}


def test_more_proteins_than_known_names():
    sim = simulate(**{**SMALL, "n_genes": 100, "n_proteins": 90})
    assert sim.mdata["prot"].var_names.is_unique
    assert sim.mdata["prot"].var["gene"].is_unique


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_cells": 0}, "`n_cells`.*got 0"),
        ({"n_types": 300}, "300 types for 200 cells"),
        ({"n_proteins": 61}, "61 proteins for 60 genes"),
        ({"modalities": ("rna", "gex")}, "'gex'.*'rna', 'atac', 'prot'"),
        ({"modalities": ()}, r"`modalities`.*got \(\)"),
        ({"modalities": ("rna", "rna")}, "distinct"),
        ({"depth": {"rna": -1.0}}, r"depth\['rna'\].*got -1"),
        ({"depth": {"gex": 1.0}}, "'gex' in `depth`"),
        ({"batch_effect": -0.1}, r"`batch_effect`.*got -0\.1"),
        ({"dropout": 1.5}, r"`dropout`.*got 1\.5"),
        ({"pairing": {"gex": 0.5}}, "'gex' in `pairing`"),
    ],
)
def test_errors_name_what_was_given(given, message):
    with pytest.raises(MultiomeError, match=message):
        simulate(**{**SMALL, **given})
