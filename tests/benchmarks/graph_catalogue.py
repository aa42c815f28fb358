"""The tasks that a guidance graph is for: modalities that share no cell, or few. Imports nothing heavy: see `run`."""

from __future__ import annotations

from collections.abc import Mapping

from tests.benchmarks.goals import COST, Goal, TaskInfo

SNARE = "snareseq_mouse_cortex_rna_atac.h5mu"
SHARES = ("0", "0.1", "0.3", "1")
"""Of the training cells of `snare_partial`, those that keep their partner."""
MODALITIES = ("rna", "atac", "prot", "met")
PAIRS = tuple((a, b) for a in MODALITIES for b in MODALITIES if a != b)
"""Which modality lends its labels, and which receives them."""


def unpaired(lender: str, other: str, *, glue: Mapping[str, float] = {}) -> tuple[Goal, ...]:
    """Cells of two modalities whose pairing was withheld, each embedded from its own modality, not L2-normalised.

    What scGLUE reached on the test split, by score, is to be reached.
    """

    def goal(score: str, title: str, *, lower: bool = False) -> Goal:
        reach = glue.get(score)
        title += "" if reach is None else f" (scGLUE's {reach:.3f} on the test split)"
        return Goal(score=score, title=title, lower=lower, reach=reach)

    return (
        goal("foscttm", "FOSCTTM", lower=True),
        goal("transfer", f"label transfer {lender} → {other}"),
        Goal(score="transfer_balanced", title="the same, balanced"),
        goal("ari", "clusters of both together: ARI"),
        goal("nmi", "clusters of both together: NMI"),
        Goal(score="mixing", title="`neighbour_mixing` of modalities"),
        *COST,
    )


PARTIAL = (
    Goal(score="foscttm", title="FOSCTTM", lower=True),
    Goal(score="foscttm_raw", title="FOSCTTM, not L2-normalised", lower=True),
    Goal(score="transfer", title="label transfer RNA → ATAC"),
    Goal(score="transfer_raw", title="label transfer RNA → ATAC, not L2-normalised"),
    Goal(score="transfer_balanced", title="label transfer RNA → ATAC, balanced"),
    Goal(score="transfer_rna", title="label transfer RNA → RNA"),
    *COST,
)

GRAPH_TASKS: dict[str, TaskInfo] = {
    "snare_unpaired": TaskInfo(
        file=SNARE,
        what="SNARE-seq mouse cortex, 6 of 12 libraries, RNA and ATAC as different cells; graph: peaks in genes",
        goals=unpaired("RNA", "ATAC", glue={"foscttm": 0.155, "transfer": 0.618, "ari": 0.441, "nmi": 0.492}),
    ),
    **{
        f"snare_partial_{share}": TaskInfo(
            file=SNARE,
            what=f"SNARE-seq mouse cortex, 9,309 training cells, a share of {share} of them paired, of the others "
            "half RNA, half ATAC; 1,000 are scored; graph: peaks in genes",
            goals=PARTIAL,
        )
        for share in SHARES
    },
    "bmmc_unpaired": TaskInfo(
        file="bmmc_unpaired_rna_atac_small.h5mu",
        what="bone marrow, 340 cells with 172 genes and 339 others with 995 peaks; graph: peaks within 150 kb of genes "
        "(37 edges); there are no labels, and no cell has both",
        goals=(
            Goal(score="mixing", title="`neighbour_mixing` of modalities"),
            Goal(score="activity_r", title="r per gene of RNA and gene activity of the nearest cells"),
            *COST,
        ),
        dev=False,
    ),
    "bmmc_multiome_unpaired": TaskInfo(
        file="bmmc_multiome_small.h5mu",
        what="bone marrow Multiome of two donors, RNA and ATAC of 500 cells as different cells, `batch_key`; graph: "
        "peaks within 150 kb of genes (121 edges)",
        goals=unpaired("RNA", "ATAC"),
        dev=False,
    ),
    "cite_unpaired_bmmc": TaskInfo(
        file="bmmc_cite_small.h5mu",
        what="bone marrow CITE-seq of two donors, RNA and protein of 600 cells as different cells, `batch_key`; graph: "
        "proteins and their genes (13 edges)",
        goals=unpaired("RNA", "protein"),
        dev=False,
    ),
    "cite_unpaired_spleen": TaskInfo(
        file="spleen_lymph_mouse_cite_small.h5mu",
        what="mouse spleen and lymph node CITE-seq, RNA and protein of 512 cells as different cells, `batch_key`; "
        "graph: proteins and their genes (27 edges)",
        goals=unpaired("RNA", "protein"),
        dev=False,
    ),
    "four_simulated": TaskInfo(
        file=None,
        what="simulated RNA, ATAC, protein and methylation, each in 1,000 cells of its own, 8 types; shares of what "
        "the same cells reach where a model was fitted with all modalities of all of them; graph: peaks within 150 kb, "
        "proteins and their genes, sites at promoters",
        goals=(
            Goal(score="worst_pair_share", title="label transfer, share of paired: worst of 12 pairs", reach=0.85),
            Goal(score="mean_pair_share", title="label transfer, share of paired: mean of 12 pairs"),
            *(Goal(score=f"transfer_{a}_{b}", title=f"label transfer {a} → {b}") for a, b in PAIRS),
            *COST,
        ),
    ),
    "type_in_one": TaskInfo(
        file=None,
        what="simulated RNA and ATAC, each in 2,000 cells of its own, 8 types of which one is missing in one of them; "
        "confident: at least 90 % of 15 lenders agree, and among the 30 nearest cells of both modalities are at least "
        "a quarter of the lenders that a perfect mix has; graph: peaks within 150 kb",
        goals=(
            Goal(score="wrong_in_atac", title="type only in ATAC: confident in a wrong one", lower=True, reach=0.2),
            Goal(score="wrong_in_rna", title="type only in RNA: confident in a wrong one", lower=True, reach=0.2),
            Goal(score="agreed_in_atac", title="type only in ATAC: lenders agree, however far away", lower=True),
            Goal(score="agreed_in_rna", title="type only in RNA: lenders agree, however far away", lower=True),
            Goal(score="transfer_to_atac", title="type only in ATAC: label transfer RNA → ATAC of the others"),
            Goal(score="transfer_to_rna", title="type only in RNA: label transfer ATAC → RNA of the others"),
            Goal(score="confident_in_atac", title="type only in ATAC: others that are confident"),
            Goal(score="confident_in_rna", title="type only in RNA: others that are confident"),
            *COST,
        ),
    ),
}
