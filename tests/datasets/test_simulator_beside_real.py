"""The simulator beside real data: depth, sparsity, overdispersion and bimodality lie within stated factors.

Every comparison simulates as many features at the same median depth as the real set has, so that what is compared is
the shape and not the size.
"""

import h5py
import numpy as np
import pytest
import scipy.sparse as sp
import scipy.stats
from anndata.io import read_elem

from multiome.datasets import simulate

SETS = {
    "snareseq_mouse_cortex_rna_atac.h5mu": ("rna", "atac"),
    "bmmc_multiome_small.h5mu": ("rna", "atac"),
    "reapseq_pbmc_rna_protein.h5mu": ("rna", "prot"),
    "bmmc_cite_small.h5mu": ("rna", "prot"),
}


@pytest.fixture(scope="module", params=SETS, ids=lambda name: name.split("_")[0] + "_" + name.split("_")[1])
def beside(request, bench_data):
    """Real counts, and simulated counts of the same features and depth."""
    real = {}
    with h5py.File(bench_data(request.param)) as f:
        for m in SETS[request.param]:
            real[m] = sp.csr_matrix(read_elem(f["mod"][m]["X"]))
    n = {m: x.shape[1] for m, x in real.items()}
    sim = simulate(
        n_cells=1_500,
        modalities=tuple(real),
        n_genes=n["rna"],
        n_peaks=n.get("atac", 2_000),
        n_proteins=n.get("prot", 1),
        n_sites=1,
        n_types=12,
        depth={m: float(np.median(total(x))) for m, x in real.items()},
    )
    return request.param, real, {m: a.X for m, a in sim.mdata.mod.items()}


def total(x):
    return np.asarray(x.sum(1)).ravel()


def density(x):
    return x.nnz / np.prod(x.shape)


def overdispersion(x, least=0.1):
    """(variance - mean) / mean² of depth-scaled counts, of features with at least ``least`` counts per cell."""
    size = total(x) / total(x).mean()
    y = sp.csr_matrix(sp.diags(1 / size) @ x)
    mean = np.asarray(y.mean(0)).ravel()
    variance = np.asarray(y.multiply(y).mean(0)).ravel() - mean**2
    seen = np.asarray(x.mean(0)).ravel() > least
    return ((variance - mean * (1 / size).mean()) / np.maximum(mean, 1e-12) ** 2)[seen]


def bimodality(x):
    """Sarle's coefficient of log counts per protein; 0.56 is uniform, more is bimodal."""
    y = np.log1p(x.toarray())
    y = y[:, y.std(0) > 0]
    return (scipy.stats.skew(y, axis=0) ** 2 + 1) / scipy.stats.kurtosis(y, axis=0, fisher=False)


def assert_within(factor, simulated, real, what):
    ratio = np.asarray(simulated) / np.asarray(real)
    message = f"{what}: simulated {np.round(simulated, 3)}, real {np.round(real, 3)}"
    assert (ratio < factor).all(), message
    assert (ratio > 1 / factor).all(), message


def test_spread_of_depth(beside):
    _, real, simulated = beside
    for m in real:
        assert_within(1.6, *(np.log(total(x[m])).std() for x in (simulated, real)), what=m)


def test_depth_correlation_between_modalities(beside):
    name, real, simulated = beside
    r = [np.corrcoef(*(np.log(total(x)) for x in sides.values()))[0, 1] for sides in (simulated, real)]
    assert abs(r[0] - r[1]) < 0.25, f"{name}: simulated {r[0]:.2f}, real {r[1]:.2f}"


def test_sparsity(beside):
    _, real, simulated = beside
    for m in real:
        assert_within(1.8, *(density(x[m]) for x in (simulated, real)), what=m)


def test_spread_of_detection_over_features(beside):
    """Upper half: rare features of real sets depend on the filter of their source."""
    _, real, simulated = beside
    for m in real:
        seen = [np.quantile((x[m] > 0).mean(0).A1, [0.5, 0.75, 0.95]) for x in (simulated, real)]
        assert_within(3.5, *seen, what=m)


def test_overdispersion_of_rna(beside):
    name, real, simulated = beside
    if name.startswith("reapseq"):
        pytest.skip("REAP-seq counts are overdispersed beyond other UMI data (median 7.6 against 1 to 2)")
    quartiles = [np.quantile(overdispersion(x["rna"]), [0.5, 0.75]) for x in (simulated, real)]
    assert_within(3, *quartiles, what=name)


def test_bimodality_of_proteins(beside):
    name, real, simulated = beside
    if "prot" not in real:
        pytest.skip(f"{name} has no proteins")
    assert_within(1.4, *(np.quantile(bimodality(x["prot"]), [0.25, 0.5, 0.75]) for x in (simulated, real)), what=name)


def test_methylation_coverage_and_fractions(bench_data):
    with h5py.File(bench_data("scmt_mesc_rna_met.h5mu")) as f:
        met = read_elem(f["mod"]["met"])
    sim = simulate(modalities=("met",), n_genes=300, n_sites=3_000, n_proteins=1).mdata["met"]
    covered = [sp.csr_matrix(a.layers["coverage"]) for a in (sim, met)]
    assert_within(1.4, *(density(x) for x in covered), what="share of sites covered")
    assert_within(1.4, *(np.log(total(x)).std() for x in covered), what="spread of coverage")
    mean = [a.X.sum() / x.sum() for a, x in zip((sim, met), covered, strict=True)]
    assert_within(1.4, *mean, what="mean methylated fraction")
