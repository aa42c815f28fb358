"""The tasks that links between peaks and genes are scored on. Imports nothing heavy: see `run`."""

from __future__ import annotations

from tests.benchmarks.goals import COST, Goal, TaskInfo

TABLES = {
    "fantom": ("enhancer_gene_fantom5_4dgenome_hg38.tsv.gz", "FANTOM5 and 4DGenome"),
    "atlas": ("enhancer_gene_enhanceratlas_blood_hg38.tsv.gz", "EnhancerAtlas, blood"),
}
"""Tables of enhancers and their genes: file, and name."""
PERTURBED = "enhancer_gene_crispr_K562_hg38.tsv.gz"
"""Elements that were silenced, and whether a gene then changed."""

SIMULATED = (
    Goal(score="auroc", title="AUROC, size of the score", reach=0.90),
    Goal(score="false_q10", title="q < 0.1: share of false links", lower=True, reach=0.12),
    Goal(score="false_q05", title="q < 0.05: share of false links", lower=True),
    Goal(score="n_q10", title="q < 0.1: links", digits=0),
    Goal(score="power_q10", title="q < 0.1: share of the true links"),
    Goal(score="false_p05", title="p < 0.05: share of all false candidates (0.05 if p is right)", lower=True),
    *COST,
)


def found_in(table: str, title: str) -> tuple[Goal, ...]:
    """How often the strongest pairs stand in a table."""
    return (
        Goal(score=f"{table}_precision", title=f"strongest 10 % (at least 20): share that is in {title}"),
        Goal(score=f"{table}_odds", title=f"odds of it, over those of the other pairs ({title})"),
        Goal(score=f"{table}_p", title=f"p of that, hypergeometric ({title})", lower=True),
        Goal(score=f"{table}_at_distance", title=f"that share, over the one of pairs as far apart ({title})"),
        Goal(score=f"{table}_at_counts", title=f"that share, over the one of pairs with as many counts ({title})"),
    )


READ = (*(file for file, _ in TABLES.values()), PERTURBED)
REAL = tuple(goal for table, (_, title) in TABLES.items() for goal in found_in(table, title))

LINK_TASKS: dict[str, TaskInfo] = {
    **{
        name: TaskInfo(
            file=None,
            what=f"simulated RNA and ATAC of the same 12,000 cells, {depth}; 600 genes, 2,000 peaks, 8 types, "
            "`batch_key`; graph: peaks within 100 kb, of which about a quarter regulate the gene",
            goals=SIMULATED,
        )
        for name, depth in {
            "links_simulated": "the simulator's depth (medians about 380 transcripts and 235 fragments)",
            "links_simulated_deep": "deep (medians about 1,400 transcripts and 1,200 fragments)",
        }.items()
    },
    "links_real_pbmc": TaskInfo(
        file="pbmc_multiome_100cells.h5mu",
        tables=READ,
        what="blood Multiome, 100 cells, 4,286 genes and 7,829 peaks, a random part of all; graph: peaks within 150 kb "
        "(7,751 edges, 775 chosen); too few cells: no link passes q < 0.1; and the tables list what is active, so that "
        "counts alone do best",
        goals=(
            *REAL,
            Goal(score="perturbed_auroc", title="AUROC, 30 pairs tested in K562, of which 3 hold: too few to tell"),
            *COST,
        ),
        dev=False,
    ),
    "links_real_bmmc": TaskInfo(
        file="bmmc_multiome_small.h5mu",
        tables=READ,
        what="bone marrow Multiome of two donors, 500 cells, 600 genes and 597 peaks, `batch_key`; graph: peaks within "
        "150 kb (120 edges, 20 chosen): too few pairs to tell methods apart",
        goals=(*REAL, *COST),
        dev=False,
    ),
}
