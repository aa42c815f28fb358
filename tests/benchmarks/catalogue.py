"""Which tasks there are, and where their data lie. Imports nothing heavy: see `run`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.goals import COST, CPU, Goal, TaskInfo
from tests.benchmarks.graph_catalogue import GRAPH_TASKS, SNARE
from tests.benchmarks.links_catalogue import LINK_TASKS
from tests.benchmarks.panel_catalogue import PANEL_TASKS

REPOSITORY = Path(__file__).resolve().parents[2]


def integration(over: str) -> tuple[Goal, ...]:
    """Donors mix better than in a PCA, and types are found as well as there."""
    return (
        Goal(score="mixing", title="`neighbour_mixing` of donors", over=over, margin=0.1),
        Goal(score="label_accuracy", title="label kNN accuracy", over=over, margin=0.0),
        Goal(score="label_accuracy_balanced", title="the same, balanced"),
        *COST,
    )


def proteins(feature_r: float, cell_r: float, rmse: float) -> tuple[Goal, ...]:
    """The three scores of a protein task, and what each is to reach: more than every simple method does."""
    return (
        Goal(score="feature_r", title="r per protein", reach=feature_r),
        Goal(score="cell_r", title="r per cell", reach=cell_r),
        Goal(score="rmse", title="RMSE", lower=True, reach=rmse),
        *COST,
    )


SNARE_GOALS = (
    Goal(score="foscttm", title="FOSCTTM", lower=True, reach=0.085),
    Goal(score="foscttm_raw", title="FOSCTTM, not L2-normalised", lower=True),
    Goal(score="transfer", title="label transfer RNA → ATAC", reach=0.66),
    Goal(score="transfer_raw", title="label transfer RNA → ATAC, not L2-normalised"),
    Goal(score="transfer_balanced", title="label transfer RNA → ATAC, balanced"),
    Goal(score="transfer_rna", title="label transfer RNA → RNA"),
    Goal(score="atac_cell_auroc", title="RNA → ATAC: AUROC per cell", reach=0.846),
    Goal(score="atac_peak_auroc", title="RNA → ATAC: AUROC per peak", reach=0.642),
    Goal(score="atac_peak_auroc_rates", title="RNA → ATAC: AUROC per peak, free of depth: rates", reach=0.595),
    Goal(score="atac_peak_auroc_depth_free", title="RNA → ATAC: AUROC per peak, free of depth: counts"),
    Goal(score="atac_auprc", title="RNA → ATAC: AUPRC", reach=0.051),
    Goal(score="rna_feature_r", title="ATAC → RNA: r per gene", reach=0.115),
    Goal(score="rna_cell_r", title="ATAC → RNA: r per cell", reach=0.592),
    Goal(score="rna_rmse", title="ATAC → RNA: RMSE", lower=True, reach=0.788),
    Goal(score="ari", title="clusters of the joint embedding: ARI"),
    Goal(score="nmi", title="clusters of the joint embedding: NMI"),
    Goal(score="fit_seconds", title="whole `fit`, seconds", lower=True, reach=120.0, digits=0),
    CPU,
    Goal(score="peak_gb", title="peak memory of the process after `fit`, GB", lower=True, reach=2.0, digits=2),
)
PAIRED_TASKS: dict[str, TaskInfo] = {
    "snare_paired": TaskInfo(
        file=SNARE,
        what="SNARE-seq mouse cortex, RNA + ATAC: 9,309 cells train, 1,000 are scored",
        goals=SNARE_GOALS,
        intervals_beside=("ridge", "knn500 + mean"),
    ),
    "snare_paired_graph": TaskInfo(
        file=SNARE,
        what="SNARE-seq mouse cortex, the cells of `snare_paired` with a guidance graph: peaks in genes",
        goals=tuple(replace(goal, reach=0.70) if goal.score == "transfer" else goal for goal in SNARE_GOALS),
        beside="snare_paired",
    ),
    "reap_protein": TaskInfo(
        file="reapseq_pbmc_rna_protein.h5mu",
        what="REAP-seq PBMC, RNA → 44 surface proteins (CLR): donor 2 trains, donor 3 is predicted",
        goals=proteins(0.59, 0.850, 0.592),
        intervals_beside=("mlp x 5",),
    ),
    "bmmc_cite": TaskInfo(
        file="bmmc_cite_small.h5mu",
        what="bone marrow CITE-seq, RNA → 134 surface proteins (CLR): a donor (311 cells) trains, another is predicted",
        goals=proteins(0.66, 0.855, 0.82),
        intervals_beside=("mlp x 5",),
    ),
    "scmt": TaskInfo(
        file="scmt_mesc_rna_met.h5mu",
        what="scM&T-seq mouse stem cells, RNA (normal) + methylation, 77 cells: serum or 2i by leave-one-out kNN",
        goals=(
            Goal(score="joint_k7", title="balanced accuracy, joint space (k = 7)", reach=1.0),
            Goal(score="met_k7", title="balanced accuracy, methylation alone (k = 7)", reach=1.0),
            Goal(score="joint_k1", title="balanced accuracy, joint space (k = 1)"),
            Goal(score="met_k1", title="balanced accuracy, methylation alone (k = 1)"),
            *COST,
        ),
        dev=False,
    ),
    "bmmc_multiome_batches": TaskInfo(
        file="bmmc_multiome_small.h5mu",
        what="bone marrow Multiome, RNA + ATAC of two donors, 500 cells, `batch_key`",
        goals=integration("pca rna"),  # of the two PCAs, the one that finds types better
        dev=False,
    ),
    "bmmc_cite_batches": TaskInfo(
        file="bmmc_cite_small.h5mu",
        what="bone marrow CITE-seq, RNA + protein of two donors, 600 cells, `batch_key`",
        goals=integration("pca both"),  # of the two PCAs, the one that finds types better
        dev=False,
    ),
}
TASKS = PAIRED_TASKS | PANEL_TASKS | GRAPH_TASKS | LINK_TASKS


def data_folder() -> Path:
    """Where the real data are: ``MULTIOME_BENCH_DATA``, else ``shared/data`` beside the repository."""
    return Path(os.environ.get("MULTIOME_BENCH_DATA", REPOSITORY.parent / "shared" / "data"))


def reason_to_skip(name: str, *, dev: bool) -> str | None:
    """Why a task cannot be run here, or None."""
    if dev and not TASKS[name].dev:
        return "it has no development split (it is scored on the cells it was fitted on)"
    files = [file for file in (TASKS[name].file, *TASKS[name].tables) if file is not None]
    absent = [file for file in files if not (data_folder() / file).exists()]
    if absent:
        return f"no `{absent[0]}` in the data folder; set MULTIOME_BENCH_DATA to the folder that holds it"
    return None
