"""Edges between genes and the peaks or methylated sites that lie in or near them."""

from __future__ import annotations

import os
import warnings
from typing import Any

import pandas as pd

from multiome.errors import InvalidGraph, MultiomeWarning, check_whole
from multiome.graph.builds import check_chromosomes, check_ends, check_linked, check_start_sites
from multiome.graph.checks import DTYPES, check_once, check_vertices
from multiome.graph.coordinates import COLUMNS, NAME, any_strand
from multiome.graph.features import check_keys, feature_table
from multiome.graph.findings import Findings
from multiome.graph.gene_match import VAR_IDS, VAR_NAMES
from multiome.graph.intervals import decay, near
from multiome.graph.parts import Parts
from multiome.graph.places import place_features, place_genes
from multiome.graph.table import blocks
from multiome.graph.vertex_places import place_vertices

METHYLATION_KEYS = {"met", "meth", "methylation", "dnam", "bs"}
"""Keys (in any case) whose features silence the genes at whose promoters they lie."""
RNA_KEYS = {"rna", "gex", "gene", "genes", "gene expression"}
"""Keys (in any case) whose features are genes."""
PLACE_KEYS = METHYLATION_KEYS | {"atac", "peaks", "peak", "chromatin", "scatac"}
"""Keys (in any case) whose features are intervals of the genome, and no genes."""

SWAP = 'Swap them: genes come first, as in from_genome(mdata["rna"], mdata["atac"], keys=("rna", "atac")).'


def genome_edges(
    rna: Any,
    atac: Any,
    *,
    keys: tuple[str, str] = ("rna", "atac"),
    genes: str | os.PathLike | pd.DataFrame | None = None,
    window: int | None = None,
    promoter: int = 2_000,
    signs: tuple[int, int] | None = None,
) -> Parts:
    """Join genes with the peaks (or methylated sites) that lie in or near them.

    Vertices, edges, report and places; `GuidanceGraph.from_genome` says what the arguments mean.

    Raises
    ------
    InvalidGraph
        If a column occurs twice, coordinates are missing or impossible, the genomes do not fit, the two are swapped, or
        there is no edge.
    """
    check_keys(keys)
    reach = 0 if window is None else check_whole("window", window, least=0)
    promoter = check_whole("promoter", promoter, least=0)
    signs = check_signs(signs, keys[1])
    var, other = feature_table(rna, keys[0]), feature_table(atac, keys[1])
    for table, key in ((var, keys[0]), (other, keys[1])):
        check_once(table, [*COLUMNS, "strand", *VAR_IDS, *VAR_NAMES], what=f"{key}: `.var`")
    check_order(var, other, keys)
    vertices = blocks([(keys[0], var.index), (keys[1], other.index)])
    check_vertices(vertices)
    findings = Findings()
    located, every = place_genes(var, genes, findings, key=keys[0])
    features = place_features(other, findings, key=keys[1])
    places = place_vertices(located, features, n_genes=len(var), n_features=len(other))
    features = features[check_chromosomes(features, every, findings, key=keys[1])]
    check_ends(features, every, findings, key=keys[1])
    check_start_sites(features, every, findings, key=keys[1])
    pairs = near(located, features, window=reach, promoter=promoter, signs=signs)
    n_near, n_linked = pairs["gene"].nunique(), pairs["feature"].nunique()
    check_linked(n_near, len(located), n_linked, len(other), findings, key=keys[1])
    edges = pd.DataFrame(
        {
            "source": pairs["gene"],
            "target": pairs["feature"] + len(var),
            "weight": decay(pairs["gap"].to_numpy()),
            "sign": pairs["sign"],
            "distance": pairs["distance"],
        }
    ).astype(DTYPES)
    for sentence in findings.warnings:
        warnings.warn(sentence, MultiomeWarning, stacklevel=3)
    return Parts(vertices, edges, tuple(findings.sentences), places)


def check_order(genes: pd.DataFrame, features: pd.DataFrame, keys: tuple[str, str]) -> None:
    """Genes come first.

    Raises
    ------
    InvalidGraph
        If the keys are those of peaks and of genes; or if the first features are named by intervals, as peaks are, and
        none is on a strand, and the second are named otherwise.
    """
    first, second = (key.lower() for key in keys)
    if (first in PLACE_KEYS and second not in PLACE_KEYS) or (second in RNA_KEYS and first not in RNA_KEYS):
        raise InvalidGraph(f"`keys` are {keys!r}, so peaks or sites come first and genes second. {SWAP}")
    intervals, others = (table.index.str.match(NAME.pattern) for table in (genes, features))
    if intervals.mean() > 0.5 > others.mean() and not any_strand(genes):
        raise InvalidGraph(
            f"The first features, of {keys[0]!r}, are named as peaks are ({genes.index[intervals][0]!r}), the second, "
            f"of {keys[1]!r}, as genes are ({features.index[~others][0]!r}). {SWAP}"
        )


def check_signs(signs: tuple[int, int] | None, key: str) -> tuple[int, int]:
    """Signs at promoters and in gene bodies; by default those of the kind of features.

    Raises
    ------
    InvalidGraph
        If they are not two of -1, 0 and 1, or both are 0.
    """
    if signs is None:
        return (-1, 0) if key.lower() in METHYLATION_KEYS else (1, 1)
    pair = tuple(signs) if isinstance(signs, tuple | list) else ()
    if len(pair) != 2 or not all(sign in (-1, 0, 1) for sign in pair) or not any(pair):
        raise InvalidGraph(f"`signs` must be two of -1, 0 and 1 (promoter, body), not both 0, got {signs!r}.")
    return int(pair[0]), int(pair[1])
