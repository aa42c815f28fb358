"""Transcription factors and the genes that they regulate: motifs in the peaks that are linked to a gene."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp

from multiome.errors import MultiomeError, UnknownName, listed, nearest
from multiome.predict.multiple_tests import bh, simes

HIT = ["tf", "peak"]


def regulons(links: pd.DataFrame, motifs: pd.DataFrame) -> pd.DataFrame:
    """One row per transcription factor and gene that has a peak with its motif; `Links.regulons` says more.

    Parameters
    ----------
    links
        ``source`` (genes), ``target`` (peaks), ``score`` and ``p``, one row per pair.
    motifs
        Hits as ``tf`` and ``peak``, or a matrix of peaks x transcription factors.

    Raises
    ------
    MultiomeError, UnknownName
        If ``motifs`` is neither; if none of its peaks is linked.
    """
    hits = motif_hits(motifs)
    peak, peaks = pd.factorize(links["target"].astype(object))
    gene, genes = pd.factorize(links["source"].astype(object), sort=True)
    tf, tfs = pd.factorize(hits["tf"], sort=True)
    linked = links[["score", "p"]].astype(np.float64).assign(peak=peak, gene=gene)
    pairs = pd.DataFrame({"peak": pd.Index(peaks).get_indexer(hits["peak"]), "tf": tf}).merge(linked, on="peak")
    if pairs.empty:
        raise no_peak(links, hits)
    group, found = pd.factorize(pairs["tf"] * len(genes) + pairs["gene"])
    weakness = -pairs["score"].abs().to_numpy()
    best = np.lexsort((pairs["p"], weakness, group))  # of equal scores the smaller p; NaN comes last
    best = best[np.unique(group[best], return_index=True)[1]]
    p = simes(pairs["p"].to_numpy(), group, len(found))
    order = np.lexsort((found, weakness[best], p))  # ties by the names of factor and gene
    table = {
        "tf": np.asarray(tfs, dtype=object)[found // len(genes)],
        "gene": np.asarray(genes, dtype=object)[found % len(genes)],
        "score": pairs["score"].to_numpy()[best],
        "peak": np.asarray(peaks, dtype=object)[pairs["peak"].to_numpy()[best]],
        "n_peaks": np.bincount(group),
        "p": p,
        "q": bh(p),
    }
    return pd.DataFrame({name: values[order] for name, values in table.items()})


def motif_hits(motifs: pd.DataFrame) -> pd.DataFrame:
    """Columns ``tf`` and ``peak``, each pair once.

    Raises
    ------
    MultiomeError
        If it is neither a table of hits nor a matrix, or there is no hit.
    """
    if not isinstance(motifs, pd.DataFrame):
        raise MultiomeError(f"`motifs` must be a DataFrame, got {type(motifs).__name__}; read it first.")
    missing = [name for name in HIT if name not in motifs.columns]
    if not missing:
        hits = motifs[HIT].dropna().astype(str)
    elif len(missing) == len(HIT) and all(pd.api.types.is_numeric_dtype(dtype) for dtype in motifs.dtypes):
        hits = hits_of_matrix(motifs)
    else:
        raise MultiomeError(
            f"`motifs` lacks the columns {listed(missing)}; it has {listed(motifs.columns)}."
            f"{nearest(missing[0], motifs.columns)} It must have one row per hit, with the names of a transcription "
            "factor and of a peak; or be a matrix of 0 and 1 with peaks as rows and transcription factors as columns."
        )
    if hits.empty:
        raise MultiomeError(f"`motifs` has {len(motifs):,} rows, but no hit of a motif in a peak.")
    return hits.drop_duplicates(ignore_index=True)


def hits_of_matrix(motifs: pd.DataFrame) -> pd.DataFrame:
    """Where a matrix of peaks x transcription factors, sparse or not, is 1.

    Raises
    ------
    MultiomeError
        If it holds anything but 0 and 1.
    """
    dtypes = list(motifs.dtypes)
    if dtypes and all(isinstance(dtype, pd.SparseDtype) and dtype.fill_value == 0 for dtype in dtypes):
        matrix = motifs.sparse.to_coo()
    else:
        matrix = sp.coo_array(motifs.fillna(0).to_numpy())
    hit = matrix.data != 0
    row, column, values = matrix.row[hit], matrix.col[hit], matrix.data[hit]
    if (values != 1).any():
        raise MultiomeError(
            f"`motifs` is a matrix that holds {values[values != 1][0]:g}, where only 0 and 1 say which peaks have a "
            "motif. Of scores, choose the hits first, such as (motifs > threshold).astype(int)."
        )
    return pd.DataFrame({"tf": motifs.columns.astype(str)[column], "peak": motifs.index.astype(str)[row]})


def no_peak(links: pd.DataFrame, hits: pd.DataFrame) -> UnknownName:
    """The error where hits and links have no peak in common, with what both call their peaks."""
    if links.empty:
        return UnknownName(
            "There are no links, so that no motif tells a gene; ask all of them, not `significant` ones."
        )
    return UnknownName(
        f"None of the {hits['peak'].nunique():,} peaks with a motif is linked to a gene. `motifs` names peaks such as "
        f"{listed(hits['peak'].unique()[:3])}, the links {listed(links['target'].unique()[:3])}. Names must be the "
        "same in both, and the hits those in the peaks of these data."
    )
