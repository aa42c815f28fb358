"""Where the two ends of each link lie."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from multiome.graph.intervals import apart, start_sites
from multiome.graph.vertex_places import NOWHERE


def with_places(table: pd.DataFrame, places: Mapping[str, pd.DataFrame], modalities: Mapping[str, str]) -> pd.DataFrame:
    """A table of links, with ``chrom``, ``start``, ``end`` and ``strand`` of both ends.

    Parameters
    ----------
    table
        Links, named by ``source`` and ``target``.
    places
        By modality key, where its features lie; indexed by their names.
    modalities
        The modality of each of the two ends.

    Returns
    -------
    The table with ``source_chrom`` to ``target_strand``; ``""``, -1, -1 and ``"."`` where a place is not known.
    """
    columns = {}
    for end, key in modalities.items():
        known = places.get(key)
        row = np.full(len(table), -1) if known is None else known.index.get_indexer(table[end])
        for name, missing in NOWHERE.items():
            values = np.array([missing] if known is None else [*known[name], missing], dtype=object)
            columns[f"{end}_{name}"] = values[row]  # -1 is the missing one, which stands last
    return table.assign(**columns).astype({name: np.int64 for name in columns if name.endswith(("_start", "_end"))})


def drawable(table: pd.DataFrame, *, genes: bool = True) -> pd.DataFrame:
    """The links of which both ends have a place; the gene's end is its transcription start site.

    A gene is the source. It starts at its first base on the ``+`` strand, at its last on ``-``, and at the one of the
    two that is nearer to the target where the strand is not known, as `GuidanceGraph` measures distances.

    Parameters
    ----------
    table
        Links as `with_places` gives them.
    genes
        Whether the sources are genes; other features lie where their intervals do.
    """
    known = table[(table["source_chrom"] != "") & (table["target_chrom"] != "")]
    if not genes:
        return known
    genes = pd.DataFrame({name: known[f"source_{name}"].to_numpy() for name in ("start", "end", "strand")})
    first, second = start_sites(genes)
    start, end = known["target_start"].to_numpy(), known["target_end"].to_numpy()
    nearer = np.where(apart(first, first + 1, start, end) <= apart(second, second + 1, start, end), first, second)
    return known.assign(source_start=nearer, source_end=nearer + 1)
