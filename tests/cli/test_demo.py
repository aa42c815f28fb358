import mudata as md
import numpy as np
import pandas as pd
import pytest

from multiome.api import Multiome
from multiome.cli.command import main
from multiome.cli.demo import FILES, PATTERNS
from multiome.cli.demo_scores import Score, baseline, site_correlation
from multiome.cli.demo_table import table
from multiome.datasets.simulate import simulate

QUICK = ["--n_cells", "150", "--train.max_epochs", "2", "--train.min_steps", "20", "--train.accelerator", "cpu"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    (out / "umap.png").write_text("of an earlier demo")
    assert main(["demo", "--out", str(out), *QUICK]) == 0
    return out


def test_writes_what_it_promises(folder):
    assert sorted(p.name for p in folder.iterdir()) == sorted(FILES)
    mdata = md.read_h5mu(folder / "simulated.h5mu")
    assert set(mdata.mod) == {"rna", "atac", "prot", "met"}
    assert np.isfinite(mdata.obsm["X_multiome"]).all()
    assert {"cell_type", "batch", "pseudotime", "measured"} <= set(mdata.obs)
    z = Multiome.load(folder / "model.multiome").embed(mdata)
    np.testing.assert_allclose(mdata.obsm["X_multiome"], z, atol=1e-5)
    assert (folder / "umap.png").read_bytes().startswith(b"\x89PNG")


def test_scores_stand_between_chance_and_the_best_possible(folder):
    scores = pd.read_csv(folder / "scores.tsv", sep="\t")
    assert len(scores) == 18
    predicted = scores[scores["mean"].notna() & scores["best_possible"].notna()]
    sign = np.where(predicted["better"] == "larger", 1, -1)
    for method in ("mean", "knn", "one_assay", "all_assays"):
        assert (sign * (predicted["best_possible"] - predicted[method]) > 0).all()
    pairing = scores[scores["score"] == "FOSCTTM"]
    assert (pairing["mean"] == 0.5).all()


def test_refuses_a_folder_with_other_files(folder, tmp_path, capsys):
    (tmp_path / "umap.png").write_text("old")
    (tmp_path / "thesis.docx").write_text("precious")
    assert main(["demo", "--out", str(tmp_path), *QUICK]) == 2
    assert "thesis.docx" in capsys.readouterr().err
    assert (tmp_path / "umap.png").read_text() == "old"
    assert main(["demo", "--out", str(folder / "umap.png"), *QUICK]) == 2


def test_half_the_cells_lack_atac_and_a_third_protein():
    def lacking(modality):
        return sum(share for pattern, share in PATTERNS.items() if modality not in pattern)

    assert sum(PATTERNS.values()) == pytest.approx(1)
    assert lacking("atac") == pytest.approx(1 / 2)
    assert lacking("prot") == pytest.approx(1 / 3, abs=0.01)


def test_table_says_where_a_baseline_wins():
    scores = [
        Score("RNA to ATAC", "AUROC", 10, {"knn": 0.71, "all_assays": 0.7, "best_possible": 0.9}),
        Score("RNA to ATAC", "RMSE", 10, {"mean": 2.0, "all_assays": 1.0, "best_possible": 0.5}, "smaller"),
        Score("RNA to ATAC", "ties", 10, {"knn": 0.5001, "all_assays": 0.5, "best_possible": 0.5}),
        Score("RNA to ATAC", "inside", 10, {"all_assays": 0.95, "best_possible": 0.9}, "as best"),
    ]
    assert [score.winners for score in scores] == [{"knn"}, {"all_assays"}, {"knn", "all_assays"}, set()]
    said = table(scores)
    assert "0.710*" in said
    assert "0.700 " in said
    assert said.endswith("A baseline is best in 1 of 3 rows:\n  RNA to ATAC, AUROC")


def test_methylation_is_scored_on_covered_sites_only():
    sim = simulate(n_cells=200, n_genes=30, n_peaks=40, n_proteins=4, n_sites=25, n_tfs=5, pairing={"met": 0.5})
    cells = sim.truth.withheld("met")
    observed = sim.truth.counts["met"][cells]
    coverage = observed.layers["coverage"].toarray()
    perfect = observed.X.toarray() / np.where(coverage > 0, coverage, np.nan)
    assert site_correlation(np.nan_to_num(perfect, nan=7.0), observed) == pytest.approx(1)
    mean = baseline(sim, "mean", "rna", "met", cells)
    assert np.ptp(mean, axis=0).max() < 1e-9
    assert 0 <= mean.min() <= mean.max() <= 1
    assert site_correlation(mean, observed) == 0
