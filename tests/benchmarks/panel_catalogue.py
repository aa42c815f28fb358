"""Tasks that predict surface proteins: folds of small data, a mosaic, another experiment. Imports nothing heavy."""

from __future__ import annotations

from tests.benchmarks.goals import BEST, COST, Goal, TaskInfo

REAP = "reapseq_pbmc_rna_protein.h5mu"
ECCITE = "eccite_pbmc_small.h5mu"
SPLEEN = "spleen_lymph_mouse_cite_small.h5mu"
N_FOLDS = 5
TOTALVI = {"feature_r": 0.515, "cell_r": 0.818, "rmse": 0.809}
"""On the cells of `reap_mosaic`: CLR of its posterior means after 150 epochs; it saw the scored donor's RNA, too."""
TITLES = {"feature_r": "r per protein", "cell_r": "r per cell", "rmse": "RMSE"}


def over(rival: str, *, margin: float | None = None) -> tuple[Goal, ...]:
    """The three scores of proteins, beside a method's."""
    return tuple(
        Goal(score=score, title=title, lower=score == "rmse", over=rival, margin=margin)
        for score, title in TITLES.items()
    )


ABOVE_TOTALVI = tuple(
    Goal(score=score, title=f"{TITLES[score]} (TOTALVI's {reach:.3f})", lower=score == "rmse", reach=reach)
    for score, reach in TOTALVI.items()
)
PANEL_TASKS: dict[str, TaskInfo] = {
    "eccite_folds": TaskInfo(
        file=ECCITE,
        what="ECCITE-seq PBMC, RNA → 49 antibodies (CLR), 500 cells in 5 random folds: a model per fold, mean of 5",
        goals=(*over(BEST), *COST),
        two_ahead="mlp x 5",
    ),
    "spleen_folds": TaskInfo(
        file=SPLEEN,
        what="mouse spleen and lymph node CITE-seq, 888 genes → 107 antibodies (CLR), 512 cells in 5 random folds: "
        "a model per fold, mean of 5",
        goals=(*over(BEST), *COST),
        two_ahead="ridge",
    ),
    "reap_mosaic": TaskInfo(
        file=REAP,
        what="REAP-seq PBMC, the cells of `reap_protein`, but the RNA of donor 3 is in the `fit`, too (a mosaic)",
        goals=(*over("reap_protein", margin=0.0), *ABOVE_TOTALVI, *COST),
        beside="reap_protein",
    ),
    "reap_to_eccite": TaskInfo(
        file=REAP,
        tables=(ECCITE,),
        what="REAP-seq PBMC of two donors trains, ECCITE-seq PBMC is predicted: RNA → proteins of both panels (CLR)",
        goals=(*over(BEST), *COST),
        intervals_beside=("ridge", "mlp x 5"),
    ),
}
