"""Edges between surface proteins and the genes that encode them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from multiome.errors import InvalidGraph, MultiomeWarning, UnknownName, listed
from multiome.graph.checks import DTYPES, check_vertices
from multiome.graph.features import check_keys, feature_table
from multiome.graph.findings import Findings
from multiome.graph.markers import marker_edges
from multiome.graph.parts import Parts
from multiome.graph.table import OPTIONAL, blocks, unite
from multiome.graph.unused_columns import warn_of_unread

ADVICE = "Each pair has weight 1 and sign 1; GuidanceGraph.from_table takes edges of other weights and signs."


def protein_edges(rna: Any, protein: Any, *, keys: tuple[str, str], table: pd.DataFrame | None) -> Parts:
    """Vertices, edges and report; `GuidanceGraph.from_markers` says what the arguments mean, and what is an error."""
    check_keys(keys)
    genes, proteins = (list(feature_table(data, key).index) for data, key in zip((rna, protein), keys, strict=True))
    vertices = blocks([(keys[0], genes), (keys[1], proteins)])
    check_vertices(vertices)
    swapped = (
        f"The first features, of {keys[0]!r}, are named as proteins are ({listed(genes, most=3)}), the second, of "
        f"{keys[1]!r}, as genes are ({listed(proteins, most=3)}). Swap them: genes come first, as in "
        'from_markers(mdata["rna"], mdata["prot"]).'
    )
    try:
        found, report = marker_edges(genes, proteins, table=table)
    except UnknownName as error:
        if n_known(proteins, genes):
            raise InvalidGraph(swapped) from error
        raise
    if len(proteins) > len(genes) and n_known(proteins, genes) > found["target"].nunique():
        raise InvalidGraph(swapped)
    findings = Findings(list(report))
    if table is not None:
        warn_of_unread(table, OPTIONAL, findings, what="`table`", advice=ADVICE)
    source, target = pd.Index(genes).get_indexer(found["source"]), pd.Index(proteins).get_indexer(found["target"])
    edges = found.assign(source=source, target=target + len(genes), distance=np.nan)
    for sentence in findings.warnings:
        warnings.warn(sentence, MultiomeWarning, stacklevel=3)
    return Parts(vertices, unite(edges[list(DTYPES)], vertices), tuple(findings.sentences))


def n_known(genes: list[str], proteins: list[str]) -> int:
    """How many proteins have a gene."""
    try:
        return marker_edges(genes, proteins)[0]["target"].nunique()
    except UnknownName:
        return 0
