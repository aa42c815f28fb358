"""Places of genes and of features, from what there is: an annotation, columns of ``.var``, or names."""

from __future__ import annotations

import os

import pandas as pd

from multiome.errors import InvalidGraph, listed
from multiome.graph.annotation import read_genes
from multiome.graph.coordinates import COLUMNS, column_hint, compare_names, places_in_columns, places_in_names
from multiome.graph.findings import Findings, share
from multiome.graph.gene_match import match_genes

FEW_MATCHED = 0.5
"""Share of genes in an annotation below which the two hardly belong together."""
NO_PLACE = ": in each row of `.var`, `chrom` is empty, or `chromStart` or `chromEnd` is NaN or -1."


def place_genes(
    var: pd.DataFrame, genes: str | os.PathLike | pd.DataFrame | None, findings: Findings, *, key: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Places of the genes that have one (rows numbered as in ``var``), and of all genes that are known.

    Raises
    ------
    InvalidGraph
        If no gene has a place.
    """
    if genes is None:
        places = every = genes_of_var(var, findings, key=key)
    else:
        places, every = genes_of_annotation(var, genes, findings, key=key)
    located, every = (table[table["chrom"] != ""] for table in (places, every))
    n_unknown = int((located["strand"] == ".").sum())
    sentence = f"{key}: {share(n_unknown, len(located))} genes are on an unknown strand; both their ends count as TSS."
    if n_unknown > len(located) / 2:
        findings.warn(f"{sentence} Add a column `strand` (+ or -), or pass `genes=` with one.")
    elif n_unknown:
        findings.say(sentence)
    return located, every


def genes_of_var(var: pd.DataFrame, findings: Findings, *, key: str) -> pd.DataFrame:
    """Places of the genes by their own table, one row per gene.

    Raises
    ------
    InvalidGraph
        If no gene has a place.
    """
    places = places_of(var, findings, key=key)
    n_known = int((places["chrom"] != "").sum())
    if not n_known:
        if given_in_columns(var):
            raise InvalidGraph(f"{key}: no gene has coordinates{NO_PLACE} Fill them in, or pass `genes=`.")
        raise InvalidGraph(
            f"{key}: no gene has coordinates. `.var` has the columns {listed(var.columns)}, and names such as "
            f"{listed(var.index, most=3)} are no places.{column_hint(var.columns)} Pass "
            f"`genes=`: a GTF or GFF3 file or a gene table of the genome that "
            f"the cells were mapped to; or add {', '.join(COLUMNS)} (0-based, half-open) and strand."
        )
    findings.say(f"{key}: {share(n_known, len(var))} genes have coordinates, from `.var`.")
    return places


def genes_of_annotation(
    var: pd.DataFrame, genes: str | os.PathLike | pd.DataFrame, findings: Findings, *, key: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Places of the genes by an annotation, one row per gene, and of everything in it.

    Raises
    ------
    InvalidGraph
        If no gene is in it, or none of those has a place.
    """
    annotation = read_genes(genes, findings)
    what = "`genes`" if isinstance(genes, pd.DataFrame) else str(genes)
    symbols, ids = annotation["gene_name"], annotation["gene_id"]
    every = places_in_columns(annotation.set_axis(symbols.where(symbols != "", ids)), what=what, findings=findings)
    match = match_genes(var, annotation.assign(chrom=every["chrom"], chromStart=every["start"], chromEnd=every["end"]))
    places = every.iloc[match.row].reset_index(drop=True)
    places.loc[match.row < 0, "chrom"] = ""
    lost = var.index[(places["chrom"] == "").to_numpy()]
    n_found = len(var) - len(lost)
    if not n_found and (n_known := int((match.row >= 0).sum())):
        raise InvalidGraph(
            f"{key}: {n_known:,} of the {len(var):,} genes ({listed(lost[match.row >= 0], most=3)}) are in {what}, but "
            "none of them has a place there: `chrom` is empty, or `chromStart` or `chromEnd` is NaN or -1."
        )
    if not n_found:
        raise InvalidGraph(
            f"{key}: none of the {len(var):,} genes ({listed(lost, most=3)}) is in {what}, which has names such as "
            f"{listed(symbols, most=3)} and identifiers such as {listed(ids, most=3)}. Check the species, and whether "
            "both have symbols or both have identifiers."
        )
    sentence = (
        f"{key}: {share(n_found, len(var))} genes have coordinates, from {what}; {match.n_by_id:,} by identifier."
    )
    if match.n_several:
        sentence += (
            f" {match.n_several:,} stand there more than once: of each, the longest entry on a primary chromosome "
            "was taken."
        )
    if n_found < FEW_MATCHED * len(var):
        findings.warn(f"{sentence} Not found: {listed(lost, most=5)}. Check the species and the kind of names.")
    else:
        findings.say(sentence)
    return places, every


def place_features(var: pd.DataFrame, findings: Findings, *, key: str) -> pd.DataFrame:
    """Places of the features that have one, rows numbered as in ``var``.

    Raises
    ------
    InvalidGraph
        If none has.
    """
    places = places_of(var, findings, key=key)
    known = (places["chrom"] != "").to_numpy()
    if not known.any():
        if given_in_columns(var):
            raise InvalidGraph(
                f"{key}: no feature has coordinates{NO_PLACE} Fill them in; or, where names such as "
                f"{listed(var.index, most=3)} say the places, as chr1:100-200 does, drop those columns."
            )
        raise InvalidGraph(
            f"{key}: no feature has coordinates. `.var` has the columns {listed(var.columns)}, and names such as "
            f"{listed(var.index, most=3)} are not like chr1:100-200.{column_hint(var.columns)} Add "
            f"{', '.join(COLUMNS)} (0-based, half-open)."
        )
    if not known.all():
        findings.say(
            f"{key}: {share((~known).sum(), len(var))} features have no coordinates "
            f"({listed(var.index[~known], most=3)}), and no edge."
        )
    return places[known]


def given_in_columns(var: pd.DataFrame) -> bool:
    """Whether columns say where features lie; else their names do."""
    return all(name in var.columns for name in COLUMNS)


def places_of(var: pd.DataFrame, findings: Findings, *, key: str) -> pd.DataFrame:
    """Places of the columns of ``var``, else of the names; one row per feature."""
    if not given_in_columns(var):
        return places_in_names(var.index)
    places = places_in_columns(var, what=key, findings=findings)
    compare_names(places, var.index, what=key, findings=findings)
    return places
