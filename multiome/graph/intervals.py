"""Which features lie in or near which genes, how far away, and what that weighs.

All intervals are 0-based and half-open. The distance of two intervals is 0 where they share a base, and 1 where one
begins at the base after the other's last: the difference of the two nearest bases.
"""

from __future__ import annotations

import bioframe
import numpy as np
import pandas as pd


def zones(genes: pd.DataFrame, *, promoter: int, signs: tuple[int, int]) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Start, end and sign of each gene's zones; of two that are equally near, the first counts.

    With two equal signs one zone: the gene body and ``promoter`` bases upstream, on both sides where the strand is not
    known. Otherwise the promoter, ``promoter`` bases to either side of the transcription start site (of both ends where
    the strand is not known), and then the body.
    """
    start, end, strand = (genes[name].to_numpy() for name in ("start", "end", "strand"))
    if signs[0] == signs[1]:
        left = np.where(strand == "-", start, start - promoter)
        right = np.where(strand == "+", end, end + promoter)
        return [(left, right, signs[0])]
    sites = [(site - promoter, site + promoter + 1, signs[0]) for site in start_sites(genes)]
    return [*sites, (start, end, signs[1])]


def start_sites(genes: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The base where transcription starts, twice; of genes without a strand, the first and the last base."""
    start, last, strand = genes["start"].to_numpy(), genes["end"].to_numpy() - 1, genes["strand"].to_numpy()
    return np.where(strand == "-", last, start), np.where(strand == "+", start, last)


def apart(start: np.ndarray, end: np.ndarray, start2: np.ndarray, end2: np.ndarray) -> np.ndarray:
    """Distance of intervals, row by row."""
    return np.maximum(np.maximum(start2 - end, start - end2) + 1, 0)


def near(
    genes: pd.DataFrame, features: pd.DataFrame, *, window: int, promoter: int, signs: tuple[int, int]
) -> pd.DataFrame:
    """Pairs of a gene and a feature at most ``window`` bases from the nearest of the gene's zones.

    Returns
    -------
    Sorted rows of ``gene`` and ``feature`` (labels of the two tables' rows), ``gap`` (distance to the zone), ``sign``
    (the zone's; a zone of sign 0 has no pairs) and ``distance`` (to the transcription start site).
    """
    parts = zones(genes, promoter=promoter, signs=signs)
    used = [(start, end) for start, end, sign in parts if sign]
    reach = genes.assign(
        start=np.min([start for start, _ in used], axis=0) - window,
        end=np.max([end for _, end in used], axis=0) + window,
    )
    columns = ["chrom", "start", "end"]
    pairs = bioframe.overlap(
        reach[columns].reset_index(drop=True),
        features[columns].reset_index(drop=True),
        how="inner",
        return_input=False,
        return_index=True,
    )
    g, f = pairs["index"].to_numpy(np.int64), pairs["index_"].to_numpy(np.int64)
    start, end = features["start"].to_numpy()[f], features["end"].to_numpy()[f]
    gap = np.full(len(g), np.iinfo(np.int64).max)
    sign = np.zeros(len(g), dtype=np.int8)
    for left, right, zone_sign in parts:
        here = apart(left[g], right[g], start, end)
        closer = here < gap
        gap[closer], sign[closer] = here[closer], zone_sign
    distance = np.min([apart(site[g], site[g] + 1, start, end) for site in start_sites(genes)], axis=0)
    found = pd.DataFrame(
        {"gene": genes.index.to_numpy()[g], "feature": features.index.to_numpy()[f], "gap": gap, "sign": sign}
    ).assign(distance=distance)
    found = found[(gap <= window) & (sign != 0)]
    return found.sort_values(["gene", "feature"], ignore_index=True)


def decay(gap: np.ndarray) -> np.ndarray:
    """Weight ``((d + 1000) / 1000) ** -0.75`` at a distance of ``d`` bases, as in GLUE (Cao and Gao 2022)."""
    return ((gap + 1_000) / 1_000) ** -0.75
