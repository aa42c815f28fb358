"""Genes and features of different genomes."""

import numpy as np
import pandas as pd
import pytest

from multiome.errors import InvalidGraph
from multiome.graph.builds import check_chromosome_ends, check_chromosomes, check_linked, check_start_sites
from multiome.graph.findings import Findings

LENGTH = 100_000_000


@pytest.fixture
def genome() -> pd.DataFrame:
    """3,000 genes on two chromosomes."""
    rng = np.random.default_rng(0)
    start = np.sort(rng.integers(0, LENGTH, 3_000))
    chrom, strand = rng.choice(["1", "2"], 3_000), rng.choice(["+", "-"], 3_000)
    return pd.DataFrame({"chrom": chrom, "start": start, "end": start + 20_000, "strand": strand})


def at(chrom, start, *, width: int = 400) -> pd.DataFrame:
    start = np.asarray(start)
    return pd.DataFrame({"chrom": chrom, "start": start, "end": start + width, "strand": "."})


def promoters(genome: pd.DataFrame, *, moved: int = 0) -> pd.DataFrame:
    """A peak at every third TSS, and as many anywhere."""
    tss = np.where(genome["strand"] == "+", genome["start"], genome["end"] - 1)[::3] - 200
    anywhere = np.random.default_rng(1).integers(0, LENGTH, len(tss))
    chrom = genome["chrom"].to_numpy()[::3]
    return at(np.tile(chrom, 2), np.concatenate([tss, anywhere]) + moved)


@pytest.mark.parametrize(("n", "outcome"), [(0, "error"), (1, "error"), (4, "warning"), (12, "report"), (20, "report")])
def test_features_on_unknown_chromosomes(genome, n, outcome):
    features, findings = at(["1"] * n + ["chrUn"] * (20 - n), range(20)), Findings()
    says = rf"atac: {n} of 20 \({5 * n}\.0 %\) features lie on chromosomes that have genes\."
    if outcome == "error":
        with pytest.raises(InvalidGraph, match=says + r".*'chrUn'; of the genes: '1', '2'.*same species and assembly"):
            check_chromosomes(features, genome, findings, key="atac")
        return
    on = check_chromosomes(features, genome, findings, key="atac")
    assert on.sum() == n
    assert bool(findings.warnings) == (n == 4)
    assert f"atac: {n} of 20" in findings.sentences[0]


def test_features_beyond_the_last_gene(genome):
    findings = Findings()
    check_chromosome_ends(at("1", np.arange(0, LENGTH, 10_000)), genome, findings, key="atac")
    assert not findings.sentences
    check_chromosome_ends(at("1", np.arange(0, 2 * LENGTH, 10_000)), genome, findings, key="atac")
    assert (
        "features lie more than 1,000,000 bases after the last gene of their chromosome (most on '1')"
        in findings.warnings[0]
    )
    few = genome[:100]  # the last of few genes says nothing about where a chromosome ends
    findings = Findings()
    check_chromosome_ends(at("1", np.arange(0, 2 * LENGTH, 10_000)), few, findings, key="atac")
    assert not findings.sentences


@pytest.mark.parametrize("moved", [0, 30_000])
def test_start_sites_tell_assemblies_apart(genome, moved):
    findings = Findings()
    check_start_sites(promoters(genome, moved=moved), genome, findings, key="atac")
    assert bool(findings.warnings) == (moved > 0)
    if moved:
        assert "features lie within 1,000 bases of a transcription start site, and hardly fewer" in findings.warnings[0]


def test_tiles_and_few_features_are_not_judged(genome):
    findings = Findings()
    check_start_sites(at("1", np.arange(0, LENGTH, 5_000), width=5_000), genome, findings, key="atac")
    check_start_sites(promoters(genome, moved=30_000)[:900], genome, findings, key="atac")
    assert not findings.sentences


def test_links_are_counted():
    findings = Findings()
    check_linked(30, 40, 50, 80, findings, key="atac")
    assert findings.sentences == [
        "30 of 40 (75.0 %) genes with coordinates have a feature of 'atac' near; 50 of 80 (62.5 %) features of 'atac' "
        "have a gene."
    ]
    check_linked(3, 4_000, 5, 8_000, findings, key="atac")
    assert "3 of 4,000 (0.1 %)" in findings.warnings[0]
    with pytest.raises(InvalidGraph, match="No edge"):
        check_linked(0, 40, 0, 80, findings, key="atac")
