"""Edges between genes and the peaks or methylated sites that lie in or near them."""

from __future__ import annotations

import os
import warnings
from typing import Any

import pandas as pd

from multiome.errors import MultiomeWarning
from multiome.graph.builds import check_chromosome_ends, check_chromosomes, check_linked, check_start_sites
from multiome.graph.checks import DTYPES, check_once, check_vertices
from multiome.graph.coordinates import COLUMNS
from multiome.graph.features import check_keys, feature_table
from multiome.graph.findings import Findings
from multiome.graph.gene_match import VAR_IDS, VAR_NAMES
from multiome.graph.genome_arguments import check_bases, check_order, place_signs
from multiome.graph.intervals import decay, near
from multiome.graph.parts import Parts
from multiome.graph.places import place_features, place_genes
from multiome.graph.table import blocks
from multiome.graph.vertex_places import place_vertices


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
        If a column occurs twice, ``window`` or ``promoter`` is too large, coordinates are missing or impossible, the
        genomes do not fit, the two are swapped, or there is no edge.
    """
    check_keys(keys)
    reach = 0 if window is None else check_bases("window", window, usual="150_000")
    promoter = check_bases("promoter", promoter, usual="2_000")
    signs = place_signs(signs, keys[1])
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
    check_chromosome_ends(features, every, findings, key=keys[1])
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
