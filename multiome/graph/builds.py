"""Whether genes and features come from the same genome: species, assembly, and how positions are counted."""

from __future__ import annotations

import numpy as np
import pandas as pd

from multiome.errors import InvalidGraph, listed
from multiome.graph.findings import Findings, share
from multiome.graph.intervals import near

LEAST_KNOWN, FEW_KNOWN = 0.1, 0.5
"""Share of features on chromosomes that have genes: below the first an error, below the second a warning."""
FEW_LINKED = 0.01
"""Where so few genes have a feature near, and so few features a gene, the two hardly belong together."""
FAR_BEYOND, MANY_BEYOND = 1_000_000, 0.01
"""Bases after the last gene of a chromosome, and the share of features that may lie there."""
GENES_PER_CHROMOSOME = 200
"""With fewer, the last gene says little about where a chromosome ends."""
AROUND, ENOUGH_HITS, LEAST_ENRICHMENT = 1_000, 100, 1.5
"""Bases around a start site; features there by chance that make an enrichment measurable; enrichment to expect.

Measured on peaks and CpG sites: 2.2 to 19 with genes of the same assembly, 1.2 to 1.4 with GRCh37 for GRCh38, 1.0 with
those of another species.
"""
ADVICE = "Check that both are of the same species and assembly (such as GRCh38, not GRCh37)."


def check_chromosomes(features: pd.DataFrame, genes: pd.DataFrame, findings: Findings, *, key: str) -> np.ndarray:
    """Which features lie on chromosomes that have genes.

    Raises
    ------
    InvalidGraph
        If fewer than a tenth do.
    """
    known = set(genes["chrom"])
    on = features["chrom"].isin(known).to_numpy()
    sentence = f"{key}: {share(on.sum(), len(on))} features lie on chromosomes that have genes."
    others = features["chrom"][~on].value_counts().index
    named = f" Those of the others: {listed(others, most=5)}; of the genes: {listed(sorted(known), most=5)}."
    if on.mean() < LEAST_KNOWN:
        raise InvalidGraph(f"{sentence}{named} {ADVICE}")
    if on.mean() < FEW_KNOWN:
        findings.warn(f"{sentence}{named} {ADVICE}")
    else:
        findings.say(sentence if on.all() else sentence + named)
    return on


def check_chromosome_ends(features: pd.DataFrame, genes: pd.DataFrame, findings: Findings, *, key: str) -> None:
    """Warn where features lie far beyond the last gene of their chromosome."""
    n_genes = genes["chrom"].value_counts()
    judged = features[features["chrom"].isin(n_genes.index[n_genes >= GENES_PER_CHROMOSOME])]
    last = judged["chrom"].map(genes.groupby("chrom")["end"].max())
    beyond = judged["start"] > last + FAR_BEYOND
    if len(judged) and beyond.mean() > MANY_BEYOND:
        worst = judged["chrom"][beyond].value_counts().index[0]
        findings.warn(
            f"{key}: {share(beyond.sum(), len(judged))} features lie more than {FAR_BEYOND:,} bases after the "
            f"last gene of their chromosome (most on {worst!r}). {ADVICE}"
        )


def check_start_sites(features: pd.DataFrame, genes: pd.DataFrame, findings: Findings, *, key: str) -> None:
    """Warn where features are no more frequent around transcription start sites than a megabase away.

    Open chromatin and assayed methylation are; positions of another assembly are not. Tiles that cover the genome tell
    nothing, and few features too little; they are not judged.
    """
    if tiled(features):
        return
    here, left, right = (
        near(genes, features.assign(start=features["start"] + by, end=features["end"] + by),
             window=0, promoter=AROUND, signs=(1, 0))["feature"].nunique()
        for by in (0, -FAR_BEYOND, FAR_BEYOND)
    )  # fmt: skip
    chance = (left + right) / 2
    if left + right >= ENOUGH_HITS and here < LEAST_ENRICHMENT * chance:
        findings.warn(
            f"{key}: {share(here, len(features))} features lie within {AROUND:,} bases of a transcription start site, "
            f"and hardly fewer ({100 * chance / len(features):.1f} %) when all are moved by {FAR_BEYOND:,} bases, so "
            f"the edges may be chance. {ADVICE}"
        )


def tiled(features: pd.DataFrame) -> bool:
    """Whether most features begin where another one ends."""
    place = features["chrom"] + ":"
    return bool((place + features["start"].astype(str)).isin(place + features["end"].astype(str)).mean() > 0.5)


def check_linked(n_near: int, n_genes: int, n_linked: int, n_features: int, findings: Findings, *, key: str) -> None:
    """Say how many genes and features have an edge; warn where hardly any has.

    Raises
    ------
    InvalidGraph
        If there is no edge at all.
    """
    sentence = (
        f"{share(n_near, n_genes)} genes with coordinates have a feature of {key!r} near; "
        f"{share(n_linked, n_features)} features of {key!r} have a gene."
    )
    if not n_linked:
        raise InvalidGraph(
            f"No edge: {sentence} {ADVICE} With few features, a larger `window` (such as 150_000) finds more. "
            + " ".join(findings.sentences).replace(f" {ADVICE}", "")
        )
    if n_near < FEW_LINKED * n_genes and n_linked < FEW_LINKED * n_features:
        findings.warn(f"{sentence} {ADVICE}")
    else:
        findings.say(sentence)
